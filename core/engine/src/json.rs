//! JSON that belongs to the user.
//!
//! Values are kept as the text that was given: key order and numbers come back as they were, and nothing is parsed that
//! nobody looks at. What is checked at the door is size and depth.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{Error, Result};

/// Any JSON value, as its text.
#[derive(Clone)]
pub struct Json(Box<RawValue>);

impl Json {
    /// The value as JSON text.
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// Reads JSON text.
    pub fn from_text(text: String) -> Result<Json> {
        RawValue::from_string(text)
            .map(Json)
            .map_err(|e| Error::invalid("value", Value::Null, format_args!("is not JSON: {e}")))
    }

    /// The text of a value.
    pub fn from_value(value: &Value) -> Json {
        // A `Value` is always valid JSON text; `null` only stands in for what cannot happen.
        RawValue::from_string(value.to_string()).map(Json).unwrap_or_else(|_| Json::null())
    }

    /// `null`.
    pub fn null() -> Json {
        Json(RawValue::NULL.to_owned())
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.text() == "null"
    }

    /// The value, parsed. `null` where the text holds what JSON text may but a value cannot (a lone surrogate).
    pub fn to_value(&self) -> Value {
        serde_json::from_str(self.text()).unwrap_or(Value::Null)
    }

    /// Refuses what is larger than `max_bytes`, deeper than `max_depth` or not a value that can be read back.
    pub fn check(&self, field: &str, limit_name: &str, max_bytes: u64, max_depth: u64) -> Result<()> {
        let text = self.text();
        if text.len() as u64 > max_bytes {
            return Err(Error::field_limit(field, limit_name, max_bytes, text.len() as u64));
        }
        let depth = depth(text);
        if depth > max_depth {
            return Err(Error::field_limit(field, "JSON depth", max_depth, depth));
        }
        if text.contains("\\u") && serde_json::from_str::<Value>(text).is_err() {
            return Err(Error::invalid(field, text, "holds an escape that is not a Unicode character"));
        }
        Ok(())
    }
}

/// How deep arrays and objects are nested in valid JSON text.
fn depth(text: &str) -> u64 {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0u64, 0u64, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

impl Default for Json {
    fn default() -> Json {
        Json::null()
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl PartialEq for Json {
    /// Equal as values: neither white space nor the order of keys counts.
    fn eq(&self, other: &Json) -> bool {
        self.text() == other.text() || self.to_value() == other.to_value()
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Json {
        Json::from_value(&value)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Json)
    }
}

impl JsonSchema for Json {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Json".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!(true)
    }
}

/// Reads an operation's input; the error names the field, the value and what it must be.
pub fn read_input<T: for<'de> Deserialize<'de>>(input: &[u8]) -> Result<T> {
    // A list would be taken for the fields in the order of their declaration.
    if input.trim_ascii_start().first() == Some(&b'[') {
        return Err(Error::invalid("input", excerpt(input), "must be a JSON object"));
    }
    match serde_json::from_slice(input) {
        Ok(value) => Ok(value),
        Err(_) => Err(explain::<T>(input)),
    }
}

/// Reads again, slowly, to find out what was wrong.
fn explain<T: for<'de> Deserialize<'de>>(input: &[u8]) -> Error {
    let mut reader = serde_json::Deserializer::from_slice(input);
    let error = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(error) => error,
        Ok(_) => return Error::invalid("input", Value::Null, "must be one JSON object and nothing after it"),
    };
    let path = error.path().to_string();
    let inner = error.into_inner();
    if !inner.is_data() {
        return Error::invalid("input", excerpt(input), format_args!("is not JSON: {inner}"));
    }
    let text = inner.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(head, _)| head);
    let named = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| text.strip_prefix(start)?.split_once('`').map(|(name, _)| (*start, name)));
    match named {
        Some(("missing field `", name)) => Error::invalid(&join(&path, name), Value::Null, "is missing"),
        Some(("duplicate field `", name)) => {
            Error::invalid(&join(&path, name), Value::Null, "is given twice")
        }
        Some((_, name)) => {
            let full = if path.ends_with(name) { path } else { join(&path, name) };
            let must = match text.split_once(", expected ") {
                Some((_, expected)) => format!("is not known here; expected {expected}"),
                None => "is not known here; no fields are expected".to_owned(),
            };
            Error::invalid(&full, at_path(input, &full), must)
        }
        None => {
            let field = if path == "." { "input".to_owned() } else { path };
            let value = at_path(input, &field);
            Error::invalid(&field, value, format_args!("has the wrong form: {text}"))
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path == "." || path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn excerpt(input: &[u8]) -> String {
    String::from_utf8_lossy(input.get(..input.len().min(100)).unwrap_or_default()).into_owned()
}

/// The value at a path such as `entries[2].key`, `null` when it cannot be had.
fn at_path(input: &[u8], path: &str) -> Value {
    let Ok(whole) = serde_json::from_slice::<Value>(input) else { return Value::Null };
    if path == "input" {
        return whole;
    }
    let pointer: String =
        path.split(['.', '[']).map(|part| format!("/{}", part.trim_end_matches(']'))).collect();
    whole.pointer(&pointer).cloned().unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Sample {
        key: String,
        count: Option<u32>,
        value: Option<Json>,
    }

    #[test]
    fn a_bad_input_names_its_field_and_value() {
        for (input, field, says) in [
            (r#"{}"#, "key", "is missing"),
            (r#"{"key":1}"#, "key", "got 1"),
            (r#"{"key":"a","count":-1}"#, "count", "got -1"),
            (r#"{"key":"a","cuont":1}"#, "cuont", "expected one of"),
            (r#"{"key":"a","key":"b"}"#, "key", "twice"),
            (r#"[]"#, "input", "must be a JSON object"),
            (r#" ["a", 1]"#, "input", "must be a JSON object"),
            (r#"{"key":"#, "input", "is not JSON"),
            (r#"{"key":"a"} x"#, "input", "nothing after"),
        ] {
            let error = read_input::<Sample>(input.as_bytes()).unwrap_err();
            assert_eq!(error.details()["field"], field, "{input}: {error}");
            assert!(error.message().contains(says), "{input}: {error}");
        }
    }

    #[test]
    fn depth_counts_nesting_and_not_brackets_in_strings() {
        assert_eq!(depth("1"), 0);
        assert_eq!(depth(r#"{"a":[1,{"b":"]]]]{{{{"}]}"#), 3);
        assert_eq!(depth(r#""\"[[[""#), 0);
    }
}
