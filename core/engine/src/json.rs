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
            return Err(Error::field_limit(field, "levels of JSON", max_depth, depth));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_nesting_and_not_brackets_in_strings() {
        assert_eq!(depth("1"), 0);
        assert_eq!(depth(r#"{"a":[1,{"b":"]]]]{{{{"}]}"#), 3);
        assert_eq!(depth(r#""\"[[[""#), 0);
    }
}
