//! Who may see and change which keys.
//!
//! A rule names readers and writers of a prefix, or of one key. Of all rules that fit a key the most specific decides:
//! first the key's own, then the longest prefix; each of `read` and `write` by itself. Without a rule everyone may.
//! The process that opened the hub and operators are trusted; agents are judged. The same check holds wherever a value
//! could show: reading, listing, searching, subscriptions, the log.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MemoryError;
use super::events::ACCESS_CHANGED;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::events::event::{Event, Place};
use crate::id;
use crate::pipeline::command::Change;
use crate::pipeline::decide::Decide;
use crate::principal::Principal;

/// Who may read and who may write: agent ids, `role:<role>`, `capability:<word>`, or `*`. A list left out leaves the
/// less specific rule in force.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Who may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Vec<String>>,
    /// Who may write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<Vec<String>>,
}

/// A rule as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AccessRule {
    pub prefix: String,
    /// Whether it is the rule of one key.
    pub exact: bool,
    pub read: Option<Vec<String>>,
    pub write: Option<Vec<String>>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    Read,
    Write,
}

impl Right {
    fn word(self) -> &'static str {
        match self {
            Right::Read => "read",
            Right::Write => "write",
        }
    }
}

impl Access {
    /// Refuses lists that are too long or hold what is no name. `place` is put before the names of the lists.
    pub(crate) fn check(&self, place: &str) -> Result<()> {
        for (name, list) in [("read", &self.read), ("write", &self.write)] {
            let field = format!("{place}{name}");
            let list = list.as_deref().unwrap_or_default();
            if list.len() > 1_000 {
                return Err(Error::field_limit(&field, "names in a rule", 1_000, list.len() as u64));
            }
            id::check_names(&field, list)?;
        }
        Ok(())
    }

    pub(crate) fn rule(&self, prefix: &str, exact: bool) -> AccessRule {
        AccessRule { prefix: prefix.to_owned(), exact, read: self.read.clone(), write: self.write.clone() }
    }
}

/// Refuses what the rules do not allow, without saying whether the key exists.
pub(crate) fn require(db: &Connection, by: &Principal, key: &str, right: Right) -> Result<()> {
    if allowed(db, by, key, right)? {
        return Ok(());
    }
    Err(MemoryError::Denied { who: by.to_string(), what: right.word(), key: key.to_owned() }.into())
}

/// Whether the rules allow it.
pub(crate) fn allowed(db: &Connection, by: &Principal, key: &str, right: Right) -> Result<bool> {
    let Some(agent_id) = by.agent_id() else { return Ok(true) };
    if !any_rules(db)? {
        return Ok(true);
    }
    match deciding(db, key, right)? {
        None => Ok(true),
        Some(names) => names_include(db, &names, agent_id),
    }
}

fn any_rules(db: &Connection) -> Result<bool> {
    Ok(db.prepare_cached("SELECT 1 FROM acl LIMIT 1")?.query_row([], |_| Ok(())).optional()?.is_some())
}

/// The list that decides about a key: its own, else that of the longest prefix that has one.
fn deciding(db: &Connection, key: &str, right: Right) -> Result<Option<Vec<String>>> {
    let mut exact = db.prepare_cached("SELECT body FROM acl WHERE prefix = ?1 AND exact = ?2")?;
    let ends = key.char_indices().map(|(at, _)| at).chain([key.len()]).rev();
    for (end, is_exact) in [(key.len(), true)].into_iter().chain(ends.map(|end| (end, false))) {
        let body: Option<String> = exact
            .query_row(params![key.get(..end).unwrap_or_default(), is_exact], |row| row.get(0))
            .optional()?;
        let Some(body) = body else { continue };
        let rule: AccessRule = serde_json::from_str(&body).map_err(|e| {
            Error::storage(format!("the file is damaged: an access rule cannot be read: {e}"))
        })?;
        let names = match right {
            Right::Read => rule.read,
            Right::Write => rule.write,
        };
        if names.is_some() {
            return Ok(names);
        }
    }
    Ok(None)
}

