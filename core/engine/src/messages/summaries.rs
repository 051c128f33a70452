//! `thread.summarize`: the digest, and what a summarizer makes of it.

use rusqlite::{Connection, params_from_iter};
use serde::Serialize;

use super::threads::{Digest, Summarize};
use super::{Message, tables};
use crate::error::{Error, Result};
use crate::hooks::{self, Summary};
use crate::hub::{Check, Scope};
use crate::id;
use crate::lists::MAX_LIMIT;
use crate::operations::Compose;

/// What a summarizer is given.
#[derive(Serialize)]
struct Matter<'a> {
    /// The extractive digest.
    digest: &'a Digest,
    /// The newest messages that fit the size of a value, the oldest of them first; at most 1,000.
    messages: &'a [Message],
    /// How many older ones were left out.
    left_out: u64,
}

impl Compose for Summarize {
    type Output = Digest;

    fn compose(self, scope: &Scope<'_>, check: &mut Check<'_>) -> Result<Digest> {
        id::check_optional("summarizer", self.summarizer.as_deref())?;
        let viewer = scope.by.agent_id();
        let mut digest = scope.core.storage.read(|reader| self.digest(reader.db, viewer))?;
        let matter = || {
            let room = scope.core.config.max_value_bytes as usize;
            let messages = scope.core.storage.read(|reader| self.newest(reader.db, viewer, room))?;
            let left_out = digest.message_count.saturating_sub(messages.len() as u64);
            let matter = Matter { digest: &digest, messages: &messages, left_out };
            serde_json::to_string(&matter).map_err(|error| Error::internal(error.to_string()))
        };
        let most = scope.core.config.max_text_bytes;
        match hooks::summarize(scope.core, scope.by, self.summarizer.as_deref(), most, matter, check)? {
            Summary::None => {}
            Summary::Written { by, text } => {
                digest.method = "summarizer".to_owned();
                digest.summarizer = Some(by);
                digest.summary = text;
            }
            Summary::Failed { by, why } => {
                digest.summary = format!("The summarizer {by:?} wrote nothing: {why}.\n{}", digest.summary);
                digest.summarizer = Some(by);
                digest.summarizer_error = Some(why);
            }
        }
        Ok(digest)
    }
}

impl Summarize {
    /// The newest messages whose JSON fits into this many bytes, in order.
    fn newest(&self, db: &Connection, viewer: Option<&str>, mut room: usize) -> Result<Vec<Message>> {
        let (sql, values) = self.selection().newest_first(viewer, None, MAX_LIMIT as usize);
        let mut statement = db.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        let mut messages = Vec::new();
        while let Some(row) = rows.next()?
            && messages.len() < MAX_LIMIT as usize
        {
            let body = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            let Some(rest) = room.checked_sub(body.len()) else { break };
            room = rest;
            messages.push(tables::read(body)?);
        }
        messages.reverse();
        Ok(messages)
    }
}
