//! What a module offers and uses, and what it says it is for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::languages;

/// What can be said of a module from its text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Items {
    /// Public items by kind: `fn`, `struct`, `class`…
    pub public: BTreeMap<String, u64>,
    /// Imported packages and how many lines import them.
    pub imports: BTreeMap<String, u64>,
    /// The first sentence of its documentation.
    pub purpose: Option<Purpose>,
}

/// A sentence that says what a module is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purpose {
    /// The sentence.
    pub sentence: String,
    /// The file that says it.
    pub path: String,
    /// How likely the file speaks for the whole module: lower is likelier.
    rank: usize,
}

impl Items {
    /// Reads one file.
    pub fn add(&mut self, path: &str, text: &str) {
        let language = languages::of(path);
        for line in text.lines() {
            if let Some(kind) = public_item(language, line) {
                *self.public.entry(kind.to_owned()).or_default() += 1;
            }
            if let Some(package) = import(language, line.trim_start()) {
                *self.imports.entry(package.to_owned()).or_default() += 1;
            }
        }
        let Some(sentence) = first_sentence(language, text) else { return };
        let purpose = Purpose { sentence, path: path.to_owned(), rank: rank(path) };
        if self.purpose.as_ref().is_none_or(|known| purpose.rank < known.rank) {
            self.purpose = Some(purpose);
        }
    }

    /// The packages that are imported most.
    pub fn most_imported(&self, count: usize) -> Vec<&str> {
        let mut packages: Vec<_> = self.imports.iter().collect();
        packages.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        packages.into_iter().take(count).map(|(package, _)| package.as_str()).collect()
    }
}

/// The kind of the public item that a line at the outermost level starts.
fn public_item(language: &str, line: &str) -> Option<&'static str> {
    let pick = |kinds: &[&'static str], rest: &str| {
        kinds
            .iter()
            .find(|kind| rest.strip_prefix(**kind).is_some_and(|after| after.starts_with(' ')))
            .copied()
    };
    match language {
        "Rust" => {
            let mut rest = line.strip_prefix("pub ")?;
            if pick(&["const"], rest).is_some() && rest.contains(" fn ") {
                rest = rest.strip_prefix("const ")?;
            }
            for word in ["async ", "unsafe "] {
                rest = rest.strip_prefix(word).unwrap_or(rest);
            }
            pick(&["fn", "struct", "enum", "trait", "mod", "const", "type", "static", "union"], rest)
        }
        "Python" => {
            let rest = line.strip_prefix("async ").unwrap_or(line);
            let kind = pick(&["def", "class"], rest)?;
            (!rest.strip_prefix(kind)?.trim_start().starts_with('_')).then_some(kind)
        }
        "TypeScript" | "JavaScript" => {
            let rest = line.strip_prefix("export ")?;
            let rest = rest.strip_prefix("default ").unwrap_or(rest);
            let rest = rest.strip_prefix("async ").unwrap_or(rest);
            pick(&["function", "class", "interface", "type", "const", "enum"], rest)
        }
        "Go" => {
            let kind = pick(&["func", "type"], line)?;
            let name = line.strip_prefix(kind)?.trim_start();
            name.starts_with(char::is_uppercase).then_some(kind)
        }
        _ => None,
    }
}

/// The package that a line imports from outside the module.
fn import<'a>(language: &str, line: &'a str) -> Option<&'a str> {
    let word = |rest: &'a str| {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest.get(..end).filter(|word| !word.is_empty())
    };
    match language {
        "Rust" => {
            let rest = line.strip_prefix("pub use ").or_else(|| line.strip_prefix("use "))?;
            word(rest).filter(|name| !["crate", "self", "super"].contains(name))
        }
        "Python" => word(line.strip_prefix("import ").or_else(|| line.strip_prefix("from "))?),
        "TypeScript" | "JavaScript" if line.starts_with("import ") || line.starts_with("} from ") => {
            let quoted = line.split(['"', '\'']).nth(1)?;
            (!quoted.starts_with('.')).then_some(quoted)
        }
        _ => None,
    }
}

/// The first sentence of a file's own documentation.
fn first_sentence(language: &str, text: &str) -> Option<String> {
    let paragraph: Vec<&str> = match language {
        "Rust" => text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).collect(),
        "Python" => {
            let body = text.trim_start().strip_prefix("\"\"\"")?;
            body.split("\"\"\"").next()?.lines().map(str::trim).collect()
        }
        "Markdown" => prose(text).skip_while(|line| !is_prose(line)).collect(),
        _ => return None,
    };
    let words: Vec<&str> = paragraph
        .into_iter()
        .skip_while(|line| line.is_empty() || line.starts_with('#'))
        .take_while(|line| !line.is_empty())
        .collect();
    let words = words.join(" ");
    let end = words.find(". ").map_or(words.len(), |at| at + 1);
    words.get(..end).filter(|sentence| sentence.len() > 3).map(str::to_owned)
}

/// The lines of a page without its blocks of code.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    page.lines().map(str::trim).filter(move |line| {
        let fence = line.starts_with("```");
        in_code ^= fence;
        !fence && !in_code
    })
}

fn is_prose(line: &str) -> bool {
    line.starts_with(|c: char| c.is_alphanumeric() || c == '*' || c == '`') && !line.starts_with("***")
}

/// Files that speak for a module come first, then those higher up.
fn rank(path: &str) -> usize {
    let name = path.rsplit('/').next().unwrap_or(path);
    let speaks = match name {
        "lib.rs" | "__init__.py" => 0,
        "README.md" => 1,
        "main.rs" | "mod.rs" => 2,
        _ if name.ends_with(".md") => 8,
        _ => 4,
    };
    speaks + path.matches('/').count()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_told_by_its_own_first_sentence_and_its_public_items() {
        let mut items = Items::default();
        items.add("a/x.rs", "//! Something small.\n\npub(crate) fn hidden() {}\n");
        items.add(
            "a/lib.rs",
            "//! Counts words\n//! quickly. And more.\n\nuse serde::Serialize;\nuse crate::x;\n\npub struct A;\n\
             pub const fn f() {}\npub const N: u8 = 1;\nimpl A {\n    pub fn g(&self) {}\n}\n",
        );
        assert_eq!(items.purpose.as_ref().unwrap().sentence, "Counts words quickly.");
        assert_eq!(
            items.public.iter().map(|(kind, n)| (kind.as_str(), *n)).collect::<Vec<_>>(),
            [("const", 1), ("fn", 1), ("struct", 1)]
        );
        assert_eq!(items.most_imported(3), ["serde"]);
    }

    #[test]
    fn other_languages_are_read_too() {
        let mut items = Items::default();
        items.add(
            "p/__init__.py",
            "\"\"\"A package.\"\"\"\nimport json\nfrom . import x\n\ndef go(): ...\ndef _no(): ...\n",
        );
        items.add("p/a.ts", "import { x } from \"react\"\nimport y from './y'\nexport class A {}\n");
        assert_eq!(items.public.keys().collect::<Vec<_>>(), ["class", "def"]);
        assert_eq!(items.imports.keys().collect::<Vec<_>>(), ["json", "react"]);
        assert_eq!(items.purpose.unwrap().sentence, "A package.");
    }
}
