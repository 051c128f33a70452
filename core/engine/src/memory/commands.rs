//! What changes memory.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::access::{self, Access, Right};
use super::events::{DELETED, RECORDED, Recorded, UPDATED};
use super::{Entry, MemoryError, tables};
use crate::error::{Error, Result};
use crate::events::event::Place;
use crate::id;
use crate::json::Json;
use crate::pipeline::command::Change;
use crate::pipeline::decide::Decide;
use crate::principal::Principal;

/// Input of `memory.set`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// The key: 1–256 bytes, a path such as `plans/q3`.
    pub key: String,
    /// Any JSON value, at most 1 MiB.
    pub value: Json,
    /// Who writes; access control is that agent's.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// Set only if the key is at this version; 0 means that it must not be there.
    #[serde(default)]
    pub expected_version: Option<u64>,
    /// Seconds after which the key ends by itself.
    #[serde(default)]
    pub ttl_seconds: Option<f64>,
    /// Who may read and write this key from now on.
    #[serde(default, deserialize_with = "crate::input::object")]
    pub access_control: Option<Access>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Set {
    /// Sets this key to this value.
    pub fn new(key: &str, value: impl Into<Json>) -> Set {
        Set { key: key.to_owned(), value: value.into(), ..Set::default() }
    }
}

/// One entry of `memory.set_many`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetEntry {
    /// The key.
    pub key: String,
    /// Any JSON value; null with `delete`.
    #[serde(default)]
    pub value: Json,
    /// Delete the key instead of setting it.
    #[serde(default)]
    pub delete: bool,
    /// Change only if the key is at this version; 0 means that it must not be there.
    #[serde(default)]
    pub expected_version: Option<u64>,
    /// Seconds after which the key ends by itself.
    #[serde(default)]
    pub ttl_seconds: Option<f64>,
}

