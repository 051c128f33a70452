//! Full-text search, fed behind the log.
//!
//! Indexing inside the write transaction would double the cost of every write. Instead the indexes follow the log up to
//! `fts_upto`, and a search first catches up.

use rusqlite::{Connection, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::error::{Error, Result};
use crate::events::event::{Event, Place};
use crate::json::Json;
use crate::log;
use crate::pipeline::command::{Change, Class};
use crate::pipeline::decide::Decide;
use crate::principal::Principal;

/// Events that one step looks at: a step stays well under the time of a batch.
const STEP: usize = 500;

/// Brings the indexes up to the end of the log.
pub(crate) fn catch_up(core: &Core) -> Result<()> {
    if let Some(past) = &core.past {
        return past.index();
    }
    if core.config.read_only {
        return Ok(());
    }
    let behind = core.storage.read(|reader| {
        let upto: i64 =
            reader.db.prepare_cached("SELECT seq FROM fts_upto")?.query_row([], |row| row.get(0))?;
        Ok((upto as u64) < log::head(reader.db)?.seq)
    })?;
    if !behind {
        return Ok(());
    }
    while !core.change("search.index", Class::Shared, &Principal::Process, IndexStep {})? {}
    Ok(())
}

/// Indexes the next events; answers whether that was all.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct IndexStep {}

impl Change for IndexStep {
    type Output = bool;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<bool> {
        let upto: i64 = cx.db.prepare_cached("SELECT seq FROM fts_upto")?.query_row([], |row| row.get(0))?;
        let events = log::read(cx.db, [0; 6], upto as u64, STEP)?;
        let Some(last) = events.last().map(|event| event.seq) else { return Ok(true) };
        for event in &events {
            index(cx.db, event)?;
        }
        cx.db.prepare_cached("UPDATE fts_upto SET seq = ?1")?.execute(params![last as i64])?;
        Ok(events.len() < STEP)
    }
}

fn index(db: &Connection, event: &Event) -> Result<()> {
    match event.kind.split_once('.') {
        Some(("memory", _)) => crate::memory::search::index(db, event),
        Some(("message", _)) => crate::messages::search::index(db, event),
        _ => Ok(()),
    }
}

/// Feeds empty indexes from the tables, each row as the event that would have made it: of a view of the past, whose log
/// does not reach back to all of them.
pub(crate) fn index_tables(db: &Connection) -> Result<()> {
    for (kind, rows) in [
        (crate::memory::events::UPDATED, "SELECT key, body FROM memory WHERE gone = 0"),
        (crate::messages::events::SENT, "SELECT NULL, body FROM message"),
    ] {
        let mut statement = db.prepare(rows)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let place = Place { subject: row.get(0)?, ..Place::default() };
            index(db, &Event::of(kind, place, Json::from_text(row.get(1)?)?))?;
        }
    }
    Ok(())
}

/// What the user typed as a query of FTS5: every word must be there, `word*` stands for its beginnings.
pub(crate) fn fts_query(field: &str, text: &str) -> Result<String> {
    const LONGEST: usize = 1_000;
    if text.len() > LONGEST {
        return Err(Error::field_limit(field, "bytes of a search", LONGEST as u64, text.len() as u64));
    }
    let words: Vec<String> = text
        .split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(|word| {
            let (stem, star) = word.strip_suffix('*').map_or((word, ""), |stem| (stem, "*"));
            format!("\"{}\"{star}", stem.replace('"', "\"\"").replace('\0', ""))
        })
        .collect();
    if words.is_empty() {
        return Err(Error::invalid(field, text, "must hold at least one word to look for"));
    }
    Ok(words.join(" "))
}
