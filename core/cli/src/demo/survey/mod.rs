//! What the demo's team finds out about a folder: the measuring itself, without any hub.
//!
//! Everything is computed from the files and says how: lines are lines, functions are told by their first line and
//! measured by indentation, a module's purpose is the first sentence of its own documentation.

pub mod functions;
pub mod items;
pub mod languages;
pub mod marks;
pub mod walk;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Files and lines of one language, or of all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// How many files.
    pub files: u64,
    /// How many lines they have together.
    pub lines: u64,
}

/// What counting gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// By language.
    pub languages: BTreeMap<String, Lines>,
}

impl Count {
    /// Counts one file.
    pub fn add(&mut self, path: &str, text: &str) {
        let of = self.languages.entry(languages::of(path).to_owned()).or_default();
        of.files += 1;
        of.lines += text.lines().count() as u64;
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Count) {
        for (language, lines) in &other.languages {
            let of = self.languages.entry(language.clone()).or_default();
            of.files += lines.files;
            of.lines += lines.lines;
        }
    }

    /// All languages together.
    pub fn total(&self) -> Lines {
        self.languages.values().fold(Lines::default(), |sum, of| Lines {
            files: sum.files + of.files,
            lines: sum.lines + of.lines,
        })
    }

    /// The languages, the one with most lines first.
    pub fn by_size(&self) -> Vec<(&str, &Lines)> {
        let mut languages: Vec<_> = self.languages.iter().map(|(name, of)| (name.as_str(), of)).collect();
        languages.sort_by(|a, b| b.1.lines.cmp(&a.1.lines).then(a.0.cmp(b.0)));
        languages
    }
}

/// A function and how long it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Its file, from the folder that is surveyed.
    pub path: String,
    /// Its first line, counted from one.
    pub line: u64,
    /// How many lines it has.
    pub lines: u64,
}

/// A word that puts work off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The word.
    pub word: String,
    /// The file.
    pub path: String,
    /// The line, counted from one.
    pub line: u64,
    /// The line's text.
    pub text: String,
}

/// What inspecting gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// How many functions were found.
    pub functions: u64,
    /// The longest of them, the longest first.
    pub longest: Vec<Function>,
    /// How many lines hold a mark.
    pub marks: u64,
    /// The first of them.
    pub marked: Vec<Mark>,
}

/// How many functions and marks of a module are kept by name.
const KEPT: usize = 10;

impl Inspection {
    /// Inspects one file.
    pub fn add(&mut self, path: &str, text: &str) {
        let functions = functions::of(path, text);
        self.functions += functions.len() as u64;
        self.longest.extend(functions);
        let marks = marks::of(path, text);
        self.marks += marks.len() as u64;
        self.marked.extend(marks);
        self.keep();
    }

    /// Adds what was found elsewhere.
    pub fn merge(&mut self, other: &Inspection) {
        self.functions += other.functions;
        self.marks += other.marks;
        self.longest.extend(other.longest.iter().cloned());
        self.marked.extend(other.marked.iter().cloned());
        self.keep();
    }

    fn keep(&mut self) {
        self.longest.sort_by(|a, b| b.lines.cmp(&a.lines).then_with(|| a.path.cmp(&b.path)));
        self.longest.truncate(KEPT);
        self.marked.truncate(KEPT);
    }
}
