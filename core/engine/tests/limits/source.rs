//! The limits that the engine's source speaks of, so that none is added without a case.

use std::path::Path;

/// A refusal in the source: where it stands, and what it says; `{…}` stands for what is put in.
pub struct Said {
    pub place: String,
    pub text: String,
}

/// Every limit that the engine names: `Error::limit("agents of a hub", …)`.
pub fn limit_names() -> Vec<Said> {
    let mut found = Vec::new();
    for (place, call) in
        calls(&["Error::limit(", "Error::field_limit(", ".check(field,", ".check(\n            field,"])
    {
        let names = literals(&call);
        let name = names.iter().find(|text| text.contains(' '));
        found.extend(name.map(|name| Said { place, text: name.clone() }));
    }
    found
}

/// Every range that the engine says: "must be from 1 to {MOST}".
pub fn ranges() -> Vec<Said> {
    let mut found = Vec::new();
    for (place, text) in sources() {
        let said = literals(&text);
        for words in said.into_iter().filter(|words| {
            ["must be from ", "must be at most ", "must be at least "]
                .iter()
                .any(|start| words.starts_with(start))
        }) {
            found.push(Said { place: place.clone(), text: words });
        }
    }
    found
}

/// Whether a message holds this text, whatever stands for its `{…}`.
pub fn holds(message: &str, text: &str) -> bool {
    let mut rest = message;
    text.split('{').enumerate().all(|(i, piece)| {
        let piece = if i == 0 { piece } else { piece.split_once('}').map_or(piece, |(_, after)| after) };
        match rest.find(piece) {
            Some(at) => {
                rest = &rest[at + piece.len()..];
                true
            }
            None => false,
        }
    })
}

/// The files of the engine that judge input, without their own tests. The configuration has a test of its own.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let place = path.strip_prefix(&root).unwrap().display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if place.ends_with(".rs")
                && place != "config.rs"
                && place != "error.rs"
                && place != "input.rs"
            {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap();
                let code: Vec<&str> =
                    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
                files.push((place, code.join("\n")));
            }
        }
    }
    files
}

/// Each of these calls with its arguments.
fn calls(starts: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (place, text) in sources() {
        for start in starts {
            for (at, _) in text.match_indices(start) {
                let rest = &text[at..];
                let mut open = 0;
                let end = rest.char_indices().find(|(_, c)| {
                    open += i32::from(*c == '(') - i32::from(*c == ')');
                    *c == ')' && open == 0
                });
                found.push((place.clone(), rest[..end.map_or(rest.len(), |(end, _)| end)].to_owned()));
            }
        }
    }
    found
}

/// The texts in quotes.
fn literals(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some((_, after)) = rest.split_once('"') {
        let mut escaped = false;
        let end = after.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        let Some(end) = end else { break };
        found.push(after[..end].to_owned());
        rest = &after[end + 1..];
    }
    found
}
