//! Whether an answer is as expected.

use std::collections::BTreeMap;

use folkmoot_engine::clock::Time;
use serde_json::Value;

/// Puts saved values in the place of `$name`, wherever that is a whole string.
pub fn fill(template: &Value, saved: &BTreeMap<String, Value>) -> Result<Value, String> {
    Ok(match template {
        Value::String(text) => match text.strip_prefix('$') {
            Some(name) => {
                saved.get(name).cloned().ok_or_else(|| format!("no earlier step saved {name:?}"))?
            }
            None => template.clone(),
        },
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| fill(item, saved)).collect::<Result<_, _>>()?)
        }
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), fill(value, saved)?)))
                .collect::<Result<_, String>>()?,
        ),
        other => other.clone(),
    })
}

/// The value at a dotted path; the empty path is the whole.
pub fn pick<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').filter(|part| !part.is_empty()).try_fold(value, |value, part| match value {
        Value::Array(items) => part.parse::<usize>().ok().and_then(|at| items.get(at)),
        other => other.get(part),
    })
}

/// Where and how an answer differs from what is expected; nothing when it does not.
pub fn differs(expected: &Value, actual: &Value) -> Option<String> {
    at("", expected, actual)
}

fn at(path: &str, expected: &Value, actual: &Value) -> Option<String> {
    let here = || if path.is_empty() { "the answer".to_owned() } else { path.to_owned() };
    let inside = |part: &str| if path.is_empty() { part.to_owned() } else { format!("{path}.{part}") };
    match (expected, actual) {
        (Value::String(word), _) if is_wildcard(word) => {
            (!stands_for(word, actual)).then(|| format!("{} must be {word}, is {actual}", here()))
        }
        (Value::Object(fields), Value::Object(there)) => {
            fields.iter().find_map(|(name, value)| match there.get(name) {
                Some(found) => at(&inside(name), value, found),
                None => Some(format!("{} is not there, must be {value}", inside(name))),
            })
        }
        (Value::Array(items), Value::Array(there)) if items.len() == there.len() => items
            .iter()
            .zip(there)
            .enumerate()
            .find_map(|(i, (item, found))| at(&inside(&i.to_string()), item, found)),
        (Value::Array(items), Value::Array(there)) => {
            Some(format!("{} must have {} items, has {}", here(), items.len(), there.len()))
        }
        (Value::Number(number), Value::Number(found)) => {
            let same = number == found || number.as_f64() == found.as_f64();
            (!same).then(|| format!("{} must be {number}, is {found}", here()))
        }
        _ => (expected != actual).then(|| format!("{} must be {expected}, is {actual}", here())),
    }
}

fn is_wildcard(word: &str) -> bool {
    matches!(word, "<any>" | "<id>" | "<time>" | "<int>" | "<text>")
}

fn stands_for(word: &str, value: &Value) -> bool {
    match word {
        "<any>" => true,
        "<id>" => value.as_str().is_some_and(|text| !text.trim().is_empty() && text.len() <= 256),
        "<time>" => value.as_str().is_some_and(|text| text.len() == 24 && Time::parse(text).is_some()),
        "<int>" => value.is_i64() || value.is_u64(),
        _ => value.is_string(),
    }
}