/// Input of `memory.set_many`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetMany {
    /// The changes, each of another key.
    pub entries: Vec<SetEntry>,
    /// Who writes.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Input of `memory.delete`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delete {
    /// The key.
    pub key: String,
    /// Who deletes.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// Delete only if the key is at this version.
    #[serde(default)]
    pub expected_version: Option<u64>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Input of `memory.patch`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// The key.
    pub key: String,
    /// A JSON merge patch (RFC 7396): fields to set, null to take one away.
    pub patch: Json,
    /// Who writes.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// Change only if the key is at this version.
    #[serde(default)]
    pub expected_version: Option<u64>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Input of `memory.increment`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Increment {
    /// The key.
    pub key: String,
    /// What to add; 1 when left out. Whole numbers stay whole.
    #[serde(default)]
    pub by: Option<serde_json::Number>,
    /// Who writes.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Input of `memory.record_update`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordUpdate {
    /// What was done there: `create`, `update`, `delete`, or your own word.
    pub operation: String,
    /// What it was done to.
    pub item_id: String,
    /// Who did it.
    pub agent_id: String,
    /// A JSON object, at most 64 KiB.
    #[serde(default)]
    pub metadata: Option<Json>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Answer of `memory.record_update`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UpdateRecorded {
    /// The `seq` of the event that says so.
    pub seq: u64,
}

/// The head of a key before a change, checked against rights and expectation.
struct Before {
    by: Principal,
    /// The head, deleted or not: versions go on from it.
    head: Option<tables::Head>,
}

impl Before {
    fn read(cx: &Decide<'_>, by: &Principal, key: &str, expected: Option<u64>) -> Result<Before> {
        id::check_name("key", key)?;
        access::require(cx.db, by, key, Right::Write)?;
        let before = Before { by: by.clone(), head: tables::head_only(cx.db, key, cx.steady)? };
        let current = before.head.as_ref().filter(|_| before.is_live()).map_or(0, |head| head.version);
        match expected.filter(|expected| *expected != current) {
            Some(expected) => Err(before.moved(cx, key, expected, current)?.into()),
            None => Ok(before),
        }
    }

    /// Why the expectation does not hold; shows what is there to those who may read it.
    fn moved(&self, cx: &Decide<'_>, key: &str, expected: u64, current: u64) -> Result<MemoryError> {
        let entry = match access::allowed(cx.db, &self.by, key, Right::Read)? {
            true => tables::live(cx.db, key, cx.steady)?.map(Box::new),
            false => None,
        };
        Ok(MemoryError::VersionMoved { key: key.to_owned(), expected, current, entry })
    }

    fn origin(&self) -> Option<&tables::Origin> {
        self.head.as_ref()?.origin.as_ref()
    }

    fn is_live(&self) -> bool {
        self.origin().is_some()
    }

    /// The next version of the key.
    fn next(&self, cx: &Decide<'_>, seq: u64, key: &str, value: Json) -> Entry {
        let who = self.by.agent_id().map(str::to_owned);
        let (created_by, created_at) = match self.origin() {
            Some(origin) => (origin.created_by.clone(), origin.created_at),
            None => (who.clone(), cx.now),
        };
        Entry {
            key: key.to_owned(),
            value,
            version: self.head.as_ref().map_or(0, |head| head.version) + 1,
            created_by,
            created_at,
            updated_by: who,
            updated_at: cx.now,
            expires_at: None,
            seq,
            previous_seq: self.head.as_ref().map(|head| head.seq),
            deleted: false,
        }
    }
}

fn place(entry: &Entry) -> Place {
    Place { agent_id: entry.updated_by.clone(), subject: Some(entry.key.clone()), ..Place::default() }
}

impl Change for Set {
    type Output = Entry;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Entry> {
        let by = cx.acting("agent_id", self.agent_id.as_deref())?;
        cx.check_value("value", &self.value)?;
        let before = Before::read(cx, &by, &self.key, self.expected_version)?;
        // The event of the rule comes first.
        let seq = cx.upcoming_seq() + u64::from(self.access_control.is_some());
        let mut entry = before.next(cx, seq, &self.key, self.value.clone());
        entry.expires_at = expiry(cx, "ttl_seconds", self.ttl_seconds)?;
        if let Some(access) = &self.access_control {
            access.check("access_control.")?;
            let place = Place { subject: Some(self.key.clone()), ..Place::default() };
            cx.emit(super::events::ACCESS_CHANGED, place, access.rule(&self.key, true));
        }
        cx.emit_answer(UPDATED, place(&entry), entry.clone());
        Ok(entry)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

fn expiry(cx: &Decide<'_>, field: &str, ttl: Option<f64>) -> Result<Option<crate::clock::Time>> {
    let Some(seconds) = ttl else { return Ok(None) };
    cx.check_seconds(field, seconds, 0.001)?;
    Ok(Some(cx.steady.plus_seconds(seconds)))
}

impl Change for SetMany {
    type Output = Vec<Entry>;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Vec<Entry>> {
        let by = cx.acting("agent_id", self.agent_id.as_deref())?;
        cx.check_count("entries", self.entries.len())?;
        let mut keys = std::collections::HashSet::new();
        let mut next = Vec::with_capacity(self.entries.len());
        for (i, change) in self.entries.iter().enumerate() {
            let outer = format!("entries[{i}]");
            if !keys.insert(change.key.as_str()) {
                return Err(Error::invalid(
                    &format!("{outer}.key"),
                    change.key.as_str(),
                    "stands twice in one call",
                ));
            }
            let seq = cx.upcoming_seq() + i as u64;
            next.push(change.decide(cx, seq, &by).map_err(|error| error.within(&outer))?);
        }
        for entry in &next {
            cx.emit(if entry.deleted { DELETED } else { UPDATED }, place(entry), entry.clone());
        }
        Ok(next)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

impl SetEntry {
    fn decide(&self, cx: &Decide<'_>, seq: u64, by: &Principal) -> Result<Entry> {
        cx.check_value("value", &self.value)?;
        let before = Before::read(cx, by, &self.key, self.expected_version)?;
        if !self.delete {
            let mut entry = before.next(cx, seq, &self.key, self.value.clone());
            entry.expires_at = expiry(cx, "ttl_seconds", self.ttl_seconds)?;
            return Ok(entry);
        }
        if !before.is_live() {
            return Err(MemoryError::Unknown(self.key.clone()).into());
        }
        Ok(Entry { deleted: true, ..before.next(cx, seq, &self.key, Json::null()) })
    }
}

impl Change for Delete {
    type Output = Entry;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Entry> {
        let by = cx.acting("agent_id", self.agent_id.as_deref())?;
        let before = Before::read(cx, &by, &self.key, self.expected_version)?;
        if !before.is_live() {
            return Err(MemoryError::Unknown(self.key.clone()).into());
        }
        let entry = Entry { deleted: true, ..before.next(cx, cx.upcoming_seq(), &self.key, Json::null()) };
        cx.emit(DELETED, place(&entry), entry.clone());
        Ok(entry)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

impl Change for Patch {
    type Output = Entry;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Entry> {
        let by = cx.acting("agent_id", self.agent_id.as_deref())?;
        cx.check_value("patch", &self.patch)?;
        let before = Before::read(cx, &by, &self.key, self.expected_version)?;
        let current = tables::live(cx.db, &self.key, cx.steady)?;
        let Some(current) = current else { return Err(MemoryError::Unknown(self.key.clone()).into()) };
        // A patch builds on the value, so it needs the right to read it.
        access::require(cx.db, &by, &self.key, Right::Read)?;
        let mut value = current.value.to_value();
        json_patch::merge(&mut value, &self.patch.to_value());
        let value = Json::from(value);
        cx.check_value("value", &value)?;
        let mut entry = before.next(cx, cx.upcoming_seq(), &self.key, value);
        entry.expires_at = current.expires_at;
        cx.emit(UPDATED, place(&entry), entry.clone());
        Ok(entry)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

impl Change for Increment {
    type Output = Entry;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Entry> {
        let by = cx.acting("agent_id", self.agent_id.as_deref())?;
        let before = Before::read(cx, &by, &self.key, None)?;
        access::require(cx.db, &by, &self.key, Right::Read)?;
        let step = self.by.clone().unwrap_or_else(|| 1.into());
        let live = tables::live(cx.db, &self.key, cx.steady)?;
        let current = live.as_ref().map_or(Value::from(0), |entry| entry.value.to_value());
        let sum = add(&current, &step).ok_or_else(|| MemoryError::NotANumber(self.key.clone()))??;
        let mut entry = before.next(cx, cx.upcoming_seq(), &self.key, Json::from(sum));
        entry.expires_at = live.and_then(|entry| entry.expires_at);
        cx.emit(UPDATED, place(&entry), entry.clone());
        Ok(entry)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Adds a number to a value; `None` when the value is no number. Whole numbers stay whole and may not overflow.
fn add(value: &Value, by: &serde_json::Number) -> Option<Result<Value>> {
    let Value::Number(number) = value else { return None };
    let too_large = || Error::invalid("by", by.clone(), "leads past the largest number");
    Some(match (number.as_i64(), by.as_i64()) {
        (Some(a), Some(b)) => a.checked_add(b).map(Value::from).ok_or_else(too_large),
        _ => {
            let sum = number.as_f64().unwrap_or(f64::NAN) + by.as_f64().unwrap_or(f64::NAN);
            serde_json::Number::from_f64(sum).map(Value::Number).ok_or_else(too_large)
        }
    })
}

impl Change for RecordUpdate {
    type Output = UpdateRecorded;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<UpdateRecorded> {
        id::check_name("operation", &self.operation)?;
        id::check_name("item_id", &self.item_id)?;
        cx.acting("agent_id", Some(&self.agent_id))?;
        cx.check_metadata("metadata", self.metadata.as_ref())?;
        let place = Place {
            agent_id: Some(self.agent_id.clone()),
            subject: Some(self.item_id.clone()),
            ..Place::default()
        };
        let seq = cx.emit(
            RECORDED,
            place,
            Recorded {
                operation: self.operation.clone(),
                item_id: self.item_id.clone(),
                agent_id: self.agent_id.clone(),
                metadata: self.metadata.clone(),
            },
        );
        Ok(UpdateRecorded { seq })
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Ends a key whose time is up, if it is still the version that was seen. The keeper's, not the table's.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Expire {
    pub key: String,
    pub version: u64,
}

impl Change for Expire {
    type Output = bool;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<bool> {
        let due = |entry: &Entry| {
            entry.version == self.version
                && !entry.deleted
                && entry.expires_at.is_some_and(|at| at <= cx.steady)
        };
        if !tables::head(cx.db, &self.key)?.is_some_and(|entry| due(&entry)) {
            return Ok(false);
        }
        let before = Before { by: Principal::Process, head: tables::head_only(cx.db, &self.key, cx.steady)? };
        let entry = Entry { deleted: true, ..before.next(cx, cx.upcoming_seq(), &self.key, Json::null()) };
        cx.emit(DELETED, place(&entry), entry);
        Ok(true)
    }
}
