//! The repository as the checks see it: its hand-kept files, read once each.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that a build, a package manager or an editor made. Folders that start with a dot are left
/// out as well, but for the two that are part of the project.
const NOT_OURS: [&str; 6] = ["target", "node_modules", "dist", "results", "__pycache__", "venv"];
const DOTTED_BUT_OURS: [&str; 2] = [".cargo", ".ci"];

/// Larger files are data; no rule here is about data.
const LARGEST_TEXT: u64 = 4 << 20;

/// One text file of the repository.
pub struct File {
    /// From the root of the repository, with `/` on every system.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl File {
    /// A file from its path and text; the tests of the checks plant their violations so.
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether a person writes it: a generated file says so in its first line.
    pub fn is_hand_written(&self) -> bool {
        !self.text.lines().next().unwrap_or_default().to_lowercase().contains("generated")
    }

    /// Whether its name ends in one of these.
    pub fn is_one_of(&self, extensions: &[&str]) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
    }
}

/// One place where a rule is broken, and what to do there.
pub struct Violation {
    path: String,
    /// Counted from one.
    pub line: usize,
    advice: String,
}

impl Violation {
    /// A violation in `file` at `line`.
    pub fn at(file: &File, line: usize, advice: impl Into<String>) -> Self {
        Self { path: file.path.clone(), line, advice: advice.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.advice)
    }
}

/// Every text file of the repository, in the order of their paths.
pub fn files() -> Vec<File> {
    let root = root();
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The folder that holds the workspace and this test: upwards from the crate that runs it.
fn root() -> PathBuf {
    let start = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_else(|_| ".".to_owned());
    let start = PathBuf::from(start);
    let is_root =
        |folder: &&Path| folder.join("Cargo.toml").is_file() && folder.join("tests/tidy.rs").is_file();
    let found = start.ancestors().find(is_root).map(Path::to_path_buf);
    assert!(found.is_some(), "no folder above {} holds Cargo.toml and tests/tidy.rs", start.display());
    found.unwrap_or(start)
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<File>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && is_ours(&name) => walk(root, &entry.path(), found),
            // In a second work tree `.git` is a file that names the first one.
            Ok(kind) if kind.is_file() && name != ".git" => found.extend(read(root, &entry.path())),
            _ => {}
        }
    }
}

fn is_ours(folder: &str) -> bool {
    let dotted = folder.starts_with('.') && !DOTTED_BUT_OURS.contains(&folder);
    !dotted && !NOT_OURS.contains(&folder) && !folder.ends_with(".egg-info")
}

/// A file's text, or nothing when it is no text.
fn read(root: &Path, path: &Path) -> Option<File> {
    let size = fs::metadata(path).ok()?.len();
    if size > LARGEST_TEXT {
        return None;
    }
    let text = fs::read_to_string(path).ok().filter(|text| !text.contains('\0'))?;
    let path = path.strip_prefix(root).ok()?.to_string_lossy().replace('\\', "/");
    Some(File { path, text })
}
