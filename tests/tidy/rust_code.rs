//! Just enough of Rust's grammar to find where each function starts and ends.
//!
//! First everything that is no code (comments, strings, characters) is blanked out, line breaks kept;
//! after that, counting braces is enough.

/// A function with a body.
pub struct Function {
    pub name: String,
    /// Where `fn` stands, counted from one.
    pub line: usize,
    /// From `fn` to the closing brace, both included.
    pub lines: usize,
}

/// Every function with a body, nested ones too.
pub fn functions(text: &str) -> Vec<Function> {
    let code = blank_what_is_no_code(text);
    let starts = code.iter().enumerate().filter(|(at, _)| is_fn_keyword(&code, *at));
    starts.filter_map(|(at, _)| function_at(&code, at)).collect()
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn at(code: &[char], index: usize) -> char {
    code.get(index).copied().unwrap_or(' ')
}

fn is_fn_keyword(code: &[char], start: usize) -> bool {
    let stands_alone = start == 0 || !is_word(at(code, start - 1));
    stands_alone
        && at(code, start) == 'f'
        && at(code, start + 1) == 'n'
        && at(code, start + 2).is_whitespace()
}

fn function_at(code: &[char], start: usize) -> Option<Function> {
    let rest = code.get(start + 2..)?;
    let name: String = rest.iter().skip_while(|c| c.is_whitespace()).take_while(|c| is_word(**c)).collect();
    let end = start + 2 + body_end(rest)?;
    let breaks = |part: &[char]| part.iter().filter(|c| **c == '\n').count();
    let line = 1 + breaks(code.get(..start)?);
    let lines = 1 + breaks(code.get(start..end)?);
    (!name.is_empty()).then_some(Function { name, line, lines })
}

/// Where the body that follows a signature closes; `None` for a declaration without one.
fn body_end(signature: &[char]) -> Option<usize> {
    let (mut braces, mut brackets) = (0usize, 0usize);
    for (index, c) in signature.iter().enumerate() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets = brackets.saturating_sub(1),
            // An array type holds one inside brackets: `[u8; 4]`.
            ';' if braces == 0 && brackets == 0 => return None,
            '{' => braces += 1,
            '}' if braces <= 1 => return Some(index),
            '}' => braces -= 1,
            _ => {}
        }
    }
    None
}

/// The same text with comments, strings and characters turned into spaces, line breaks kept.
fn blank_what_is_no_code(text: &str) -> Vec<char> {
    let mut code: Vec<char> = text.chars().collect();
    let mut index = 0;
    while index < code.len() {
        let end = no_code_end(&code, index);
        for c in code.iter_mut().take(end).skip(index).filter(|c| **c != '\n') {
            *c = ' ';
        }
        index = end.max(index + 1);
    }
    code
}

/// Where the comment, string or character that starts here ends; `start` itself if none does.
fn no_code_end(code: &[char], start: usize) -> usize {
    let inside_word = start > 0 && is_word(at(code, start - 1));
    match (at(code, start), at(code, start + 1)) {
        ('/', '/') => find(code, start, |index| at(code, index) == '\n'),
        ('/', '*') => block_comment_end(code, start),
        ('"', _) => quoted_end(code, start + 1, '"'),
        ('r', '"' | '#') if !inside_word => raw_string_end(code, start + 1).unwrap_or(start),
        ('b', 'r') if !inside_word => raw_string_end(code, start + 2).unwrap_or(start),
        ('\'', '\\') => quoted_end(code, start + 1, '\''),
        // Anything else after a tick is a lifetime.
        ('\'', _) if at(code, start + 2) == '\'' => start + 3,
        _ => start,
    }
}

fn find(code: &[char], start: usize, found: impl Fn(usize) -> bool) -> usize {
    (start..code.len()).find(|index| found(*index)).unwrap_or(code.len())
}

fn quoted_end(code: &[char], start: usize, quote: char) -> usize {
    let mut index = start;
    while index < code.len() && at(code, index) != quote {
        index += if at(code, index) == '\\' { 2 } else { 1 };
    }
    (index + 1).min(code.len())
}

fn raw_string_end(code: &[char], start: usize) -> Option<usize> {
    let hashes = code.iter().skip(start).take_while(|c| **c == '#').count();
    let opens = at(code, start + hashes) == '"';
    let closes = |index: usize| at(code, index) == '"' && (1..=hashes).all(|by| at(code, index + by) == '#');
    opens.then(|| (find(code, start + hashes + 1, closes) + 1 + hashes).min(code.len()))
}

/// Block comments nest in Rust.
fn block_comment_end(code: &[char], start: usize) -> usize {
    let (mut index, mut depth) = (start, 0usize);
    while index < code.len() {
        let step = match (at(code, index), at(code, index + 1)) {
            ('/', '*') => Some(depth + 1),
            ('*', '/') => Some(depth - 1),
            _ => None,
        };
        index += if step.is_some() { 2 } else { 1 };
        depth = step.unwrap_or(depth);
        if depth == 0 {
            return index;
        }
    }
    index
}
