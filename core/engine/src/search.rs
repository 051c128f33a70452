//! Full-text search, fed behind the log.
//!
//! Indexing inside the write transaction would double the cost of every write. Instead the indexes follow the log up to
//! `fts_upto`, and a search first catches up.

use rusqlite::params;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::error::{Error, Result};
use crate::log;
use crate::pipeline::command::{Change, Class};
use crate::pipeline::decide::Decide;
use crate::principal::Principal;

/// Events that one step looks at: a step stays well under the time of a batch.
const STEP: usize = 500;

/// Brings the indexes up to the end of the log.
pub(crate) fn catch_up(core: &Core) -> Result<()> {
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
            match event.kind.split_once('.') {
                Some(("memory", _)) => crate::memory::search::index(cx.db, event)?,
                Some(("message", _)) => crate::messages::search::index(cx.db, event)?,
                _ => {}
            }
        }
        cx.db.prepare_cached("UPDATE fts_upto SET seq = ?1")?.execute(params![last as i64])?;
        Ok(events.len() < STEP)
    }
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
