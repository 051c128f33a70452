//! `task.rebalance`: work that nobody has begun goes from who has too much to who has room.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::choice::{Overload, Roster};
use super::events::ASSIGNED;
use super::{changes, reserved};
use crate::error::{Error, Result};
use crate::pipeline::command::Change;
use crate::pipeline::decide::Decide;

/// Tasks that one call moves at most when it does not say.
const MOVES: u64 = 100;
/// The most that one call may ask for: a decision stays well under the time of a batch.
const MOST_MOVES: u64 = 1_000;

/// Input of `task.rebalance`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rebalance {
    /// At most this many tasks are moved, 1 to 1,000; 100 when left out.
    #[serde(default)]
    pub limit: Option<u64>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Answer of `task.rebalance`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rebalanced {
    /// What was moved, in that order.
    pub moved: Vec<Move>,
    /// What would have been moved if anyone could take it; at most 100.
    pub stayed: Vec<Stay>,
}

/// A task that was moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Move {
    /// The task.
    pub task_id: String,
    /// For whom it was reserved.
    pub from: String,
    /// For whom it is reserved now.
    pub to: String,
    /// Why, in a sentence.
    pub reason: String,
}

/// A task that could not be moved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stay {
    /// The task.
    pub task_id: String,
    /// For whom it is reserved.
    pub agent_id: String,
    /// Why, in a sentence.
    pub reason: String,
}

impl Change for Rebalance {
    type Output = Rebalanced;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Rebalanced> {
        let limit = match self.limit.unwrap_or(MOVES) {
            0 => return Err(Error::invalid("limit", 0, format_args!("must be from 1 to {MOST_MOVES}"))),
            limit @ 1..=MOST_MOVES => limit as usize,
            limit => return Err(Error::field_limit("limit", "tasks moved by one call", MOST_MOVES, limit)),
        };
        let mut roster = Roster::default();
        let mut done = Rebalanced::default();
        for from in roster.overloaded(cx.db)? {
            relieve(cx, &mut roster, &from, limit, &mut done)?;
        }
        Ok(done)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Moves what is too much for one agent, the most urgent first: whoever is idle begins it at once.
fn relieve(
    cx: &mut Decide<'_>,
    roster: &mut Roster,
    from: &Overload,
    most: usize,
    done: &mut Rebalanced,
) -> Result<()> {
    let mut surplus = from.surplus;
    for mut task in reserved::of(cx.db, &from.agent_id, MOST_MOVES as usize)? {
        if surplus == 0 || done.moved.len() == most {
            break;
        }
        if super::work::require_say(cx.by, &task).is_err() {
            continue;
        }
        let chosen = roster.choose(cx.db, cx.now, &task, &|agent_id| agent_id == from.agent_id)?;
        let (task_id, agent_id) = (task.task_id.clone(), from.agent_id.clone());
        let Some(to) = chosen.agent_id.clone() else {
            if done.stayed.len() < MOVES as usize {
                done.stayed.push(Stay { task_id, agent_id, reason: chosen.reason });
            }
            continue;
        };
        let load = from.load;
        let why = if from.gone { "is offline".to_owned() } else { format!("has {load} tasks") };
        let reason = format!("{:?} {why}; {}", from.agent_id, chosen.reason);
        roster.count(&from.agent_id, -1);
        surplus -= 1;
        let auto = task.auto_assign;
        task.reserve(super::Assignment { reason: reason.clone(), ..chosen });
        task.auto_assign = auto;
        task.updated_at = cx.now;
        changes::emit(cx, ASSIGNED, task);
        done.moved.push(Move { task_id, from: agent_id, to, reason });
    }
    Ok(())
}
