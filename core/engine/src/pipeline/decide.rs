//! What a decision may look at, and the events it proposes.
//!
//! Time, ids and randomness are handed in. A decision reads the tables inside the write transaction and proposes events
//! with [`Decide::emit`]; the events are written and applied after it has answered.

use rusqlite::Connection;

use crate::clock::Time;
use crate::config::HubConfig;
use crate::error::{Error, Result};
use crate::events::event::{Body, Draft, Place};
use crate::id::Ids;
use crate::json::Json;
use crate::leases::LeaseWatch;
use crate::principal::Principal;

/// The surroundings of one decision.
pub struct Decide<'a> {
    /// The tables, inside the write transaction.
    pub db: &'a Connection,
    /// The wall clock at the start of the batch.
    pub now: Time,
    /// The same without its jumps: deadlines are set and judged by it.
    pub steady: Time,
    /// The boot clock, by which leases are judged.
    pub boot: std::time::Duration,
    /// On whose behalf.
    pub by: &'a Principal,
    /// The hub's configuration.
    pub config: &'a HubConfig,
    /// What this process has seen of the leases.
    pub(crate) leases: &'a LeaseWatch,
    /// This process's incarnation.
    pub(crate) holder: &'a str,
    /// The hub's identity, which ids of events hold.
    pub(crate) hub: [u8; 6],
    pub(crate) ids: &'a mut dyn Ids,
    pub(crate) next_seq: u64,
    pub(crate) drafts: Vec<Draft>,
}

impl Decide<'_> {
    /// Proposes an event; answers the `seq` that it will have.
    pub fn emit(&mut self, kind: &'static str, place: Place, body: impl Body + 'static) -> u64 {
        let seq = self.upcoming_seq();
        self.drafts.push(Draft { kind, place, body: Box::new(body), answers: false, relaxed: false });
        seq
    }

    /// Like [`Decide::emit`], of an event whose data is, as JSON, what the command answers.
    pub fn emit_answer(&mut self, kind: &'static str, place: Place, body: impl Body + 'static) -> u64 {
        let seq = self.emit(kind, place, body);
        if let Some(draft) = self.drafts.last_mut() {
            draft.answers = true;
        }
        seq
    }

    /// Proposes an event that is kept for minutes only, whatever the class of the operation.
    pub fn emit_relaxed(&mut self, kind: &'static str, place: Place, body: impl Body + 'static) -> u64 {
        let seq = self.emit(kind, place, body);
        if let Some(draft) = self.drafts.last_mut() {
            draft.relaxed = true;
        }
        seq
    }

    /// The `seq` that the next proposed event will have.
    pub fn upcoming_seq(&self) -> u64 {
        self.next_seq + self.drafts.len() as u64
    }

    /// A new id, or the one that the caller gave, checked.
    pub fn id_or_new(&mut self, field: &str, given: Option<&str>) -> Result<String> {
        match given {
            Some(id) => crate::id::check_name(field, id).map(|()| id.to_owned()),
            None => Ok(self.ids.next(self.now)),
        }
    }

    /// A random number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.ids.below(bound)
    }

    /// The agent on whose behalf the input says it acts.
    pub fn acting(&self, field: &str, agent_id: Option<&str>) -> Result<Principal> {
        self.by.acting(field, agent_id)
    }

    /// Refuses a value that is too large or too deep.
    pub fn check_value(&self, field: &str, value: &Json) -> Result<()> {
        value.check(field, "bytes of a value", self.config.max_value_bytes, self.config.max_json_depth)
    }

    /// Refuses metadata that is too large, too deep or no object.
    pub fn check_metadata(&self, field: &str, metadata: Option<&Json>) -> Result<()> {
        let Some(metadata) = metadata else { return Ok(()) };
        metadata.check(
            field,
            "bytes of metadata",
            self.config.max_metadata_bytes,
            self.config.max_json_depth,
        )?;
        if !metadata.text().trim_start().starts_with('{') {
            return Err(Error::invalid(field, metadata.to_value(), "must be a JSON object"));
        }
        Ok(())
    }

    /// Refuses a text that is too long or holds a NUL.
    pub fn check_text(&self, field: &str, text: &str) -> Result<()> {
        if text.len() as u64 > self.config.max_text_bytes {
            return Err(Error::field_limit(
                field,
                "bytes of a text",
                self.config.max_text_bytes,
                text.len() as u64,
            ));
        }
        if text.contains('\0') {
            return Err(Error::invalid(field, text, "must not hold a NUL character"));
        }
        Ok(())
    }

    /// Refuses a list that is too long.
    pub fn check_count(&self, field: &str, count: usize) -> Result<()> {
        if count as u64 > self.config.max_items {
            return Err(Error::field_limit(field, "items of a list", self.config.max_items, count as u64));
        }
        Ok(())
    }

    /// Refuses a span of seconds outside what makes sense.
    pub fn check_seconds(&self, field: &str, seconds: f64, least: f64) -> Result<()> {
        const MOST: f64 = 366.0 * 86_400.0;
        if seconds.is_finite() && (least..=MOST).contains(&seconds) {
            return Ok(());
        }
        Err(Error::invalid(field, seconds, format_args!("must be from {least} to {MOST} seconds")))
    }
}
