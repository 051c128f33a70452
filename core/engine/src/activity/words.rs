//! What of an activity is searched, and whether words are in one that no index knows yet.

use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;

use super::Activity;
use crate::error::Result;

/// The text that an activity is found by: its type, and the names and texts in its metadata.
pub(crate) fn text_of(activity: &Activity) -> String {
    let mut text = activity.activity_type.clone();
    gather(&activity.metadata.to_value(), &mut text);
    text
}

fn gather(value: &Value, text: &mut String) {
    let mut add = |word: &str| {
        text.push('\n');
        text.push_str(word);
    };
    match value {
        Value::String(word) => add(word),
        Value::Number(number) => add(&number.to_string()),
        Value::Array(items) => items.iter().for_each(|item| gather(item, text)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            text.push('\n');
            text.push_str(name);
            gather(value, text);
        }),
        Value::Bool(_) | Value::Null => {}
    }
}

/// Words that are looked for, one activity at a time. The same search as that of the index, over one text.
pub(crate) struct Words {
    db: Connection,
    query: String,
}

impl Words {
    pub fn new(query: String) -> Result<Words> {
        let db = Connection::open_in_memory()?;
        db.execute_batch(
            "CREATE VIRTUAL TABLE one USING fts5 (words, tokenize = 'unicode61 remove_diacritics 2')",
        )?;
        Ok(Words { db, query })
    }

    /// Whether they are all in the activity.
    pub fn are_in(&self, activity: &Activity) -> Result<bool> {
        self.db.prepare_cached("DELETE FROM one WHERE rowid = 1")?.execute([])?;
        self.db
            .prepare_cached("INSERT INTO one (rowid, words) VALUES (1, ?1)")?
            .execute([text_of(activity)])?;
        let found = self
            .db
            .prepare_cached("SELECT 1 FROM one WHERE one MATCH ?1")?
            .query_row([&self.query], |_| Ok(()));
        Ok(found.optional()?.is_some())
    }
}
