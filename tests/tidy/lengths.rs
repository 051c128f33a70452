//! Rooms are small: a file can be read in one sitting, a function without scrolling.

use crate::house::{File, Violation};
use crate::rust_code::functions;

const LONGEST_FILE: usize = 500;
const LONGEST_FUNCTION: usize = 70;
/// A test tells a story from beginning to end, and may take longer over it.
const LONGEST_TEST: usize = 100;

/// Hand-written source files with too many lines.
pub fn long_files(file: &File) -> Vec<Violation> {
    let lines = file.text.lines().count();
    if !file.is_one_of(&["rs", "py", "ts", "tsx"]) || !file.is_hand_written() || lines <= LONGEST_FILE {
        return Vec::new();
    }
    let advice = format!("{lines} lines, {LONGEST_FILE} at most: give one of its subjects a file of its own");
    vec![Violation::at(file, lines, advice)]
}

/// Rust functions with too many lines, signature and braces included.
pub fn long_functions(file: &File) -> Vec<Violation> {
    if !file.is_one_of(&["rs"]) || !file.is_hand_written() {
        return Vec::new();
    }
    let in_tests = file.path.split('/').any(|part| part == "tests");
    let most = if in_tests { LONGEST_TEST } else { LONGEST_FUNCTION };
    let too_long = functions(&file.text).into_iter().filter(|function| function.lines > most);
    let advice =
        |name: &str, lines| format!("fn {name} has {lines} lines, {most} at most: name a step of it");
    too_long
        .map(|function| Violation::at(file, function.line, advice(&function.name, function.lines)))
        .collect()
}
