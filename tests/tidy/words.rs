//! Words that do not belong in what is handed on. They are put together from pieces here, so that this
//! file passes its own check.

use crate::house::{File, Violation};

const CODE: [&str; 9] = ["rs", "py", "pyi", "ts", "tsx", "js", "sh", "sql", "toml"];

/// What puts work off, or hides a test that fails.
pub fn later_words() -> [String; 10] {
    let pieces = [
        ["TO", "DO"],
        ["FIX", "ME"],
        ["X", "XX"],
        ["to", "do!"],
        ["unimple", "mented!"],
        ["#[ig", "nore"],
        ["pytest.", "skip"],
        ["mark.", "skip("],
        ["test.", "skip"],
        ["it.", "skip"],
    ];
    pieces.map(|piece| piece.concat())
}

/// Where one machine keeps its people and its work.
pub fn home_folders() -> [String; 3] {
    ["root", "work", "home"].map(|name| format!("/{name}/"))
}

/// Code that says something is still to be done, or a test that is switched off.
pub fn left_for_later(file: &File) -> Vec<Violation> {
    if !file.is_one_of(&CODE) || !file.is_hand_written() {
        return Vec::new();
    }
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let advice =
        |word: &str| format!("`{word}` is left behind: do it now, or write down why not without the word");
    lines_with(file, &later_words(), is_word, advice)
}

/// An absolute path that exists on one machine only. Generated files are checked too.
pub fn paths_of_one_machine(file: &File) -> Vec<Violation> {
    let continues_a_path = |c: char| c.is_alphanumeric() || "_-.~/*})$".contains(c);
    let advice =
        |folder: &str| format!("`{folder}` is a path of one machine: make it relative, or a setting");
    lines_with(file, &home_folders(), continues_a_path, advice)
}

/// The lines on which one of the `needles` stands by itself: not as a part of a longer word.
fn lines_with(
    file: &File,
    needles: &[String],
    is_word: impl Fn(char) -> bool,
    advice: impl Fn(&str) -> String,
) -> Vec<Violation> {
    let mut found = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        if let Some(needle) = needles.iter().find(|needle| stands_alone(line, needle, &is_word)) {
            found.push(Violation::at(file, index + 1, advice(needle)));
        }
    }
    found
}

fn stands_alone(line: &str, needle: &str, is_word: impl Fn(char) -> bool) -> bool {
    let ends_in_word = needle.chars().last().is_some_and(char::is_alphanumeric);
    line.match_indices(needle).any(|(start, _)| {
        let before = line.get(..start).and_then(|part| part.chars().next_back());
        let after = line.get(start + needle.len()..).and_then(|part| part.chars().next());
        let continues = ends_in_word && after.is_some_and(&is_word);
        !before.is_some_and(&is_word) && !continues
    })
}
