//! Whom the engine chooses for a task: `auto`.
//!
//! Who is present, has every required capability and holds less than its `max_load` can take a task. Each of them gets a
//! score from 0 to 1: half of it is how well it can do what is required, three tenths how much room it has left, two
//! tenths how its newest tasks ended. The best score wins; between equal ones, the first by id. Who failed this very task
//! before comes after those who did not. The same hub always gives the same answer, and the answer says why.

use rusqlite::Connection;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Task, reserved};
use crate::agents::{self, Agent, Status};
use crate::clock::Time;
use crate::error::Result;

const LEVEL: f64 = 0.5;
const ROOM: f64 = 0.3;
const SUCCESS: f64 = 0.2;
/// By how many of its newest tasks an agent's success is judged.
pub(crate) const JUDGED_BY: i64 = 50;
/// How many candidates, and how many of those left out, an answer names.
const NAMED: usize = 10;
/// How many who are offline are looked at to say why they were left out.
const OFFLINE: i64 = 20;

/// Whom the engine chose for a task, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Assignment {
    /// When.
    pub at: Time,
    /// The agent; null when nobody can take the task now.
    pub agent_id: Option<String>,
    /// Why, in a sentence.
    pub reason: String,
    /// Who could take it, the best first; at most 10.
    pub candidates: Vec<Candidate>,
    /// Who could not, and why; at most 10, those who come nearest to it first.
    pub left_out: Vec<LeftOut>,
}

/// An agent that can take a task, with the parts of its score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// The agent.
    pub agent_id: String,
    /// 0.5 × `level` + 0.3 × `room` + 0.2 × `success`.
    pub score: f64,
    /// The mean of its levels in what is required, 0 to 1; 1 when nothing is.
    pub level: f64,
    /// The part of `max_load` that is free, 0 to 1.
    pub room: f64,
    /// Of its newest 50 tasks that ended: (done + 1) / (all + 1).
    pub success: f64,
    /// Tasks that it holds and that are reserved for it.
    pub load: u64,
    /// How many tasks it takes at once.
    pub max_load: u32,
    /// Whether it failed this task before: then it comes after those who did not.
    pub failed_before: bool,
}

/// What keeps an agent from taking a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hindrance {
    /// It has as many tasks as it takes at once.
    Full,
    /// Its status is `error`.
    InError,
    /// It is not present.
    Offline,
    /// It lacks what is required.
    Incapable,
}

/// An agent that cannot take a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// The agent.
    pub agent_id: String,
    /// Why.
    pub why: Hindrance,
    /// The capabilities that it lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// An agent as a choice sees it.
struct Member {
    agent: Agent,
    status: Status,
    /// Its load and its success, once someone asked.
    known: Option<(u64, f64)>,
}

/// Everyone there is to choose from, read once for all choices of a decision. What it gives out counts at once.
#[derive(Default)]
pub(crate) struct Roster {
    members: Option<Vec<Member>>,
}

impl Roster {
    /// Chooses an agent for a task, but none of whom `but` says so.
    pub fn choose(
        &mut self,
        db: &Connection,
        now: Time,
        task: &Task,
        but: &dyn Fn(&str) -> bool,
    ) -> Result<Assignment> {
        let mut candidates = Vec::new();
        let mut left_out = Vec::new();
        for member in self.members(db)?.iter_mut().filter(|member| !but(&member.agent.agent_id)) {
            match member.judge(db, task)? {
                Ok(candidate) => candidates.push(candidate),
                Err(hindered) => left_out.push(hindered),
            }
        }
        candidates.sort_by(|a, b| {
            (a.failed_before.cmp(&b.failed_before))
                .then(b.score.total_cmp(&a.score))
                .then_with(|| a.agent_id.cmp(&b.agent_id))
        });
        left_out.sort_by(|a, b| a.why.cmp(&b.why).then_with(|| a.agent_id.cmp(&b.agent_id)));
        let reason = match candidates.first() {
            Some(best) => best.sentence(candidates.len()),
            None => nobody(&left_out),
        };
        let agent_id = candidates.first().map(|best| best.agent_id.clone());
        if let Some(agent_id) = &agent_id {
            self.count(agent_id, 1);
        }
        candidates.truncate(NAMED);
        left_out.truncate(NAMED);
        Ok(Assignment { at: now, agent_id, reason, candidates, left_out })
    }

    /// Everyone, in the order of their ids.
    fn members(&mut self, db: &Connection) -> Result<&mut Vec<Member>> {
        let members = match self.members.take() {
            Some(members) => members,
            None => {
                let mut members = read(db, "p.status <> 'offline' ORDER BY a.agent_id LIMIT -1")?;
                members
                    .extend(read(db, &format!("p.status = 'offline' ORDER BY a.agent_id LIMIT {OFFLINE}"))?);
                members
            }
        };
        Ok(self.members.insert(members))
    }

    /// Counts tasks that this decision gives to an agent, or takes from it.
    pub fn count(&mut self, agent_id: &str, tasks: i64) {
        let members = self.members.iter_mut().flatten();
        for member in members.filter(|member| member.agent.agent_id == agent_id) {
            if let Some((load, _)) = &mut member.known {
                *load = load.saturating_add_signed(tasks);
            }
        }
    }

