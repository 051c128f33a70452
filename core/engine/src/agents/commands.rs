//! What changes agents.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::events::{AgentChanged, JOINED, LEFT, STATUS_CHANGED, UPDATED};
use super::{Agent, AgentError, AgentView, Location, Presence, Status, tables};
use crate::error::{Error, Result};
use crate::events::event::Place;
use crate::hub::{Check, Scope};
use crate::id;
use crate::json::Json;
use crate::operations::Compose;
use crate::pipeline::command::{Change, Class};
use crate::pipeline::decide::Decide;

/// Capabilities: words, or words with a level from 0 to 1 (1 when not said).
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be a list of words, or an object of words with levels from 0 to 1")]
pub enum Capabilities {
    /// Words with levels.
    Levels(BTreeMap<String, Option<f64>>),
    /// Words alone.
    Words(Vec<String>),
}

impl Capabilities {
    fn levels(&self) -> Result<BTreeMap<String, f64>> {
        let levels: BTreeMap<String, f64> = match self {
            Capabilities::Words(words) => words.iter().map(|word| (word.clone(), 1.0)).collect(),
            Capabilities::Levels(levels) => {
                levels.iter().map(|(word, level)| (word.clone(), level.unwrap_or(1.0))).collect()
            }
        };
        if levels.len() > 1_000 {
            return Err(Error::field_limit(
                "capabilities",
                "capabilities of an agent",
                1_000,
                levels.len() as u64,
            ));
        }
        for (word, level) in &levels {
            id::check_name("capabilities", word)?;
            if !(0.0..=1.0).contains(level) {
                return Err(Error::invalid(&format!("capabilities.{word}"), *level, "must be from 0 to 1"));
            }
        }
        Ok(levels)
    }
}

/// Input of `agent.register`. What is left out stays as it was, or takes its default.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// Its id; the name when left out.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// Its display name.
    pub name: String,
    /// `llm`, `tool`, `human`, `service`, or another word; `llm` by default.
    #[serde(default, rename = "type")]
    pub kind: Option<String>,
    /// Its role in the team.
    #[serde(default)]
    pub role: Option<String>,
    /// What it is best at.
    #[serde(default)]
    pub specialization: Option<String>,
    /// Where it belongs.
    #[serde(default)]
    pub department: Option<String>,
    /// What it can do: words, or words with a level from 0 to 1.
    #[serde(default)]
    pub capabilities: Option<Capabilities>,
    /// How many tasks it takes at once, 1 to 10,000; 1 by default.
    #[serde(default)]
    pub max_load: Option<u32>,
    /// Where it runs.
    #[serde(default, deserialize_with = "crate::input::object")]
    pub location: Option<Location>,
    /// A JSON object, at most 64 KiB.
    #[serde(default)]
    pub metadata: Option<Json>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Register {
    /// An agent with this name as its id.
    pub fn new(name: &str) -> Register {
        Register { name: name.to_owned(), ..Register::default() }
    }

    fn check(&self, cx: &Decide<'_>) -> Result<()> {
        id::check_name("name", &self.name)?;
        for (field, text) in [
            ("type", &self.kind),
            ("role", &self.role),
            ("specialization", &self.specialization),
            ("department", &self.department),
        ] {
            id::check_optional(field, text.as_deref())?;
        }
        if let Some(load) = self.max_load.filter(|load| !(1..=10_000).contains(load)) {
            return Err(Error::invalid("max_load", load, "must be from 1 to 10000"));
        }
        if let Some(location) = &self.location {
            super::presence::check_location(location)?;
        }
        cx.check_metadata("metadata", self.metadata.as_ref())
    }
}

