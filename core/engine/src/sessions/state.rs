//! The shared state of a session: one JSON object with versions, changed by patches.
//!
//! A patch that names an `expected_version` holds only if that is still the newest. With `merge`, what others have done
//! since is merged field by field: a patch to fields that nobody else has changed since holds, a patch to a field that
//! someone has changed is a conflict that names the field. A *field* is a value reached through objects; a list is one
//! field. A patch to `/plan` touches all that is below it, and so does taking it away. What was changed since is read
//! back from the log, version by version; once retention has taken one of those events, or more than 1,000 versions lie
//! between, it cannot be told any more, and the merge is refused.

use rusqlite::{Connection, OptionalExtension};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::events::STATE_CHANGED;
use super::{access, fields, tables};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::json::Json;
use crate::messages::commands::no_metadata;
use crate::pipeline::command::{Change, Query};
use crate::pipeline::decide::Decide;
use crate::principal::Principal;
use crate::storage::Reader;

/// How many versions back a merge looks.
const MOST_VERSIONS: usize = 1_000;

/// The shared state of a session, at one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SharedState {
    /// The session.
    pub session_id: String,
    /// 0 before the first change, then one more with each.
    pub version: u64,
    /// The whole state: a JSON object of the users' own.
    pub state: Json,
    /// The fields that this version changed, as JSON pointers; the empty one stands for the whole.
    pub fields: Vec<String>,
    /// Who changed it; null for the process or an operator.
    pub updated_by: Option<String>,
    /// When; null before the first change.
    pub updated_at: Option<Time>,
    /// The `seq` of the event of this version; 0 before the first.
    pub seq: u64,
    /// The `seq` of the event of the version before.
    pub previous_seq: Option<u64>,
}

impl SharedState {
    /// The first version, of a session that is just being started.
    pub(crate) fn first(cx: &Decide<'_>, session_id: &str, by: Option<String>, state: Json) -> SharedState {
        let fields = fields::changed(&Value::Object(serde_json::Map::new()), &state.to_value());
        let unchanged = unchanged(session_id);
        let (seq, updated_at) = (cx.upcoming_seq(), Some(cx.now));
        SharedState { version: 1, state, fields, updated_by: by, updated_at, seq, ..unchanged }
    }
}

/// The state before anyone has changed it.
fn unchanged(session_id: &str) -> SharedState {
    SharedState {
        session_id: session_id.to_owned(),
        version: 0,
        state: no_metadata(),
        fields: Vec::new(),
        updated_by: None,
        updated_at: None,
        seq: 0,
        previous_seq: None,
    }
}

/// The state as it stands.
pub(crate) fn current(db: &Connection, session_id: &str) -> Result<SharedState> {
    Ok(tables::state(db, session_id)?.unwrap_or_else(|| unchanged(session_id)))
}

/// Refuses a state that is too large, too deep or no object.
pub(crate) fn check(cx: &Decide<'_>, field: &str, state: &Json) -> Result<()> {
    cx.check_value(field, state)?;
    match state.to_value() {
        Value::Object(_) => Ok(()),
        other => Err(Error::invalid(field, other, "must be, and stay, a JSON object")),
    }
}

/// Input of `session.get_state`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetState {
    /// The session.
    pub session_id: String,
}

impl Query for GetState {
    type Output = SharedState;

    fn read(&self, cx: &Reader<'_>, by: &Principal) -> Result<SharedState> {
        access::readable(cx.db, by, &self.session_id)?;
        current(cx.db, &self.session_id)
    }
}

