//! A task and its parts as one tree: the task at the top stands on every event of the tree, so that it can be followed
//! as a whole by one index.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension};

use super::{Task, TaskError};
use crate::error::Result;

/// The task at the top of the tree in which this one is a part; none when it is at the top itself, or not here.
pub(crate) fn root(db: &Connection, task_id: &str) -> Result<Option<String>> {
    let root: Option<Option<String>> = db
        .prepare_cached("SELECT body ->> '$.root_id' FROM task WHERE task_id = ?1")?
        .query_row([task_id], |row| row.get(0))
        .optional()?;
    Ok(root.flatten())
}

/// The task that this one is a part of.
pub(crate) fn parent(db: &Connection, task_id: &str) -> Result<Option<String>> {
    let parent: Option<Option<String>> = db
        .prepare_cached("SELECT parent_id FROM task WHERE task_id = ?1")?
        .query_row([task_id], |row| row.get(0))
        .optional()?;
    Ok(parent.flatten())
}

/// Says of new tasks which task is at the top of each one's tree; refuses parts that would be parts of themselves.
pub(crate) fn set_roots(db: &Connection, tasks: &mut [Task]) -> Result<()> {
    if tasks.iter().all(|task| task.parent_id.is_none()) {
        return Ok(());
    }
    let new: HashMap<String, Option<String>> =
        tasks.iter().map(|task| (task.task_id.clone(), task.parent_id.clone())).collect();
    let mut roots: HashMap<String, String> = HashMap::new();
    for task in tasks.iter_mut() {
        let Some(parent) = task.parent_id.clone() else { continue };
        let mut path = vec![task.task_id.clone()];
        let mut on_path: HashSet<String> = path.iter().cloned().collect();
        let mut at = parent;
        let root = loop {
            if let Some(known) = roots.get(&at) {
                break known.clone();
            }
            if !on_path.insert(at.clone()) {
                path.push(at.clone());
                let circle = path.into_iter().skip_while(|id| *id != at).collect();
                return Err(TaskError::Cycle { field: "parent_id", circle }.into());
            }
            match new.get(&at) {
                Some(Some(next)) => {
                    path.push(at);
                    at = next.clone();
                }
                Some(None) => break at,
                None => break root(db, &at)?.unwrap_or(at),
            }
        };
        roots.extend(path.into_iter().map(|id| (id, root.clone())));
        task.root_id = Some(root);
    }
    Ok(())
}
