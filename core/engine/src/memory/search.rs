//! Finding keys by words.

use rusqlite::{Connection, OptionalExtension, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::{self, Right};
use super::{Entry, tables};
use crate::error::Result;
use crate::events::event::Event;
use crate::hub::{Check, Scope};
use crate::lists;
use crate::operations::Compose;
use crate::search::{catch_up, fts_query};

/// Follows one event of the log.
pub(crate) fn index(db: &Connection, event: &Event) -> Result<()> {
    let Some(key) = event.place.subject.as_deref() else { return Ok(()) };
    if event.kind != super::events::UPDATED && event.kind != super::events::DELETED {
        return Ok(());
    }
    let known: Option<i64> = db
        .prepare_cached("SELECT doc FROM memory_doc WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()?;
    if let Some(doc) = known {
        db.prepare_cached("DELETE FROM memory_fts WHERE rowid = ?1")?.execute([doc])?;
    }
    if event.kind == super::events::DELETED {
        db.prepare_cached("DELETE FROM memory_doc WHERE key = ?1")?.execute([key])?;
        return Ok(());
    }
    let doc = match known {
        Some(doc) => doc,
        None => {
            db.prepare_cached("INSERT INTO memory_doc (key) VALUES (?1)")?.execute([key])?;
            db.last_insert_rowid()
        }
    };
    let entry = tables::read(event.data.text())?;
    db.prepare_cached("INSERT INTO memory_fts (rowid, key, value) VALUES (?1, ?2, ?3)")?.execute(params![
        doc,
        key,
        entry.value.text()
    ])?;
    Ok(())
}

/// Input of `memory.search`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Words that must all be there; `word*` for beginnings.
    pub query: String,
    /// The start of the keys to look at.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Who reads; keys that this agent may not read are left out.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// At most this many, 1 to 1,000; 100 when left out.
    #[serde(default)]
    pub limit: Option<u64>,
    /// The `next_cursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
    /// At most this many tokens, reckoned as bytes of JSON / 4: the best that fit.
    #[serde(default)]
    pub max_tokens: Option<u64>,
}

/// Answer of `memory.search`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// The best first.
    pub hits: Vec<Hit>,
    /// How many of the page were left out for `max_tokens`; `next_cursor` goes on with them.
    pub left_out: u64,
    /// Give this as `cursor` for the next page; null at the end. What is written meanwhile may move its place.
    pub next_cursor: Option<String>,
}

/// One key that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hit {
    /// The entry.
    pub entry: Entry,
    /// Where the words stand, each between `**` and `**`.
    pub highlight: String,
}

impl Compose for Search {
    type Output = Found;

    fn compose(self, scope: &Scope<'_>, _: &mut Check<'_>) -> Result<Found> {
        let by = scope.by.acting("agent_id", self.agent_id.as_deref())?;
        let query = fts_query("query", &self.query)?;
        let size = lists::page_size(self.limit)?;
        let passed = lists::passed(self.cursor.as_deref())?;
        let prefix = self.prefix.as_deref().unwrap_or("");
        super::queries::check_prefix(prefix)?;
        catch_up(scope.core)?;
        scope.core.storage.read(|reader| {
            let mut statement = reader.db.prepare_cached(
                "SELECT d.key, snippet(memory_fts, -1, '**', '**', '…', 16) FROM memory_fts
                 JOIN memory_doc d ON d.doc = memory_fts.rowid WHERE memory_fts MATCH ?1
                 ORDER BY rank, d.doc",
            )?;
            let mut rows = statement.query([query])?;
            let (mut hits, mut seen) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                let key: String = row.get(0)?;
                if !key.starts_with(prefix) || !access::allowed(reader.db, &by, &key, Right::Read)? {
                    continue;
                }
                let Some(entry) = tables::live(reader.db, &key, reader.steady)? else { continue };
                seen += 1;
                if seen > passed {
                    hits.push(Hit { entry, highlight: row.get(1)? });
                }
                if hits.len() > size {
                    break;
                }
            }
            let page = lists::page_past(hits, passed, size, self.max_tokens)?;
            Ok(Found { hits: page.items, left_out: page.left_out, next_cursor: page.next_cursor })
        })
    }
}
