//! Lists in pages: `limit` and an opaque `cursor`.

use crate::error::{Error, Result};

/// Items of a page when the call does not say.
pub const DEFAULT_LIMIT: u64 = 100;
/// The most items of a page.
pub const MAX_LIMIT: u64 = 1_000;

/// How many items a page has.
pub(crate) fn page_size(limit: Option<u64>) -> Result<usize> {
    match limit.unwrap_or(DEFAULT_LIMIT) {
        limit @ 1..=MAX_LIMIT => Ok(limit as usize),
        0 => Err(Error::invalid("limit", 0, format_args!("must be from 1 to {MAX_LIMIT}"))),
        limit => Err(Error::field_limit("limit", "items of a page", MAX_LIMIT, limit)),
    }
}

/// Tokens that JSON text of this many bytes is reckoned as: a quarter of the bytes, rounded up.
pub(crate) fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(4) as u64
}

/// What is left of `max_tokens` while an answer is put together. The first item that does not fit ends it.
pub(crate) struct Budget(Option<u64>);

impl Budget {
    pub fn new(max_tokens: Option<u64>) -> Result<Budget> {
        if max_tokens == Some(0) {
            return Err(Error::invalid("max_tokens", 0, "must be at least 1"));
        }
        Ok(Budget(max_tokens))
    }

    /// Whether an item of this many bytes still fits; if so, it is paid for.
    pub fn take(&mut self, bytes: usize) -> bool {
        let Some(left) = self.0 else { return true };
        let rest = left.checked_sub(tokens(bytes));
        self.0 = Some(rest.unwrap_or(0));
        rest.is_some()
    }
}

/// The cursor that goes on after this place; a place is any text that the list orders by.
pub(crate) fn cursor(place: &str) -> String {
    place.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The place that a cursor stands for.
pub(crate) fn place(cursor: &str) -> Result<String> {
    let bad = || Error::invalid("cursor", cursor, "must be the next_cursor of an earlier answer");
    if !cursor.len().is_multiple_of(2) || !cursor.is_ascii() || cursor.len() > 4_096 {
        return Err(bad());
    }
    let bytes = (0..cursor.len())
        .step_by(2)
        .map(|at| cursor.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect::<Option<Vec<u8>>>()
        .ok_or_else(bad)?;
    String::from_utf8(bytes).map_err(|_| bad())
}

/// The `seq` that a cursor stands for.
pub(crate) fn seq_place(cursor: Option<&str>) -> Result<Option<u64>> {
    let Some(cursor) = cursor else { return Ok(None) };
    let seq = place(cursor)?.parse();
    seq.map(Some)
        .map_err(|_| Error::invalid("cursor", cursor, "must be the next_cursor of an earlier answer"))
}