fn names_include(db: &Connection, names: &[String], agent_id: &str) -> Result<bool> {
    if names.iter().any(|name| name == "*" || name == agent_id) {
        return Ok(true);
    }
    if !names.iter().any(|name| name.starts_with("role:") || name.starts_with("capability:")) {
        return Ok(false);
    }
    let Some(agent) = crate::agents::tables::profile(db, agent_id)? else { return Ok(false) };
    Ok(names.iter().any(|name| match name.split_once(':') {
        Some(("role", role)) => agent.role.as_deref() == Some(role),
        Some(("capability", word)) => agent.capabilities.contains_key(word),
        _ => false,
    }))
}

/// Decides what a subscriber may see; remembers its answers until a rule or a profile changes.
pub(crate) struct Viewer {
    by: Principal,
    known: HashMap<String, bool>,
    /// The commit counter for which `known` holds.
    counter: u64,
}

impl Viewer {
    pub fn new(by: Principal) -> Viewer {
        Viewer { by, known: HashMap::new(), counter: 0 }
    }

    /// Whether the subscriber may see this event, by the rules of now.
    pub fn may_see(&mut self, core: &Core, event: &Event) -> Result<bool> {
        self.may_see_of(core, &event.kind, &event.place)
    }

    /// The same for what is left of an event: its kind and its place.
    pub fn may_see_of(&mut self, core: &Core, kind: &str, place: &Place) -> Result<bool> {
        let Some(agent_id) = self.by.agent_id().map(str::to_owned) else { return Ok(true) };
        match kind.split_once('.').map_or("", |(noun, _)| noun) {
            "message" | "session" | "channel" => {
                crate::messages::access::may_hear(place, &agent_id, |session_id| {
                    // A key of memory holds no tab.
                    self.remembered(core, format!("session\t{session_id}"), |db, _| {
                        crate::sessions::access::may_see(db, session_id, &agent_id)
                    })
                })
            }
            "memory" => match place.subject.clone() {
                Some(key) => self.remembered(core, key.clone(), |db, by| allowed(db, by, &key, Right::Read)),
                None => Ok(true),
            },
            _ => Ok(true),
        }
    }

    /// What was judged before, while nothing has been committed since.
    fn remembered(
        &mut self,
        core: &Core,
        of: String,
        judge: impl FnOnce(&Connection, &Principal) -> Result<bool>,
    ) -> Result<bool> {
        let counter = core.storage.counter();
        if counter != self.counter {
            self.known.clear();
            self.counter = counter;
        }
        if let Some(known) = self.known.get(&of) {
            return Ok(*known);
        }
        let may = core.storage.read(|reader| judge(reader.db, &self.by))?;
        self.known.insert(of, may);
        Ok(may)
    }
}

/// Input of `memory.set_access`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetAccess {
    /// The start of the keys that the rule is for; empty for all keys.
    pub prefix: String,
    /// Who may read: agent ids, `role:<role>`, `capability:<word>`, `*`. Left out: no rule for reading.
    #[serde(default)]
    pub read: Option<Vec<String>>,
    /// Who may write. Left out: no rule for writing.
    #[serde(default)]
    pub write: Option<Vec<String>>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Answer of `memory.set_access`: the rule as it now stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AccessSet {
    /// The prefix.
    pub prefix: String,
    /// Who may read.
    pub read: Option<Vec<String>>,
    /// Who may write.
    pub write: Option<Vec<String>>,
}

impl Change for SetAccess {
    type Output = AccessSet;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<AccessSet> {
        super::queries::check_prefix(&self.prefix)?;
        let access = Access { read: self.read.clone(), write: self.write.clone() };
        access.check("")?;
        if cx.by.agent_id().is_some() {
            return Err(Error::not_allowed(format!("{} may not set access rules", cx.by))
                .hint("the process that opened the hub, or an operator, sets them"));
        }
        let place = Place { subject: Some(self.prefix.clone()), ..Place::default() };
        cx.emit(ACCESS_CHANGED, place, access.rule(&self.prefix, false));
        Ok(AccessSet { prefix: self.prefix.clone(), read: access.read, write: access.write })
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}
