//! One noun, one name: a room that is called after no noun fills with what has no home.

use crate::house::{File, Violation};

/// Names that say nothing about what is inside.
pub const NO_NOUNS: [&str; 5] = ["common", "util", "utils", "misc", "helpers"];

/// Files and folders with such a name.
pub fn rooms_without_a_noun(file: &File) -> Vec<Violation> {
    let stem = |part: &str| part.split('.').next().unwrap_or_default().to_lowercase();
    let nameless = file.path.split('/').map(stem).find(|stem| NO_NOUNS.contains(&stem.as_str()));
    let advice =
        |name| format!("`{name}` is no noun: call it after what it does, or move each piece to its user");
    nameless.map(|name| Violation::at(file, 1, advice(name))).into_iter().collect()
}
