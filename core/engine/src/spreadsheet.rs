//! Cells of CSV that a spreadsheet may open.
//!
//! Spreadsheets run what begins like a formula, and what agents write is data. Such a cell gets an apostrophe in front,
//! which spreadsheets take as *this is text* and do not show. Numbers stay numbers.

use std::borrow::Cow;

/// The text as a cell: with an apostrophe in front where a spreadsheet would run it.
///
/// ```
/// use folkmoot_engine::spreadsheet::safe_cell;
///
/// assert_eq!(safe_cell("=1+1"), "'=1+1");
/// assert_eq!(safe_cell("@SUM(A1)"), "'@SUM(A1)");
/// assert_eq!(safe_cell("-12.5"), "-12.5");
/// assert_eq!(safe_cell("a plan"), "a plan");
/// ```
pub fn safe_cell(text: &str) -> Cow<'_, str> {
    // The wide forms are run, too, by spreadsheets set to East Asian languages.
    let runs = |c: char| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠');
    match text.chars().next() {
        Some(first) if runs(first) && !is_number(text) => Cow::Owned(format!("'{text}")),
        _ => Cow::Borrowed(text),
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit()) && digits.parse::<f64>().is_ok()
}
