//! The files of vectors.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

/// A file of vectors: the promises of one noun.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorFile {
    /// The noun.
    pub noun: String,
    /// Its promises.
    pub vectors: Vec<Vector>,
}

/// A promise and the steps that show it, on a fresh hub.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vector {
    /// The promise, as a sentence.
    pub name: String,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// One call with what it must answer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The agent on whose behalf; the embedding process when left out.
    #[serde(default, rename = "as")]
    pub by: Option<String>,
    /// The operation.
    pub call: String,
    /// Its input.
    #[serde(default = "empty")]
    pub input: Value,
    /// What the answer must hold; anything when left out. A `null` here means that the answer is null.
    #[serde(default, deserialize_with = "given")]
    pub expect: Option<Value>,
    /// How it must be refused.
    #[serde(default)]
    pub error: Option<Refusal>,
    /// Values to keep for later steps: name to path in the answer (`tasks.0.task_id`).
    #[serde(default)]
    pub save: BTreeMap<String, String>,
}

/// A refusal that is expected.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// Its code.
    pub code: String,
    /// The field that it must name.
    #[serde(default)]
    pub field: Option<String>,
    /// Words that its sentence or hint must hold.
    #[serde(default)]
    pub says: Option<String>,
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

fn given<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// Reads all vector files of a folder, in the order of their names.
pub fn read_folder(folder: &Path) -> Result<Vec<VectorFile>, String> {
    let about = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let entries = std::fs::read_dir(folder).map_err(|error| about(folder, &error))?;
    let mut paths: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).map_err(|error| about(path, &error))?;
        let file: VectorFile = serde_json::from_str(&text).map_err(|error| about(path, &error))?;
        let both = file.vectors.iter().find(|vector| {
            vector
                .steps
                .iter()
                .any(|step| step.error.is_some() && (step.expect.is_some() || !step.save.is_empty()))
        });
        match both {
            Some(vector) => {
                Err(about(path, &format!("{:?} expects an answer of a refused step", vector.name)))
            }
            None => Ok(file),
        }
    };
    paths.iter().map(read).collect()
}
