//! One suite of steps that every face runs.
//!
//! A *vector* is a promise with the steps that show it: calls by name, the answer or refusal of each, and values that
//! one answer lends to a later step. `vectors/*.json` hold them by noun. A face (the engine itself, a language, HTTP)
//! is whatever implements [`Face`]; [`run`] plays a vector against it and says in a sentence where it was not kept.
//!
//! What is expected may be less than what is there: an object names the fields it cares for. A list must have just the
//! items it names. `<any>`, `<id>`, `<time>`, `<int>` and `<text>` stand for values that differ each time, `$name` for one
//! that an earlier step saved.

mod fields;
mod matching;
mod vectors;

use std::collections::BTreeMap;

use folkmoot_engine::{Hub, Principal};
use serde_json::Value;

pub use fields::{FieldFile, OperationFields, read_fields, sweep};
pub use matching::{differs, fill, pick};
pub use vectors::{Refusal, Step, Vector, VectorFile, read_folder};

/// Whatever can be called by operation and input.
pub trait Face {
    /// Calls an operation, on an agent's behalf when one is named. A refusal is the error as it is sent:
    /// `{"code", "message", "details"}`.
    fn call(&mut self, by: Option<&str>, name: &str, input: &Value) -> Result<Value, Value>;
}

impl Face for Hub {
    fn call(&mut self, by: Option<&str>, name: &str, input: &Value) -> Result<Value, Value> {
        let by = by.map_or(Principal::Process, Principal::agent);
        let answer = self
            .call_as(&by, name, input.to_string().as_bytes(), &mut || Ok(()))
            .map_err(|error| error.to_json())?;
        serde_json::from_slice(&answer)
            .map_err(|error| serde_json::json!({"code": "not_json", "message": error.to_string()}))
    }
}

/// Plays a vector; the error says which step was not kept, and how.
pub fn run(vector: &Vector, face: &mut dyn Face) -> Result<(), String> {
    let mut saved = BTreeMap::new();
    for (number, step) in vector.steps.iter().enumerate() {
        play(step, face, &mut saved)
            .map_err(|why| format!("{:?}, step {} ({}): {why}", vector.name, number + 1, step.call))?;
    }
    Ok(())
}

fn play(step: &Step, face: &mut dyn Face, saved: &mut BTreeMap<String, Value>) -> Result<(), String> {
    let input = fill(&step.input, saved)?;
    let answer = face.call(step.by.as_deref(), &step.call, &input);
    match (&step.error, answer) {
        (None, Ok(answer)) => {
            if let Some(expected) = &step.expect {
                let expected = fill(expected, saved)?;
                if let Some(why) = differs(&expected, &answer) {
                    return Err(format!("{why}; the whole answer was {answer}"));
                }
            }
            for (name, path) in &step.save {
                let value =
                    pick(&answer, path).ok_or_else(|| format!("nothing to save at {path:?} in {answer}"))?;
                saved.insert(name.clone(), value.clone());
            }
            Ok(())
        }
        (None, Err(error)) => Err(format!("was refused: {error}")),
        (Some(refusal), Ok(answer)) => {
            Err(format!("must be refused with {}, answered {answer}", refusal.code))
        }
        (Some(refusal), Err(error)) => refused_as(refusal, &error),
    }
}

fn refused_as(refusal: &Refusal, error: &Value) -> Result<(), String> {
    let text = |pointer: &str| error.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    if text("/code") != refusal.code {
        return Err(format!("must be refused with {}, was with {error}", refusal.code));
    }
    if let Some(field) = refusal.field.as_ref().filter(|field| text("/details/field") != field.as_str()) {
        return Err(format!("the refusal must name the field {field:?}: {error}"));
    }
    let whole = format!("{} {}", text("/message"), text("/hint"));
    match refusal.says.as_ref().filter(|says| !whole.contains(says.as_str())) {
        Some(says) => Err(format!("the refusal must say {says:?}: {error}")),
        None => Ok(()),
    }
}
