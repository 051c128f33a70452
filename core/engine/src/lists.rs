//! Lists in pages: `limit`, an opaque `cursor`, and `max_tokens` for readers with a small context.

use serde::Serialize;

use crate::error::{Code, Error, Result};

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

/// Tokens that JSON text of this many bytes is reckoned as: a quarter of the bytes, rounded up. An estimate: every model
/// counts in its own way, and English text has about four bytes a token.
pub(crate) fn tokens(bytes: usize) -> u64 {
    bytes.div_ceil(4) as u64
}

/// What is left of `max_tokens` while an answer is put together. The first item that does not fit ends it, so that what
/// is left out lies behind what is given.
pub(crate) struct Budget {
    most: Option<u64>,
    left: u64,
    begun: bool,
}

impl Budget {
    pub fn new(max_tokens: Option<u64>) -> Result<Budget> {
        if max_tokens == Some(0) {
            return Err(Error::invalid("max_tokens", 0, "must be at least 1"));
        }
        Ok(Budget { most: max_tokens, left: max_tokens.unwrap_or(0), begun: false })
    }

    /// Whether an item of this many bytes still fits; if so, it is paid for.
    ///
    /// # Errors
    ///
    /// `limit_exceeded` when not even the first one fits: an empty answer would read as if there were nothing.
    pub fn take(&mut self, bytes: usize) -> Result<bool> {
        let Some(most) = self.most else { return Ok(true) };
        let needs = tokens(bytes);
        if let Some(rest) = self.left.checked_sub(needs) {
            self.left = rest;
            self.begun = true;
            return Ok(true);
        }
        if self.begun {
            self.left = 0;
            return Ok(false);
        }
        let says = format!("max_tokens: the first entry alone takes about {needs} tokens; got {most}");
        Err(Error::new(Code::LimitExceeded, says)
            .with("field", "max_tokens")
            .with("limit_name", "tokens of an answer")
            .with("limit", most)
            .with("value", needs)
            .hint(format!("ask for at least {needs}, or read that entry by itself")))
    }
}

/// The items that fit into `max_tokens`, from the first on, and how many were left out.
pub(crate) fn fit<T: Serialize>(mut items: Vec<T>, max_tokens: Option<u64>) -> Result<(Vec<T>, u64)> {
    let mut budget = Budget::new(max_tokens)?;
    if max_tokens.is_none() {
        return Ok((items, 0));
    }
    let mut fitting = 0;
    for item in &items {
        if !budget.take(bytes(item)?)? {
            break;
        }
        fitting += 1;
    }
    let left_out = (items.len() - fitting) as u64;
    items.truncate(fitting);
    Ok((items, left_out))
}

/// How long an item is as JSON.
pub(crate) fn bytes<T: Serialize>(item: &T) -> Result<usize> {
    let text = serde_json::to_vec(item);
    text.map(|text| text.len()).map_err(|e| Error::internal(format!("an answer could not be written: {e}")))
}

/// How many items the pages before gave, of a list in an order that no item shows.
pub(crate) fn passed(cursor: Option<&str>) -> Result<usize> {
    Ok(seq_place(cursor)?.map_or(0, |passed| passed.min(i64::MAX as u64) as usize))
}

/// One page of a list.
pub(crate) struct Paged<T> {
    pub items: Vec<T>,
    pub left_out: u64,
    pub next_cursor: Option<String>,
}

/// The page of these items, of which there are `more`: cut to what fits, with the cursor that goes on after the last.
pub(crate) fn page<T: Serialize>(
    items: Vec<T>,
    more: bool,
    max_tokens: Option<u64>,
    place: impl Fn(&T) -> String,
) -> Result<Paged<T>> {
    let (items, left_out) = fit(items, max_tokens)?;
    let next_cursor = items.last().filter(|_| more || left_out > 0).map(|last| cursor(&place(last)));
    Ok(Paged { items, left_out, next_cursor })
}

/// The page of such a list: of up to `size` items and one more, if there are more.
pub(crate) fn page_past<T: Serialize>(
    mut items: Vec<T>,
    passed: usize,
    size: usize,
    max_tokens: Option<u64>,
) -> Result<Paged<T>> {
    let found = items.len();
    items.truncate(size);
    let (items, left_out) = fit(items, max_tokens)?;
    let next = passed.saturating_add(items.len());
    let next_cursor = (found > items.len()).then(|| cursor(&next.to_string()));
    Ok(Paged { items, left_out, next_cursor })
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
