//! The planner: walks the folder and makes the tasks. It does none of them.

use std::path::Path;

use folkmoot::Error;
use folkmoot::tasks::{CreateMany, NewTask};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::findings::{Findings, Plan};
use super::meeting::{self, SESSION};
use super::member::Member;
use super::survey::walk::{self, Found, Module};
use super::team::{COUNT, EDIT, INSPECT, LINKS, REPORT_TASK, SUMMARIZE};
use crate::output::{plural, shorten};

/// A worker's death counts as an attempt; a demo on a slow machine should not run out of them.
const ATTEMPTS: u32 = 20;

/// What a task says about itself to whoever claims it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// What is to be done: the capability that it requires.
    pub what: String,
    /// The module's number.
    pub number: String,
    /// The module's name.
    pub module: String,
}

/// Walks, notes what was found, makes the tasks.
pub fn play(member: &Member) -> Result<(), Error> {
    member.uses("walk_folder", None)?;
    let found = walk::walk(&member.folder)?;
    let modules: Vec<(String, Module)> = walk::modules(&found.files)
        .into_iter()
        .enumerate()
        .map(|(at, module)| (format!("{:02}", at + 1), module))
        .collect();
    let words = format!(
        "{} in {}: counted, inspected and summarized one module at a time, the largest first.",
        plural(found.files.len() as u64, "file"),
        plural(modules.len() as u64, "module")
    );
    member.keep_trying(|| meeting::open(member, &words))?;
    member.keep_trying(|| share(member, &found, &modules))
}

/// Notes what was found and makes the tasks, all of them or none.
fn share(member: &Member, found: &Found, modules: &[(String, Module)]) -> Result<(), Error> {
    let findings = Findings::new(&member.hub, member.id);
    for (number, module) in modules {
        findings.set_module(number, module)?;
    }
    findings.set_plan(&Plan {
        folder: member.folder.display().to_string(),
        modules: modules.iter().map(|(number, module)| (number.clone(), module.name.clone())).collect(),
        files: found.files.len() as u64,
        left_out: found.left_out,
        cut_off: found.cut_off,
        links: member.links,
    })?;
    member.uses("create_tasks", None)?;
    let tasks = tasks(&member.folder, modules, member.links);
    member.hub.run(CreateMany { creator_id: member.id.to_owned(), tasks, idempotency_key: None })?;
    Ok(())
}

/// Three tasks for each module, a fourth for one with documents when `links` are checked, and the report that waits for
/// all of them; larger modules come first.
fn tasks(folder: &Path, modules: &[(String, Module)], links: bool) -> Vec<NewTask> {
    let name =
        folder.file_name().map_or_else(|| folder.display().to_string(), |name| name.to_string_lossy().into());
    let has_links = |module: &Module| links && module.files.iter().any(|path| path.ends_with(".md"));
    let last = |(number, module): &(String, Module)| {
        let links = has_links(module).then(|| id(LINKS, number));
        std::iter::once(id(SUMMARIZE, number)).chain(links)
    };
    let mut tasks = vec![NewTask {
        task_id: Some(REPORT_TASK.to_owned()),
        requires: vec![EDIT.to_owned()],
        depends_on: modules.iter().flat_map(last).collect(),
        max_attempts: Some(ATTEMPTS),
        ..blank(&format!("Write the report on {name}"))
    }];
    for (rank, (number, module)) in modules.iter().enumerate() {
        let priority = 9_u8.saturating_sub(u8::try_from(rank * 9 / modules.len().max(1)).unwrap_or(9));
        let always = [(COUNT, "Count"), (INSPECT, "Inspect"), (SUMMARIZE, "Summarize")];
        let documents = has_links(module).then_some((LINKS, "Check the links of"));
        for (what, verb) in always.into_iter().chain(documents) {
            let first = [id(COUNT, number), id(INSPECT, number)];
            tasks.push(NewTask {
                task_id: Some(id(what, number)),
                description: Some(format!("{} files", module.files.len())),
                priority: Some(priority),
                requires: vec![what.to_owned()],
                depends_on: if what == SUMMARIZE { first.to_vec() } else { Vec::new() },
                parent_id: Some(REPORT_TASK.to_owned()),
                requirements: Some(job(what, number, &module.name)),
                max_attempts: Some(ATTEMPTS),
                ..blank(&format!("{verb} {}", shorten(&module.name, 60)))
            });
        }
    }
    tasks
}

fn job(what: &str, number: &str, module: &str) -> folkmoot::Json {
    json!(Job { what: what.to_owned(), number: number.to_owned(), module: module.to_owned() }).into()
}

/// A task's id, from what it is about: `count-01`.
pub fn id(what: &str, number: &str) -> String {
    format!("{what}-{number}")
}

fn blank(title: &str) -> NewTask {
    NewTask {
        title: title.to_owned(),
        task_id: None,
        description: None,
        priority: None,
        due_date: None,
        requires: Vec::new(),
        depends_on: Vec::new(),
        on_dependency_failure: None,
        parent_id: None,
        session_id: Some(SESSION.to_owned()),
        assign_to: None,
        requirements: None,
        estimated_duration: None,
        max_attempts: None,
    }
}
