//! What holds for every field of every operation, whatever its noun: nothing that is given is without bounds.

use std::collections::BTreeMap;

use folkmoot_engine::Code;
use folkmoot_engine::operations::OPERATIONS;
use serde_json::{Map, Value, json};

use super::stage::{call, field, furnish, is_of_input, open, seen, text};

/// The kinds of value that a field's schema lets through.
fn kinds(schema: &Value, definitions: &Value) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return kinds(&definitions[reference.trim_start_matches("#/$defs/")], definitions);
    }
    let choices = ["anyOf", "oneOf"].iter().flat_map(|word| schema[*word].as_array().into_iter().flatten());
    let mut found: Vec<String> = choices.flat_map(|choice| kinds(choice, definitions)).collect();
    let named = match &schema["type"] {
        Value::String(name) => vec![name.clone()],
        Value::Array(names) => names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    let words = schema.get("enum").is_some()
        || schema.get("const").is_some()
        || schema.get("format").is_some_and(|format| format == "date-time");
    found.extend(named.into_iter().filter(|name| name != "string" || !words));
    let any = schema.as_bool() == Some(true)
        || schema
            .as_object()
            .is_some_and(|schema| schema.keys().all(|key| key == "description" || key == "default"));
    if any {
        found.push("any".to_owned());
    }
    found
}

/// A value for a field that must be there: all that the stage holds is called `x`.
fn sample(schema: &Value, definitions: &Value) -> Value {
    if let Some(reference) = schema["$ref"].as_str() {
        return sample(&definitions[reference.trim_start_matches("#/$defs/")], definitions);
    }
    let word =
        schema["enum"].get(0).or(schema["oneOf"][0].get("const")).or(schema["oneOf"][0]["enum"].get(0));
    let kind = kinds(schema, definitions);
    match (word, kind.first().map(String::as_str)) {
        (Some(word), _) => word.clone(),
        (_, Some("string")) => json!("x"),
        (_, Some("integer" | "number")) => json!(1),
        (_, Some("boolean")) => json!(true),
        (_, Some("array")) => json!([]),
        _ => json!({}),
    }
}

/// An operation, the least that it takes, and its fields with the kinds of values that they take.
type Fields = (&'static str, Map<String, Value>, BTreeMap<String, Vec<String>>);

/// Every operation with its fields.
fn operations() -> Vec<Fields> {
    let read = |operation: &'static folkmoot_engine::operations::Operation| {
        let schema = Value::from((operation.input_schema)());
        let definitions = &schema["$defs"];
        let properties = schema["properties"].as_object().cloned().unwrap_or_default();
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let least = required.map(|name| (name.to_owned(), sample(&properties[name], definitions))).collect();
        let fields =
            properties.iter().map(|(name, schema)| (name.clone(), kinds(schema, definitions))).collect();
        (operation.name, least, fields)
    };
    OPERATIONS.iter().map(read).collect()
}

/// Takes a value to a field of every operation that has one of such a kind; answers where it was not refused by name.
fn past(kind: &str, value: &Value) -> Vec<String> {
    // Some calls look at the task first, and want it held, or want it free.
    let stages = [false, true].map(|held| {
        let hub = open(&[]);
        let token = furnish(&hub, held);
        let before = seen(&hub);
        (hub, token, before)
    });
    let mut broken = Vec::new();
    for (name, least, fields) in operations() {
        for (path, _) in
            fields.iter().filter(|(_, kinds)| kinds.iter().any(|one| one == kind || one == "any"))
        {
            let answers = stages.each_ref().map(|(hub, token, _)| {
                let mut input = least.clone();
                if input.contains_key("token") {
                    input.insert("token".to_owned(), json!(token));
                }
                input.insert(path.clone(), value.clone());
                call(hub, name, &Value::Object(input))
            });
            let by_name = |error: &folkmoot_engine::Error| {
                is_of_input(error) && (field(error) == path || field(error).starts_with(&format!("{path}[")))
            };
            if !answers.iter().any(|answer| answer.as_ref().is_err_and(by_name)) {
                broken.push(format!("{name} {path}: {answers:?}").chars().take(300).collect());
            }
        }
    }
    for (hub, _, before) in stages {
        assert_eq!(seen(&hub), before, "something was changed");
    }
    broken
}

#[test]
fn no_text_is_without_bounds() {
    let broken = past("string", &json!(text(2 << 20)));
    assert!(broken.is_empty(), "{}:\n{}\n", broken.len(), broken.join("\n"));
}

#[test]
fn no_list_is_without_bounds() {
    let broken = past("array", &json!(vec!["x".repeat(1_100); 1_001]));
    assert!(broken.is_empty(), "{}:\n{}\n", broken.len(), broken.join("\n"));
}

#[test]
fn the_largest_and_the_smallest_number_are_an_answer_or_a_refusal_and_never_a_defect() {
    let hub = open(&[]);
    furnish(&hub, false);
    for (name, least, fields) in operations() {
        for (path, kinds) in &fields {
            let whole = [json!(u64::MAX), json!(i64::MAX), json!(1u64 << 53), json!(0)];
            let broken =
                [json!(f64::MAX), json!(f64::MIN), json!(f64::MIN_POSITIVE), json!(-0.0), json!(i64::MIN)];
            let values = match kinds.iter().map(String::as_str).find(|kind| *kind != "null") {
                Some("integer") => whole.to_vec(),
                Some("number") => [whole.as_slice(), broken.as_slice()].concat(),
                _ => continue,
            };
            for value in values {
                // Waiting for as long as one may is no subject here.
                if path == "wait_seconds" && value == json!(f64::MIN_POSITIVE) {
                    continue;
                }
                let mut input = least.clone();
                input.insert(path.clone(), value);
                if let Err(error) = call(&hub, name, &Value::Object(input.clone())) {
                    let defect = matches!(error.code(), Code::Internal | Code::Storage | Code::Unavailable);
                    assert!(!defect, "{name} {}: {error:?}", json!(input));
                }
            }
        }
    }
    hub.check().unwrap();
}
