//! Which files there are, and how they fall into modules.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Folders that a build or a package manager made; folders that start with a dot are left out too.
const NOT_SOURCE: [&str; 5] = ["target", "node_modules", "venv", "__pycache__", "dist"];
/// Larger files are data.
const LARGEST: u64 = 1 << 20;
/// A survey ends, however large the folder is.
const MOST_FILES: usize = 5_000;
/// Into how many modules a folder falls, about.
const MODULES: usize = 12;
const MOST_MODULES: usize = 14;

/// A group of files that is surveyed together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// The folder, from the one that is surveyed.
    pub name: String,
    /// The files, from the folder that is surveyed, with `/` on every system.
    pub files: Vec<String>,
}

/// What the walk found.
#[derive(Debug, Default)]
pub struct Found {
    /// Text files, by path.
    pub files: Vec<String>,
    /// How many were left out: no text, or larger than a mebibyte.
    pub left_out: u64,
    /// Whether there were more files than a survey looks at.
    pub cut_off: bool,
}

/// The text of a file, if it is one.
pub fn read(folder: &Path, path: &str) -> Option<String> {
    let bytes = fs::read(folder.join(path)).ok()?;
    let is_text = bytes.len() as u64 <= LARGEST && !bytes.contains(&0);
    is_text.then(|| String::from_utf8(bytes).ok()).flatten()
}

/// Walks a folder. Symbolic links are not followed.
pub fn walk(folder: &Path) -> io::Result<Found> {
    let ignored = Ignored::read(folder);
    let mut found = Found::default();
    let mut folders = vec![String::new()];
    while let Some(inside) = folders.pop() {
        let entries = match fs::read_dir(folder.join(&inside)) {
            Ok(entries) => entries,
            Err(error) if inside.is_empty() => return Err(error),
            Err(_) => continue,
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if inside.is_empty() { name.clone() } else { format!("{inside}/{name}") };
            let Ok(kind) = entry.file_type() else { continue };
            if name.starts_with('.') || ignored.has(&path, &name) {
                continue;
            }
            if kind.is_dir() && !NOT_SOURCE.contains(&name.as_str()) {
                folders.push(path);
            } else if kind.is_file() {
                found.take(folder, path);
            }
        }
    }
    found.files.sort();
    Ok(found)
}

impl Found {
    fn take(&mut self, folder: &Path, path: String) {
        if self.files.len() == MOST_FILES {
            self.cut_off = true;
        } else if read(folder, &path).is_some() {
            self.files.push(path);
        } else {
            self.left_out += 1;
        }
    }
}

/// The simple lines of the folder's `.gitignore`: a name, `*.extension`, or a path from the folder. Others are not
/// understood and leave nothing out.
struct Ignored {
    names: Vec<String>,
    endings: Vec<String>,
    paths: Vec<String>,
}

impl Ignored {
    fn read(folder: &Path) -> Ignored {
        let mut ignored = Ignored { names: Vec::new(), endings: Vec::new(), paths: Vec::new() };
        let text = fs::read_to_string(folder.join(".gitignore")).unwrap_or_default();
        for line in
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '!']))
        {
            let line = line.trim_end_matches('/');
            match (line.strip_prefix("*."), line.contains('/')) {
                (Some(ending), false) if !ending.contains('*') => ignored.endings.push(format!(".{ending}")),
                _ if line.contains(['*', '?', '[']) => {}
                (_, true) => ignored.paths.push(line.trim_start_matches('/').to_owned()),
                (_, false) => ignored.names.push(line.to_owned()),
            }
        }
        ignored
    }

    fn has(&self, path: &str, name: &str) -> bool {
        self.names.iter().any(|ignored| ignored == name)
            || self.paths.iter().any(|ignored| ignored == path)
            || self.endings.iter().any(|ending| name.ends_with(ending))
    }
}

/// Groups files into modules: folders, the largest ones split into what is in them.
pub fn modules(files: &[String]) -> Vec<Module> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files {
        groups.entry(inside(file, "")).or_default().push(file.clone());
    }
    while groups.len() < MODULES {
        let widest =
            groups.iter().filter(|(name, files)| can_split(name, files)).max_by_key(|(_, f)| f.len());
        let Some((name, _)) = widest else { break };
        let name = name.clone();
        for file in groups.remove(&name).unwrap_or_default() {
            groups.entry(inside(&file, &name)).or_default().push(file);
        }
    }
    let mut modules: Vec<Module> =
        groups.into_iter().map(|(name, files)| Module { name: title(&name), files }).collect();
    modules.sort_by(|a, b| b.files.len().cmp(&a.files.len()).then(a.name.cmp(&b.name)));
    if modules.len() > MOST_MODULES {
        let rest = modules.split_off(MOST_MODULES - 1);
        let files = rest.into_iter().flat_map(|module| module.files).collect();
        modules.push(Module { name: "(smaller folders)".to_owned(), files });
    }
    modules
}

/// The group of a file within a folder: the folder below, or the folder itself for the files that lie in it.
///
/// `core/` stands for what lies in `core` itself.
fn inside(file: &str, folder: &str) -> String {
    let rest = if folder.is_empty() { file } else { file.get(folder.len() + 1..).unwrap_or(file) };
    match rest.split_once('/') {
        Some((below, _)) if folder.is_empty() => below.to_owned(),
        Some((below, _)) => format!("{folder}/{below}"),
        None => format!("{folder}/"),
    }
}

/// Whether splitting a group makes it smaller: it is a folder, has enough files, and not all lie in it directly.
fn can_split(name: &str, files: &[String]) -> bool {
    let lies_in_it = |file: &String| file.get(name.len() + 1..).is_some_and(|rest| !rest.contains('/'));
    !name.ends_with('/') && files.len() >= 8 && !files.iter().all(lies_in_it)
}

fn title(group: &str) -> String {
    match group {
        "/" => "(top level)".to_owned(),
        group => match group.strip_suffix('/') {
            Some(folder) => format!("{folder} (itself)"),
            None => group.to_owned(),
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names(files: &[&str]) -> Vec<(String, usize)> {
        let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
        modules(&files).into_iter().map(|module| (module.name, module.files.len())).collect()
    }

    #[test]
    fn a_large_folder_is_split_into_what_is_in_it_and_no_file_is_lost() {
        let mut files = vec!["README.md", "docs/a.md", "core/lib.rs"];
        let many: Vec<String> = (0..9).map(|i| format!("core/engine/{i}.rs")).collect();
        files.extend(many.iter().map(String::as_str));
        let found = names(&files);
        assert_eq!(found.iter().map(|(_, count)| count).sum::<usize>(), files.len());
        assert_eq!(found.first().unwrap(), &("core/engine".to_owned(), 9));
        assert!(found.contains(&("core (itself)".to_owned(), 1)), "{found:?}");
        assert!(found.contains(&("(top level)".to_owned(), 1)), "{found:?}");
    }

    #[test]
    fn many_folders_end_in_a_last_module_together() {
        let files: Vec<String> = (0..40).map(|i| format!("f{i}/a.rs")).collect();
        let found = modules(&files);
        assert_eq!(found.len(), MOST_MODULES);
        assert_eq!(found.iter().map(|module| module.files.len()).sum::<usize>(), 40);
    }
}
