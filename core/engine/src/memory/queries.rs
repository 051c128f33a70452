//! What reads memory.

use rusqlite::params;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::{self, Right};
use super::{Entry, MemoryError, tables};
use crate::error::Result;
use crate::hub::{Check, Scope};
use crate::id;
use crate::json::Json;
use crate::lists;
use crate::operations::Compose;
use crate::pipeline::command::Query;
use crate::principal::Principal;
use crate::storage::Reader;

/// Input of `memory.get`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Get {
    /// The key.
    pub key: String,
    /// A version instead of the newest.
    #[serde(default)]
    pub version: Option<u64>,
    /// Who reads; access control is that agent's.
    #[serde(default)]
    pub agent_id: Option<String>,
}

impl Get {
    /// The newest version of this key.
    pub fn new(key: &str) -> Get {
        Get { key: key.to_owned(), ..Get::default() }
    }
}

impl Compose for Get {
    type Output = Entry;

    fn compose(self, scope: &Scope<'_>, _: &mut Check<'_>) -> Result<Entry> {
        let by = scope.by.acting("agent_id", self.agent_id.as_deref())?;
        id::check_name("key", &self.key)?;
        if self.version.is_none() && by.agent_id().is_none() {
            return tables::read(&scope.core.cache.get(scope.core, &self.key)?);
        }
        scope.core.storage.read(|reader| {
            access::require(reader.db, &by, &self.key, Right::Read)?;
            let found = match self.version {
                None => tables::live(reader.db, &self.key, reader.steady)?,
                Some(version) => kept_version(reader, &self.key, version)?,
            };
            found.ok_or_else(|| unknown(&self.key, self.version))
        })
    }
}

/// One version of a key, if it is among those that are kept.
fn kept_version(cx: &Reader<'_>, key: &str, version: u64) -> Result<Option<Entry>> {
    let keep = cx.config.retain_versions as usize;
    let newest = tables::versions(cx.db, key, keep, version.saturating_add(1), 1)?;
    Ok(newest.into_iter().find(|entry| entry.version == version))
}

fn unknown(key: &str, version: Option<u64>) -> crate::Error {
    let error = crate::Error::from(MemoryError::Unknown(key.to_owned()));
    match version {
        Some(version) => {
            error.with("version", version).hint("memory.history lists the versions that are kept")
        }
        None => error,
    }
}

/// Input of `memory.get_many`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetMany {
    /// The keys, at most 1,000.
    pub keys: Vec<String>,
    /// Who reads.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// At most this many tokens, reckoned as bytes of JSON / 4: the first that fit.
    #[serde(default)]
    pub max_tokens: Option<u64>,
}

/// Answer of `memory.get_many`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Many {
    /// One for each key, in the order asked; null where nothing is.
    pub entries: Vec<Option<Entry>>,
    /// How many of the last keys were left out for `max_tokens`: ask for them again.
    pub left_out: u64,
}

impl Query for GetMany {
    type Output = Many;

    fn read(&self, cx: &Reader<'_>, by: &Principal) -> Result<Many> {
        let by = by.acting("agent_id", self.agent_id.as_deref())?;
        if self.keys.len() as u64 > cx.config.max_items {
            let most = cx.config.max_items;
            return Err(crate::Error::field_limit("keys", "items of a list", most, self.keys.len() as u64));
        }
        id::check_names("keys", &self.keys)?;
        let get = |key: &String| {
            access::require(cx.db, &by, key, Right::Read)?;
            tables::live(cx.db, key, cx.steady)
        };
        let entries = self.keys.iter().map(get).collect::<Result<_>>()?;
        let (entries, left_out) = lists::fit(entries, self.max_tokens)?;
        Ok(Many { entries, left_out })
    }
}

/// Input of `memory.list`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The start of the keys; all keys when left out.
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
    /// At most this many tokens, reckoned as bytes of JSON / 4: the first that fit.
    #[serde(default)]
    pub max_tokens: Option<u64>,
}

/// A page of entries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Page {
    /// The entries, in the order of their keys.
    pub entries: Vec<Entry>,
    /// How many of the page were left out for `max_tokens`; `next_cursor` goes on with them.
    pub left_out: u64,
    /// Give this as `cursor` for the next page; null at the end.
    pub next_cursor: Option<String>,
}

impl Query for List {
    type Output = Page;

