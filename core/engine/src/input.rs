//! Reading what a caller gives: from JSON to a typed input, or to an error that names the field, what it must be and the
//! value.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use crate::error::{Code, Error, Result};

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

/// Reads a record that may be left out: an object or null. (`deserialize_with`: a derived record would also take a list,
/// as its fields in the order of their declaration.)
pub(crate) fn object<'de, D, T>(deserializer: D) -> std::result::Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(Object(PhantomData))
}

/// Reads a record that must be given: an object.
pub(crate) fn given_object<'de, D, T>(deserializer: D) -> std::result::Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    object(deserializer)?.ok_or_else(|| de::Error::invalid_type(de::Unexpected::Unit, &"an object"))
}

struct Object<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E: de::Error>(self) -> std::result::Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<Option<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }
}

/// Reads again, slowly, to find out what was wrong.
fn explain<T: for<'de> Deserialize<'de>>(input: &[u8]) -> Error {
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(input) {
        let error = error.to_string();
        return match error.starts_with("trailing characters") {
            true => unsaid("input", "must be one JSON object and nothing after it"),
            false => Error::invalid("input", excerpt(input), format_args!("is not JSON: {error}")),
        };
    }
    let mut reader = serde_json::Deserializer::from_slice(input);
    let (path, error) = match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(error) => (error.path().to_string(), error.into_inner()),
        Ok(_) => return Error::internal("an input was refused and then taken"),
    };
    let whole = serde_json::from_slice::<Value>(input);
    if error.is_data() {
        return told(&path, &error.to_string(), &whole.unwrap_or_default());
    }
    let cannot_be_read =
        || Error::invalid(field(&path), excerpt(input), format_args!("cannot be read: {error}"));
    // Where a word is awaited, the reader of text calls anything else a mistake in the JSON; that of values does not.
    let Ok(whole) = whole else { return cannot_be_read() };
    match serde_path_to_error::deserialize::<_, T>(&whole) {
        Err(error) => told(&error.path().to_string(), &error.inner().to_string(), &whole),
        Ok(_) => cannot_be_read(),
    }
}

/// The error in our words. `text` is that of the reader.
fn told(path: &str, text: &str, whole: &Value) -> Error {
    let text = text.rsplit_once(" at line ").map_or(text, |(head, _)| head);
    let named = |start: &str| text.strip_prefix(start)?.split_once('`').map(|(name, _)| name);
    if let Some(name) = named("missing field `") {
        return unsaid(&join(path, name), "is missing");
    }
    if let Some(name) = named("duplicate field `") {
        return unsaid(&join(path, name), "is given twice");
    }
    if let Some(name) = named("unknown field `") {
        let known = text.split_once(", expected ").map_or("no fields are", |(_, names)| names);
        let full = if path.ends_with(name) { path.to_owned() } else { join(path, name) };
        let must = format!("is not known here; expected {known}")
            .replace("expected no fields are", "there are no fields");
        let error = Error::invalid(&full, at_path(whole, &full), must);
        return match nearest(name, known) {
            Some(nearest) => error.hint(format!("did you mean {nearest:?}?")),
            None => error,
        };
    }
    let field = field(path);
    Error::invalid(field, at_path(whole, field), must(text))
}

/// What the reader says of a value, as what the value must be.
fn must(text: &str) -> String {
    if text.starts_with("must ") {
        return text.to_owned();
    }
    let Some((_, expected)) = text.split_once(", expected ") else {
        return format!("has the wrong form: {text}");
    };
    let expected = match expected {
        "a string" | "a borrowed string" | "string or map" => "text",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" | "a JSON number" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        record if record.starts_with("struct ") => "an object",
        other => other,
    };
    format!("must be {expected}")
}

/// Of the names in a list such as "one of `key`, `value`", the one that may have been meant.
fn nearest<'a>(name: &str, names: &'a str) -> Option<&'a str> {
    let likeness = |known: &&str| strsim::jaro_winkler(name, known);
    names
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|known| likeness(known) > 0.8)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