    /// Who has more than it takes at once, or is not there for what is reserved for it.
    pub fn overloaded(&mut self, db: &Connection) -> Result<Vec<Overload>> {
        let mut found = Vec::new();
        for member in self.members(db)? {
            let (load, _) = member.known(db)?;
            let most = u64::from(member.agent.max_load);
            let gone = member.status == Status::Offline;
            if load > most || gone {
                let surplus = if gone { load } else { load - most };
                found.push(Overload { agent_id: member.agent.agent_id.clone(), surplus, load, gone });
            }
        }
        Ok(found)
    }
}

/// An agent with more than it can begin.
pub(crate) struct Overload {
    pub agent_id: String,
    /// How many tasks are too many.
    pub surplus: u64,
    pub load: u64,
    /// Whether it is offline.
    pub gone: bool,
}

fn read(db: &Connection, which: &str) -> Result<Vec<Member>> {
    let sql = format!(
        "SELECT a.body, p.status FROM presence p JOIN agent a ON a.agent_id = p.agent_id WHERE {which}"
    );
    let mut statement = db.prepare_cached(&sql)?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut members = Vec::new();
    for row in rows {
        let (body, status) = row?;
        let all = [Status::Active, Status::Idle, Status::Error];
        let status = all.into_iter().find(|known| known.as_str() == status).unwrap_or_default();
        members.push(Member { agent: agents::tables::read(&body)?, status, known: None });
    }
    Ok(members)
}

impl Member {
    fn known(&mut self, db: &Connection) -> Result<(u64, f64)> {
        let known = match self.known {
            Some(known) => known,
            None => {
                let (done, ended) = reserved::recent(db, &self.agent.agent_id)?;
                let success = (done + 1) as f64 / (ended + 1) as f64;
                (reserved::load(db, &self.agent.agent_id)?, success)
            }
        };
        Ok(*self.known.insert(known))
    }

    fn judge(&mut self, db: &Connection, task: &Task) -> Result<std::result::Result<Candidate, LeftOut>> {
        let agent_id = self.agent.agent_id.clone();
        let levels: Vec<Option<&f64>> =
            task.requires.iter().map(|word| self.agent.capabilities.get(word)).collect();
        let missing: Vec<String> = task
            .requires
            .iter()
            .zip(&levels)
            .filter(|(_, level)| level.is_none())
            .map(|(word, _)| word.clone())
            .collect();
        let level = match levels.len() {
            0 => 1.0,
            count => levels.iter().flatten().copied().sum::<f64>() / count as f64,
        };
        let hindered = |why, missing| Ok(Err(LeftOut { agent_id: agent_id.clone(), why, missing }));
        if !missing.is_empty() {
            return hindered(Hindrance::Incapable, missing);
        }
        match self.status {
            Status::Offline => return hindered(Hindrance::Offline, missing),
            Status::Error => return hindered(Hindrance::InError, missing),
            Status::Active | Status::Idle => {}
        }
        let (all, success) = self.known(db)?;
        // What is reserved for it already is no load beside itself.
        let load = all.saturating_sub(u64::from(task.agent_id.as_ref() == Some(&agent_id)));
        let max_load = self.agent.max_load;
        if load >= u64::from(max_load) {
            return hindered(Hindrance::Full, missing);
        }
        let room = 1.0 - load as f64 / f64::from(max_load);
        let failed = |what: &str| what == "failed" || what == "lapsed";
        Ok(Ok(Candidate {
            score: rounded(LEVEL * level + ROOM * room + SUCCESS * success),
            level: rounded(level),
            room: rounded(room),
            success: rounded(success),
            load,
            max_load,
            failed_before: (task.history.iter())
                .any(|step| failed(&step.what) && step.agent_id.as_ref() == Some(&agent_id)),
            agent_id,
        }))
    }
}

/// To four places: what is shown is what was compared.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

impl Candidate {
    fn sentence(&self, of: usize) -> String {
        let Candidate { agent_id, score, level, room, success, .. } = self;
        format!(
            "chose {agent_id:?} of {of} who can: score {score} (level {level}, room {room}, success {success})"
        )
    }
}

fn nobody(left_out: &[LeftOut]) -> String {
    if left_out.is_empty() {
        return "nobody is registered".to_owned();
    }
    let mut parts = Vec::new();
    for (why, says) in [
        (Hindrance::Full, "full"),
        (Hindrance::InError, "in error"),
        (Hindrance::Offline, "offline"),
        (Hindrance::Incapable, "without what it requires"),
    ] {
        let names: Vec<&str> = left_out
            .iter()
            .filter(|hindered| hindered.why == why)
            .map(|hindered| hindered.agent_id.as_str())
            .take(NAMED)
            .collect();
        if !names.is_empty() {
            parts.push(format!("{says}: {}", names.join(", ")));
        }
    }
    format!("nobody can take it now ({})", parts.join("; "))
}
