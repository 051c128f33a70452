//! A file's language, by its name.

const BY_EXTENSION: &[(&str, &str)] = &[
    ("rs", "Rust"),
    ("py", "Python"),
    ("pyi", "Python"),
    ("ts", "TypeScript"),
    ("tsx", "TypeScript"),
    ("js", "JavaScript"),
    ("mjs", "JavaScript"),
    ("cjs", "JavaScript"),
    ("jsx", "JavaScript"),
    ("go", "Go"),
    ("c", "C"),
    ("h", "C"),
    ("cc", "C++"),
    ("cpp", "C++"),
    ("hpp", "C++"),
    ("java", "Java"),
    ("kt", "Kotlin"),
    ("swift", "Swift"),
    ("rb", "Ruby"),
    ("php", "PHP"),
    ("cs", "C#"),
    ("sql", "SQL"),
    ("sh", "Shell"),
    ("html", "HTML"),
    ("css", "CSS"),
    ("md", "Markdown"),
    ("rst", "reStructuredText"),
    ("toml", "TOML"),
    ("yaml", "YAML"),
    ("yml", "YAML"),
    ("json", "JSON"),
    ("txt", "Text"),
    ("lock", "Lock file"),
];

/// The language of a file; `Other` for a name that says nothing.
pub fn of(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.rsplit_once('.') {
        Some((_, extension)) => BY_EXTENSION
            .iter()
            .find(|(known, _)| extension.eq_ignore_ascii_case(known))
            .map_or("Other", |(_, language)| language),
        None if name == "Makefile" => "Makefile",
        None => "Other",
    }
}
