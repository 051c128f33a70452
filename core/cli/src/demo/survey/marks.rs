//! Words that put work off.

use super::Mark;

/// The words, in two pieces so that this file holds none.
const WORDS: [&str; 4] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX"), concat!("HA", "CK")];
/// How much of a marked line is kept.
const LONGEST: usize = 100;

/// The lines of a file on which such a word stands by itself.
pub fn of(path: &str, text: &str) -> Vec<Mark> {
    let marked = |line: &str| WORDS.iter().find(|word| stands_alone(line, word)).copied();
    text.lines()
        .enumerate()
        .filter_map(|(at, line)| {
            marked(line).map(|word| Mark {
                word: word.to_owned(),
                path: path.to_owned(),
                line: at as u64 + 1,
                text: crate::output::shorten(line.trim(), LONGEST),
            })
        })
        .collect()
}

fn stands_alone(line: &str, word: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        let before = line.get(..start).and_then(|text| text.chars().next_back());
        let after = line.get(start + word.len()..).and_then(|text| text.chars().next());
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_a_word_by_itself() {
        let word = WORDS.first().copied().unwrap_or_default();
        let text = format!("// {word}: later\nfine\nMY_{word}S\n{word}\n");
        let lines: Vec<u64> = of("a.rs", &text).iter().map(|mark| mark.line).collect();
        assert_eq!(lines, [1, 4]);
    }
}