impl Change for Register {
    type Output = AgentView;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<AgentView> {
        self.check(cx)?;
        let agent_id = self.agent_id.as_deref().unwrap_or(&self.name);
        id::check_name("agent_id", agent_id)?;
        if agent_id == crate::tasks::assign::AUTO {
            let must = "must be another word: this one stands for an agent that the engine chooses";
            return Err(Error::invalid("agent_id", agent_id, must));
        }
        cx.by.may_act_as("agent_id", agent_id)?;
        let known = tables::profile(cx.db, agent_id)?;
        if known.is_none() {
            check_room(cx)?;
        }
        let old = known.clone().unwrap_or_else(|| Agent {
            agent_id: agent_id.to_owned(),
            name: self.name.clone(),
            kind: "llm".to_owned(),
            role: None,
            specialization: None,
            department: None,
            capabilities: BTreeMap::new(),
            max_load: 1,
            metadata: Json::from(serde_json::json!({})),
            registered_at: cx.now,
        });
        let agent = Agent {
            name: self.name.clone(),
            kind: self.kind.clone().unwrap_or(old.kind),
            role: self.role.clone().or(old.role),
            specialization: self.specialization.clone().or(old.specialization),
            department: self.department.clone().or(old.department),
            capabilities: match &self.capabilities {
                Some(given) => given.levels()?,
                None => old.capabilities,
            },
            max_load: self.max_load.unwrap_or(old.max_load),
            metadata: self.metadata.clone().unwrap_or(old.metadata),
            ..old
        };
        let mut presence = tables::presence(cx.db, agent_id)?.unwrap_or_else(|| Presence::new(agent_id));
        let joins = presence.status == Status::Offline;
        if joins {
            presence.status = Status::Idle;
            presence.joined_at = Some(cx.now);
        }
        presence.last_seen = Some(cx.now);
        presence.location = self.location.clone().or(presence.location);
        tables::beat(cx.db, agent_id)?;
        emit(cx, if joins { JOINED } else { UPDATED }, &agent, &presence, None);
        Ok(AgentView { agent, presence })
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

fn check_room(cx: &Decide<'_>) -> Result<()> {
    let count: i64 = cx.db.prepare_cached("SELECT count(*) FROM agent")?.query_row([], |row| row.get(0))?;
    if count as u64 >= cx.config.max_agents {
        return Err(Error::limit("agents of a hub", cx.config.max_agents, count as u64 + 1));
    }
    Ok(())
}

fn emit(cx: &mut Decide<'_>, kind: &'static str, agent: &Agent, presence: &Presence, reason: Option<&str>) {
    let place = Place { session_id: presence.session_id.clone(), ..Place::agent(&agent.agent_id) };
    let body =
        AgentChanged { agent: agent.clone(), presence: presence.clone(), reason: reason.map(str::to_owned) };
    cx.emit(kind, place, body);
}

/// The profile and presence of an agent that must be registered.
fn known(cx: &Decide<'_>, agent_id: &str) -> Result<(Agent, Presence)> {
    id::check_name("agent_id", agent_id)?;
    cx.by.may_act_as("agent_id", agent_id)?;
    let agent = tables::profile(cx.db, agent_id)?.ok_or_else(|| AgentError::Unknown(agent_id.to_owned()))?;
    let presence = tables::presence(cx.db, agent_id)?.unwrap_or_else(|| Presence::new(agent_id));
    Ok((agent, presence))
}

/// Input of `agent.set_status`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetStatus {
    /// The agent.
    pub agent_id: String,
    /// `active` (or `working`), `idle`, `error`, `offline`.
    pub status: Status,
    /// A few words about it.
    #[serde(default)]
    pub detail: Option<String>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Runs a change of an agent after what it did before: an update of its presence that still waits to be written would
/// otherwise undo it.
fn after_updates<C: Change>(scope: &Scope<'_>, change: C) -> Result<C::Output> {
    scope.core.relaxed.flush(scope.core)?;
    scope.core.change(scope.op.name, Class::Durable, scope.by, change)
}

impl Compose for SetStatus {
    type Output = Presence;

    fn compose(self, scope: &Scope<'_>, _: &mut Check<'_>) -> Result<Presence> {
        after_updates(scope, SetStatusNow(self))
    }
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct SetStatusNow(SetStatus);

impl Change for SetStatusNow {
    type Output = Presence;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Presence> {
        let SetStatus { agent_id, status, detail, .. } = &self.0;
        if let Some(detail) = detail {
            cx.check_text("detail", detail)?;
        }
        let (agent, mut presence) = known(cx, agent_id)?;
        let was_offline = presence.status == Status::Offline;
        presence.status = *status;
        presence.status_detail.clone_from(detail);
        presence.last_seen = Some(cx.now);
        let kind = match (was_offline, *status) {
            (true, Status::Offline) | (false, Status::Active | Status::Idle | Status::Error) => {
                STATUS_CHANGED
            }
            (false, Status::Offline) => LEFT,
            (true, _) => JOINED,
        };
        if kind == JOINED {
            presence.joined_at = Some(cx.now);
        }
        if *status == Status::Active {
            presence.last_activity = Some(cx.now);
        }
        if *status == Status::Offline {
            tables::set_holder(cx.db, agent_id, None)?;
        }
        tables::beat(cx.db, agent_id)?;
        emit(cx, kind, &agent, &presence, (kind == LEFT).then_some("left"));
        Ok(presence)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.0.idempotency_key.as_deref()
    }
}

/// Input of `agent.heartbeat`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The agent.
    pub agent_id: String,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Answer of `agent.heartbeat`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Beaten {
    /// The agent's status.
    pub status: Status,
    /// Seconds within which the next heartbeat must come.
    pub ttl_seconds: f64,
}

impl Change for Heartbeat {
    type Output = Beaten;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Beaten> {
        let (agent, mut presence) = known(cx, &self.agent_id)?;
        if presence.status == Status::Offline {
            presence.status = Status::Idle;
            presence.joined_at = Some(cx.now);
            presence.last_seen = Some(cx.now);
            emit(cx, JOINED, &agent, &presence, None);
        }
        tables::beat(cx.db, &self.agent_id)?;
        Ok(Beaten { status: presence.status, ttl_seconds: cx.config.presence_ttl_seconds })
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Input of `agent.leave`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Leave {
    /// The agent.
    pub agent_id: String,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Compose for Leave {
    type Output = Presence;

    fn compose(self, scope: &Scope<'_>, _: &mut Check<'_>) -> Result<Presence> {
        after_updates(scope, LeaveNow(self))
    }
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct LeaveNow(Leave);

impl Change for LeaveNow {
    type Output = Presence;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Presence> {
        let (agent, presence) = known(cx, &self.0.agent_id)?;
        go_offline(cx, &agent, presence, "left")
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.0.idempotency_key.as_deref()
    }
}

fn go_offline(cx: &mut Decide<'_>, agent: &Agent, mut presence: Presence, reason: &str) -> Result<Presence> {
    if reason != LAPSED {
        tables::set_holder(cx.db, &agent.agent_id, None)?;
    }
    if presence.status != Status::Offline {
        presence.status = Status::Offline;
        presence.current_task_id = None;
        emit(cx, LEFT, agent, &presence, Some(reason));
    }
    Ok(presence)
}

/// Why an agent left that was not heard of: it may come back with the process that beats for it.
const LAPSED: &str = "lapsed";

/// Takes an agent offline that was not heard of for its time to live, if it is still not. The keeper's.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Lapse {
    pub agent_id: String,
    /// The counter that was seen standing.
    pub count: i64,
}

impl Change for Lapse {
    type Output = bool;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<bool> {
        let lease = tables::lease(cx.db, &self.agent_id, std::time::Duration::ZERO)?;
        if lease.is_none_or(|lease| lease.count != self.count) {
            return Ok(false);
        }
        let (agent, presence) = known(cx, &self.agent_id)?;
        let was = presence.status;
        go_offline(cx, &agent, presence, LAPSED)?;
        Ok(was != Status::Offline)
    }
}

/// Takes the agents of a process offline that is closing its hub. The keeper's.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LeaveAll {
    /// Only these, of one handle of several.
    pub agents: Option<Vec<String>>,
}

impl Change for LeaveAll {
    type Output = usize;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<usize> {
        let mut held = tables::held_by(cx.db, cx.holder)?;
        if let Some(agents) = &self.agents {
            held.retain(|agent_id| agents.contains(agent_id));
        }
        for agent_id in &held {
            let (agent, presence) = known(cx, agent_id)?;
            go_offline(cx, &agent, presence, "closed")?;
        }
        if self.agents.is_some() {
            return Ok(held.len());
        }
        crate::sessions::clients::let_go(cx.db, cx.holder)?;
        cx.db.prepare_cached("DELETE FROM holder WHERE holder = ?1")?.execute([cx.holder])?;
        Ok(held.len())
    }
}

/// Has this process beat for an agent, or for all that it holds. The keeper's.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Hold {
    /// An agent to hold from now on.
    pub agent_id: Option<String>,
}

impl Change for Hold {
    type Output = ();

    fn decide(&self, cx: &mut Decide<'_>) -> Result<()> {
        if let Some(agent_id) = &self.agent_id {
            known(cx, agent_id)?;
            tables::set_holder(cx.db, agent_id, Some(cx.holder))?;
        }
        let ttl = (cx.config.presence_ttl_seconds * 1000.0) as i64;
        cx.db
            .prepare_cached(
                "INSERT INTO holder VALUES (?1, ?2, ?3, 1)
                 ON CONFLICT (holder) DO UPDATE SET renewals = renewals + 1",
            )?
            .execute(rusqlite::params![cx.holder, std::process::id(), ttl])?;
        // A process that was stopped for longer than its agents' time comes back: so do they.
        for agent_id in tables::lapsed_of(cx.db, cx.holder)? {
            let (agent, mut presence) = known(cx, &agent_id)?;
            presence.status = Status::Idle;
            presence.joined_at = Some(cx.now);
            presence.last_seen = Some(cx.now);
            emit(cx, JOINED, &agent, &presence, None);
        }
        Ok(())
    }
}

/// Lets an active agent fall idle that has done nothing for a while, if it still has not. The keeper's.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FallIdle {
    pub agent_id: String,
}

impl Change for FallIdle {
    type Output = bool;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<bool> {
        let (_, mut presence) = known(cx, &self.agent_id)?;
        if presence.status != Status::Active || !presence.is_quiet(cx.now.min(cx.steady), cx.config) {
            return Ok(false);
        }
        presence.status = Status::Idle;
        let place = Place { session_id: presence.session_id.clone(), ..Place::agent(&self.agent_id) };
        cx.emit(super::events::PRESENCE_UPDATED, place, presence);
        Ok(true)
    }
}