    fn read(&self, cx: &Reader<'_>, by: &Principal) -> Result<Page> {
        let by = by.acting("agent_id", self.agent_id.as_deref())?;
        let prefix = self.prefix.as_deref().unwrap_or("");
        check_prefix(prefix)?;
        let size = lists::page_size(self.limit)?;
        let after = self.cursor.as_deref().map(lists::place).transpose()?.unwrap_or_default();
        let mut entries: Vec<Entry> = Vec::new();
        let mut more = false;
        let sql = "SELECT key, gone, body FROM memory WHERE key > ?1 AND key >= ?2 ORDER BY key";
        let mut statement = cx.db.prepare_cached(sql)?;
        let mut rows = statement.query(params![after, prefix])?;
        while let Some(row) = rows.next()? {
            let key: String = row.get(0)?;
            if !key.starts_with(prefix) {
                break;
            }
            if entries.len() == size {
                more = true;
                break;
            }
            let gone: bool = row.get(1)?;
            if !gone && access::allowed(cx.db, &by, &key, Right::Read)? {
                let entry = tables::read(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?)?;
                if tables::is_live(&entry, cx.steady) {
                    entries.push(entry);
                }
            }
        }
        let page = lists::page(entries, more, self.max_tokens, |entry| entry.key.clone())?;
        Ok(Page { entries: page.items, left_out: page.left_out, next_cursor: page.next_cursor })
    }
}

/// Refuses a prefix that no key can have. An empty one is that of all keys.
pub(crate) fn check_prefix(prefix: &str) -> Result<()> {
    id::check_optional("prefix", Some(prefix).filter(|prefix| !prefix.is_empty()))
}

/// Input of `memory.history`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The key.
    pub key: String,
    /// Who reads.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// At most this many, 1 to 1,000; 100 when left out.
    #[serde(default)]
    pub limit: Option<u64>,
    /// The `next_cursor` of the page before, for older versions.
    #[serde(default)]
    pub cursor: Option<String>,
    /// At most this many tokens, reckoned as bytes of JSON / 4: the newest that fit.
    #[serde(default)]
    pub max_tokens: Option<u64>,
}

/// Versions of one key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Versions {
    /// The versions that are kept, newest first; deletions among them.
    pub versions: Vec<Entry>,
    /// How many of the page were left out for `max_tokens`; `next_cursor` goes on with them.
    pub left_out: u64,
    /// Give this as `cursor` for older versions; null at the end of what is kept.
    pub next_cursor: Option<String>,
}

impl Query for History {
    type Output = Versions;

    fn read(&self, cx: &Reader<'_>, by: &Principal) -> Result<Versions> {
        let by = by.acting("agent_id", self.agent_id.as_deref())?;
        id::check_name("key", &self.key)?;
        access::require(cx.db, &by, &self.key, Right::Read)?;
        let size = lists::page_size(self.limit)?;
        let before = lists::seq_place(self.cursor.as_deref())?.unwrap_or(u64::MAX);
        let kept = cx.config.retain_versions as usize;
        let mut versions = tables::versions(cx.db, &self.key, kept, before, size + 1)?;
        if versions.is_empty() && self.cursor.is_none() {
            return Err(unknown(&self.key, None));
        }
        let more = versions.len() > size;
        versions.truncate(size);
        let page = lists::page(versions, more, self.max_tokens, |entry| entry.version.to_string())?;
        Ok(Versions { versions: page.items, left_out: page.left_out, next_cursor: page.next_cursor })
    }
}

/// Input of `memory.diff`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Diff {
    /// The key.
    pub key: String,
    /// The older version.
    pub from: u64,
    /// The newer version.
    pub to: u64,
    /// Who reads.
    #[serde(default)]
    pub agent_id: Option<String>,
}

/// What changed between two versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// The key.
    pub key: String,
    /// The older version.
    pub from: Entry,
    /// The newer version.
    pub to: Entry,
    /// A JSON patch (RFC 6902) that makes the newer value of the older one.
    pub patch: Json,
}

impl Query for Diff {
    type Output = Difference;

    fn read(&self, cx: &Reader<'_>, by: &Principal) -> Result<Difference> {
        let by = by.acting("agent_id", self.agent_id.as_deref())?;
        id::check_name("key", &self.key)?;
        access::require(cx.db, &by, &self.key, Right::Read)?;
        let version = |number: u64| {
            kept_version(cx, &self.key, number)?.ok_or_else(|| unknown(&self.key, Some(number)))
        };
        let (from, to) = (version(self.from)?, version(self.to)?);
        let patch = json_patch::diff(&from.value.to_value(), &to.value.to_value());
        let patch = serde_json::to_value(patch).map(Json::from).unwrap_or_default();
        Ok(Difference { key: self.key.clone(), from, to, patch })
    }
}