/// Where there is no value to show.
fn unsaid(field: &str, must: &str) -> Error {
    Error::new(Code::InvalidInput, format!("{field}: {must}")).with("field", field).with("value", Value::Null)
}

fn field(path: &str) -> &str {
    if path == "." { "input" } else { path }
}

fn join(path: &str, name: &str) -> String {
    if path == "." || path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn excerpt(input: &[u8]) -> String {
    String::from_utf8_lossy(input.get(..input.len().min(100)).unwrap_or_default()).into_owned()
}

/// The value at a path such as `entries[2].key`, `null` when it cannot be had.
fn at_path(whole: &Value, path: &str) -> Value {
    if path == "input" {
        return whole.clone();
    }
    let pointer: String =
        path.split(['.', '[']).map(|part| format!("/{}", part.trim_end_matches(']'))).collect();
    whole.pointer(&pointer).cloned().unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::json::Json;

    #[derive(Deserialize, Debug)]
    #[serde(rename_all = "snake_case")]
    enum Word {
        Big,
        Small,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Sample {
        key: String,
        count: Option<u32>,
        value: Option<Json>,
        word: Option<Word>,
        #[serde(default, deserialize_with = "object")]
        inner: Option<Inner>,
    }

    #[derive(Deserialize, Debug)]
    #[serde(default, deny_unknown_fields)]
    #[allow(dead_code)]
    #[derive(Default)]
    struct Inner {
        flag: bool,
        shares: Vec<f64>,
    }

    #[test]
    fn a_bad_input_names_its_field_and_says_what_it_must_be() {
        for (input, field, says) in [
            (r#"{}"#, "key", "key: is missing"),
            (r#"{"key":1}"#, "key", "key: must be text; got 1"),
            (r#"{"key":"a","count":-1}"#, "count", "must be a whole number from 0 to 4294967295; got -1"),
            (r#"{"key":"a","cuont":1}"#, "cuont", "expected one of `key`, `count`"),
            (r#"{"key":"a","key":"b"}"#, "key", "key: is given twice"),
            (r#"{"key":"a","word":"large"}"#, "word", "must be `big` or `small`; got \"large\""),
            (r#"{"key":"a","word":7}"#, "word", "word: must be text; got 7"),
            (r#"{"key":"a","value":{"deep":[]},"word":{}}"#, "word", "got {}"),
            (r#"{"key":"a","inner":[true]}"#, "inner", "must be an object; got [true]"),
            (r#"{"key":"a","inner":{"flag":0}}"#, "inner.flag", "must be true or false; got 0"),
            (r#"{"key":"a","inner":{"shares":[1,"x"]}}"#, "inner.shares[1]", "must be a number; got \"x\""),
            (
                r#"{"key":"a","inner":{"flga":0}}"#,
                "inner.flga",
                "is not known here; expected `flag` or `shares`",
            ),
            (r#"{"key":"\ud800"}"#, "key", "cannot be read"),
            (r#"[]"#, "input", "must be a JSON object"),
            (r#" ["a", 1]"#, "input", "must be a JSON object"),
            (r#"7"#, "input", "must be an object; got 7"),
            (r#"{"key":"#, "input", "is not JSON"),
            (r#"{"key":"a"} x"#, "input", "nothing after"),
        ] {
            let error = read_input::<Sample>(input.as_bytes()).unwrap_err();
            assert_eq!(error.details()["field"], field, "{input}: {error}");
            assert!(error.message().contains(says), "{input}: {error}");
        }
        let error = read_input::<Sample>(br#"{"key":"a","cuont":1}"#).unwrap_err();
        assert_eq!(error.hint_text(), Some("did you mean \"count\"?"));
        read_input::<Sample>(br#"{"key":"a","inner":null}"#).unwrap();
        let full = read_input::<Sample>(br#"{"key":"a","inner":{"flag":true,"shares":[]}}"#).unwrap();
        assert!(full.inner.unwrap().flag);
    }
}