/// Input of `session.patch_state`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchState {
    /// The session.
    pub session_id: String,
    /// Who changes it: a participant.
    pub agent_id: String,
    /// An object is a JSON merge patch (RFC 7396): fields to set, null to take one away. A list is a JSON patch (RFC
    /// 6902): operations, all of which hold or none. A patch that changes nothing makes no new version.
    pub patch: Json,
    /// Change only if the state is at this version; the newest, whichever it is, when left out.
    #[serde(default)]
    pub expected_version: Option<u64>,
    /// Where others have changed the state since `expected_version`: merge field by field instead of refusing. Only a
    /// field that they changed too is then a conflict. False when left out.
    #[serde(default)]
    pub merge: Option<bool>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl PatchState {
    /// Refuses the patch if what it was made for is no longer so.
    fn expect(&self, cx: &Decide<'_>, now: &SharedState, patch: &Value, document: &Value) -> Result<()> {
        let merge = self.merge == Some(true);
        let Some(expected) = self.expected_version else {
            if !merge {
                return Ok(());
            }
            let must = "must be given with merge: what has changed since that version is merged";
            return Err(Error::invalid("expected_version", Value::Null, must));
        };
        if expected == now.version {
            return Ok(());
        }
        let (id, version) = (&self.session_id, now.version);
        let moved = |why: String| {
            Error::conflict(
                format!("the state of session {id:?} is at version {version}, not {expected}{why}"),
                now,
            )
            .with("current_version", version)
            .with("expected_version", expected)
        };
        if !merge || expected > now.version {
            return Err(moved(String::new())
                .with("field", "expected_version")
                .hint("read the state, make the patch anew, or give merge"));
        }
        let Some(theirs) = changed_since(cx.db, now, expected)? else {
            return Err(moved(", and what has changed since is no longer kept".to_owned())
                .with("field", "expected_version")
                .hint("read the state and make the patch anew"));
        };
        let ours = match patch {
            Value::Array(_) => fields::named_by_operations(patch, document),
            _ => fields::named_by_merge(patch),
        };
        let both: Vec<String> =
            theirs.into_iter().filter(|field| ours.iter().any(|our| fields::overlap(our, field))).collect();
        if both.is_empty() {
            return Ok(());
        }
        Err(moved(format!(", and others have changed {} since", both.join(", ")))
            .with("field", "patch")
            .with("fields", both)
            .hint("read the state and make the patch of these fields anew"))
    }

    fn apply(&self, now: &SharedState, patch: &Value, document: &mut Value) -> Result<()> {
        if let Value::Object(_) = patch {
            json_patch::merge(document, patch);
            return Ok(());
        }
        let operations: json_patch::Patch = match patch {
            Value::Array(_) => serde_json::from_value(patch.clone()).map_err(|error| {
                Error::invalid("patch", patch.clone(), format_args!("is no JSON patch: {error}"))
            })?,
            _ => {
                let must = "must be an object (a JSON merge patch) or a list (a JSON patch)";
                return Err(Error::invalid("patch", patch.clone(), must));
            }
        };
        json_patch::patch(document, &operations).map_err(|error| {
            let (at, version) = (error.operation, now.version);
            Error::conflict(
                format!("operation {at} of the patch does not hold at version {version}: {error}"),
                now,
            )
            .with("field", format!("patch[{at}]"))
            .with("current_version", version)
        })
    }
}

/// The fields that were changed after a version; `None` when that is no longer known.
fn changed_since(db: &Connection, now: &SharedState, version: u64) -> Result<Option<Vec<String>>> {
    let mut statement = db.prepare_cached(
        "SELECT data ->> '$.version', data ->> '$.previous_seq', data -> '$.fields' FROM event WHERE seq = ?1",
    )?;
    let (mut at, mut previous) = (now.version, now.previous_seq);
    let mut changed = now.fields.clone();
    for _ in 0..MOST_VERSIONS {
        if at <= version + 1 {
            changed.sort();
            changed.dedup();
            return Ok(Some(changed));
        }
        let Some(seq) = previous else { return Ok(None) };
        let found: Option<(i64, Option<i64>, String)> = statement
            .query_row([seq as i64], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((older, before, fields)) = found else { return Ok(None) };
        (at, previous) = (older as u64, before.map(|seq| seq as u64));
        changed.extend(tables::read::<Vec<String>>(&fields)?);
    }
    Ok(None)
}

impl Change for PatchState {
    type Output = SharedState;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<SharedState> {
        cx.check_value("patch", &self.patch)?;
        let wanted = "its state can no longer be changed";
        let (session, _) = access::within(cx, &self.session_id, Some(&self.agent_id), wanted)?;
        let now = current(cx.db, &self.session_id)?;
        let (patch, before) = (self.patch.to_value(), now.state.to_value());
        self.expect(cx, &now, &patch, &before)?;
        let mut after = before.clone();
        self.apply(&now, &patch, &mut after)?;
        let state = Json::from(after);
        check(cx, "state", &state)?;
        let fields = fields::changed(&before, &state.to_value());
        if fields.is_empty() {
            return Ok(now);
        }
        let next = SharedState {
            session_id: now.session_id,
            version: now.version + 1,
            state,
            fields,
            updated_by: Some(self.agent_id.clone()),
            updated_at: Some(cx.now),
            seq: cx.upcoming_seq(),
            previous_seq: (now.seq > 0).then_some(now.seq),
        };
        cx.emit(STATE_CHANGED, session.place(Some(&self.agent_id), &[]), next.clone());
        Ok(next)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}
