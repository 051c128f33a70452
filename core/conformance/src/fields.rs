//! What no field may hold: `fields.json` names, for each operation, an input of the right form and the values that each
//! of its fields must refuse. It is made from the table, so that a new operation is covered without another line.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Face;

/// The file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldFile {
    /// Who wrote it.
    pub about: String,
    /// Every operation.
    pub operations: Vec<OperationFields>,
}

/// One operation's fields.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationFields {
    /// The operation.
    pub call: String,
    /// An input of the right form, whatever it would do.
    pub input: Map<String, Value>,
    /// The fields that must be there.
    pub required: Vec<String>,
    /// The values that a field must refuse, by its path (`filter.kinds[0]`).
    pub wrong: BTreeMap<String, Vec<Value>>,
}

/// Reads the file.
pub fn read_fields(file: &Path) -> Result<FieldFile, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

impl OperationFields {
    /// Every input that must be refused, with the path of the field that the refusal must name.
    pub fn refused(&self) -> Vec<(String, Value)> {
        let mut cases = vec![("no_such_field".to_owned(), self.with("no_such_field", &json!(1)))];
        for name in &self.required {
            let mut input = self.input.clone();
            input.remove(name);
            cases.push((name.clone(), Value::Object(input)));
        }
        for (path, values) in &self.wrong {
            cases.extend(values.iter().map(|value| (path.clone(), self.with(path, value))));
        }
        cases
    }

    /// The input with this value at this path. Records on the way hold nothing else.
    fn with(&self, path: &str, value: &Value) -> Value {
        let mut input = self.input.clone();
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let (name, rest) = path.split_at(end);
        input.insert(name.to_owned(), nested(rest, value));
        Value::Object(input)
    }
}

fn nested(path: &str, value: &Value) -> Value {
    if let Some(rest) = path.strip_prefix("[0]") {
        return json!([nested(rest, value)]);
    }
    let Some(rest) = path.strip_prefix('.') else { return value.clone() };
    let end = rest.find(['.', '[']).unwrap_or(rest.len());
    let (name, rest) = rest.split_at(end);
    json!({ name: nested(rest, value) })
}

/// Takes every refused input of an operation to a face; answers where it was not refused as it must be.
pub fn sweep(operation: &OperationFields, face: &mut dyn Face) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, input) in operation.refused() {
        let why = match face.call(None, &operation.call, &input) {
            Ok(answer) => format!("answered {answer}"),
            Err(error) => match names(&error, &path) {
                true => continue,
                false => format!("was refused with {error}"),
            },
        };
        broken.push(format!("{} must refuse {path:?} in {input}, {why}", operation.call));
    }
    broken
}

/// Whether a refusal is of bad input and names this field, in its sentence too.
fn names(error: &Value, path: &str) -> bool {
    let text = |pointer: &str| error.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    text("/code") == "invalid_input"
        && text("/details/field") == path
        && text("/message").starts_with(&format!("{path}: "))
}
