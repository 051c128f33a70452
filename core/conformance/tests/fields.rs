//! Every field of every operation, wrong: refused by its name, and nothing is changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::path::Path;

use folkmoot_conformance::{Face, FieldFile, read_fields, sweep};
use folkmoot_engine::operations::OPERATIONS;
use folkmoot_engine::{Durability, Hub, HubConfig, Principal};
use serde_json::{Value, json};

fn fields() -> FieldFile {
    read_fields(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fields.json")).unwrap()
}

fn open() -> Hub {
    let config = HubConfig { durability: Durability::Normal, ..HubConfig::default() };
    Hub::open(":memory:", config).unwrap()
}

#[test]
fn every_wrong_field_of_every_operation_is_refused_by_its_name_and_changes_nothing() {
    let mut hub = open();
    let operations = fields().operations;
    let broken: Vec<String> = operations.iter().flat_map(|operation| sweep(operation, &mut hub)).collect();
    assert!(broken.is_empty(), "{}:\n{}\n", broken.len(), broken.join("\n"));
    let status = hub.call("hub.status", b"{}").unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&status).unwrap()["seq"], 0, "something was changed");
    assert_eq!(hub.check().unwrap().rows_equal, 0);
}

#[test]
fn every_operation_and_every_field_is_swept() {
    let operations = fields().operations;
    let names: Vec<&str> = operations.iter().map(|operation| operation.call.as_str()).collect();
    let table: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name).collect();
    assert_eq!(names, table, "run `make generate`");
    for (swept, operation) in operations.iter().zip(OPERATIONS) {
        let schema = Value::from((operation.input_schema)());
        let properties = schema["properties"].as_object().into_iter().flatten();
        for (name, schema) in properties {
            let any = schema.as_bool() == Some(true)
                || !["type", "anyOf", "$ref", "oneOf", "enum"].iter().any(|word| schema.get(word).is_some());
            assert!(
                any || swept.wrong.contains_key(name),
                "{}: nothing is wrong for {name}: {schema}",
                operation.name
            );
        }
    }
}

/// What is no object at all is refused as the whole input.
#[test]
fn an_input_that_is_no_object_is_refused_by_every_operation() {
    let hub = open();
    for operation in OPERATIONS {
        for input in ["", "null", "7", "\"x\"", "[]", "[{}]", "{", "{}{}", "{\"a\":}", "\u{feff}{}"] {
            let answer = hub.call_as(&Principal::Process, operation.name, input.as_bytes(), &mut || Ok(()));
            let error = answer.expect_err(operation.name).to_json();
            assert_eq!(error["code"], "invalid_input", "{} {input}: {error}", operation.name);
            assert_eq!(error["details"]["field"], "input", "{} {input}: {error}", operation.name);
        }
    }
}

/// A face that takes anything, and one that refuses without saying what.
struct Careless(Result<Value, Value>);

impl Face for Careless {
    fn call(&mut self, _: Option<&str>, _: &str, _: &Value) -> Result<Value, Value> {
        self.0.clone()
    }
}

#[test]
fn the_sweep_catches_what_is_taken_and_what_is_refused_without_a_name() {
    let operation = &fields().operations[0];
    let cases = operation.refused().len();
    assert!(cases > 50, "only {cases}");
    let unnamed = json!({"code": "invalid_input", "message": "bad", "details": {"field": "input"}});
    let other = json!({"code": "storage", "message": "name: bad", "details": {"field": "name"}});
    for answer in [Ok(json!({})), Err(unnamed), Err(other)] {
        assert_eq!(sweep(operation, &mut Careless(answer)).len(), cases);
    }
}
