//! Functions, told by their first line and measured by indentation.
//!
//! This is no parser: in code that a formatter has laid out, a function ends where its first indentation comes again
//! with a closing brace (or, in Python, with anything). Methods and arrow functions of JavaScript are not seen.

use super::{Function, languages};

/// The functions of a file.
pub fn of(path: &str, text: &str) -> Vec<Function> {
    let language = languages::of(path);
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = name_of(language, line.trim_start()) else { continue };
        let rest = lines.get(at..).unwrap_or_default();
        let length = if language == "Python" { python_length(rest) } else { braces_length(rest) };
        if let Some(length) = length {
            found.push(Function {
                name: name.to_owned(),
                path: path.to_owned(),
                line: at as u64 + 1,
                lines: length as u64,
            });
        }
    }
    found
}

/// The name of the function that starts on this line.
fn name_of<'a>(language: &str, line: &'a str) -> Option<&'a str> {
    let rest = match language {
        "Rust" => {
            after_modifiers(line, &["pub", "const", "async", "unsafe", "extern"]).strip_prefix("fn ")?
        }
        "Python" => after_modifiers(line, &["async"]).strip_prefix("def ")?,
        "JavaScript" | "TypeScript" => after_modifiers(line, &["export", "default", "async"])
            .strip_prefix("function")?
            .trim_start_matches('*'),
        "Go" => {
            let rest = line.strip_prefix("func ")?;
            // A method stands after its receiver: `func (s *Server) Close() {`.
            match rest.strip_prefix('(') {
                Some(receiver) => receiver.split_once(')')?.1,
                None => rest,
            }
        }
        _ => return None,
    };
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
    let (name, after) = rest.split_at_checked(end)?;
    (!name.is_empty() && after.starts_with(['(', '<', '['])).then_some(name)
}

/// What follows the words before `fn`: `pub(crate) async extern "C" `.
fn after_modifiers<'a>(line: &'a str, modifiers: &[&str]) -> &'a str {
    let mut rest = line;
    'words: loop {
        for modifier in modifiers {
            if let Some(after) = rest.strip_prefix(modifier) {
                let after = match after.strip_prefix('(') {
                    Some(inner) => inner.split_once(')').map_or(after, |(_, after)| after),
                    None => after,
                };
                if after.starts_with(' ') {
                    rest = after.trim_start();
                    continue 'words;
                }
            }
        }
        match rest.strip_prefix('"').and_then(|quoted| quoted.split_once('"')) {
            Some((_, after)) => rest = after.trim_start(),
            None => return rest,
        }
    }
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Lines up to the closing brace under the first line; nothing for a declaration without a body.
fn braces_length(lines: &[&str]) -> Option<usize> {
    let first = lines.first()?;
    let depth = indent(first);
    if first.trim_end().ends_with(';') && !first.contains('{') {
        return None;
    }
    if first.contains('{') && first.trim_end().ends_with('}') {
        return Some(1);
    }
    for (at, line) in lines.iter().enumerate().skip(1) {
        let text = line.trim();
        if text.is_empty() || indent(line) != depth {
            continue;
        }
        if text.starts_with('}') {
            return Some(at + 1);
        }
        if text.starts_with(')') && text.ends_with(';') {
            return None;
        }
    }
    None
}

/// Lines up to the last one that stands deeper than the first.
fn python_length(lines: &[&str]) -> Option<usize> {
    let depth = indent(lines.first()?);
    let mut length = 1;
    for (at, line) in lines.iter().enumerate().skip(1) {
        let text = line.trim();
        if text.is_empty() {
            continue;
        }
        if indent(line) <= depth && !text.starts_with([')', ']']) {
            break;
        }
        length = at + 1;
    }
    Some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<(String, u64, u64)> {
        of(path, text).into_iter().map(|f| (f.name, f.line, f.lines)).collect()
    }

    #[test]
    fn rust_functions_end_at_the_brace_under_their_first_line() {
        let text = "trait T {\n    fn declared(&self);\n    fn long_declared(\n        a: u8,\n    ) -> u8;\n}\n\
                    pub(crate) async fn two<T>(\n    a: T,\n) -> T {\n    if x {\n    }\n    a\n}\nfn one() {}\n";
        let expected = vec![("two".to_owned(), 7, 7), ("one".to_owned(), 14, 1)];
        assert_eq!(found("a.rs", text), expected);
    }

    #[test]
    fn python_functions_end_where_the_indentation_does() {
        let text = "class A:\n    def first(self):\n        return 1\n\n    async def second(\n        self,\n    ):\n\
                    \x20       pass\n\n\nx = 1\n";
        assert_eq!(found("a.py", text), vec![("first".to_owned(), 2, 2), ("second".to_owned(), 5, 4)]);
    }

    #[test]
    fn go_methods_and_exported_functions_of_typescript_have_their_names() {
        assert_eq!(found("a.go", "func (s *S) Close() {\n\treturn\n}\n"), vec![("Close".to_owned(), 1, 3)]);
        assert_eq!(
            found("a.ts", "export async function go(): void {\n  x()\n}\n"),
            vec![("go".to_owned(), 1, 3)]
        );
    }
}
