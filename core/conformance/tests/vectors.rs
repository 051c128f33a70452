//! Every vector through the engine, and the runner shown to catch what is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use folkmoot_conformance::{Face, Vector, VectorFile, differs, read_folder, run};
use folkmoot_engine::operations::OPERATIONS;
use folkmoot_engine::{Durability, Hub, HubConfig};
use serde_json::{Value, json};

fn files() -> Vec<VectorFile> {
    read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")).unwrap()
}

#[test]
fn every_vector_holds_in_the_engine() {
    let mut broken = Vec::new();
    for file in files() {
        for vector in &file.vectors {
            let config = HubConfig { durability: Durability::Normal, ..HubConfig::default() };
            let mut hub = Hub::open(":memory:", config).unwrap();
            if let Err(why) = run(vector, &mut hub) {
                broken.push(format!("{}: {why}", file.noun));
            }
            hub.check().unwrap();
            hub.close();
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n\n"));
}

#[test]
fn every_operation_has_a_step_that_succeeds_and_one_that_is_refused() {
    let (mut good, mut bad) = (BTreeSet::new(), BTreeSet::new());
    for step in files().into_iter().flat_map(|file| file.vectors).flat_map(|vector| vector.steps) {
        if step.error.is_some() {
            bad.insert(step.call)
        } else {
            good.insert(step.call)
        };
    }
    let lacks = |steps: &BTreeSet<String>| -> Vec<&str> {
        OPERATIONS.iter().map(|operation| operation.name).filter(|name| !steps.contains(*name)).collect()
    };
    assert!(
        lacks(&good).is_empty() && lacks(&bad).is_empty(),
        "without a good step: {:?}\nwithout a bad one: {:?}",
        lacks(&good),
        lacks(&bad)
    );
}

#[test]
fn names_are_promises_and_stand_once() {
    let mut seen = BTreeSet::new();
    for vector in files().into_iter().flat_map(|file| file.vectors) {
        assert!(vector.name.split_whitespace().count() >= 3, "{:?} is no sentence", vector.name);
        assert!(!vector.steps.is_empty(), "{:?} has no steps", vector.name);
        assert!(seen.insert(vector.name.clone()), "{:?} stands twice", vector.name);
    }
}

/// A face that answers what it was told to.
struct Parrot(BTreeMap<&'static str, Result<Value, Value>>);

impl Face for Parrot {
    fn call(&mut self, by: Option<&str>, name: &str, input: &Value) -> Result<Value, Value> {
        match name {
            "echo" => Ok(json!({"by": by, "input": input})),
            name => self.0[name].clone(),
        }
    }
}

fn play(steps: Value) -> Result<(), String> {
    let vector: Vector =
        serde_json::from_value(json!({"name": "a planted promise", "steps": steps})).unwrap();
    let refusal = json!({"code": "not_found", "message": "no memory \"k\" here", "hint": "look again",
                         "details": {"field": "key"}});
    let parrot = [
        ("good", Ok(json!({"a": {"b": 1}, "list": [1, 2]}))),
        ("null", Ok(Value::Null)),
        ("bad", Err(refusal)),
    ];
    run(&vector, &mut Parrot(parrot.into()))
}

#[test]
fn the_runner_passes_what_is_right() {
    play(json!([
        {"call": "good", "expect": {"a": {"b": 1}}, "save": {"b": "a.b", "second": "list.1", "all": ""}},
        {"call": "echo", "as": "ana", "input": {"x": "$b", "y": ["$second"], "z": "$all"},
         "expect": {"by": "ana", "input": {"x": 1, "y": [2], "z": {"list": [1, 2]}}}},
        {"call": "null", "expect": null},
        {"call": "bad", "error": {"code": "not_found", "field": "key", "says": "look again"}},
    ]))
    .unwrap();
}

#[test]
fn the_runner_catches_every_sort_of_wrong_expectation() {
    for (step, says) in [
        (json!({"call": "good", "expect": {"a": {"b": 2}}}), "a.b must be 2, is 1"),
        (json!({"call": "good", "expect": {"a": {"c": 1}}}), "a.c is not there"),
        (json!({"call": "good", "expect": {"list": [1]}}), "list must have 1 items, has 2"),
        (json!({"call": "good", "expect": {"list": [2, 1]}}), "list.0 must be 2"),
        (json!({"call": "good", "expect": {"a": "<text>"}}), "a must be <text>"),
        (json!({"call": "good", "expect": null}), "the answer must be null"),
        (json!({"call": "null", "expect": {}}), "the answer must be {}"),
        (json!({"call": "good", "save": {"x": "a.c"}}), "nothing to save"),
        (json!({"call": "good", "error": {"code": "conflict"}}), "must be refused with conflict"),
        (json!({"call": "bad"}), "was refused"),
        (json!({"call": "bad", "error": {"code": "conflict"}}), "must be refused with conflict"),
        (json!({"call": "bad", "error": {"code": "not_found", "field": "value"}}), "must name the field"),
        (json!({"call": "bad", "error": {"code": "not_found", "says": "gone"}}), "must say \"gone\""),
        (json!({"call": "echo", "input": {"x": "$nothing"}}), "no earlier step saved"),
    ] {
        let why = play(json!([{"call": "null"}, step])).expect_err(&step.to_string());
        assert!(why.contains(says) && why.contains("step 2"), "{step}: {why}");
    }
}

#[test]
fn a_wildcard_stands_for_its_own_sort_of_value_only() {
    let values = [
        json!(null),
        json!(1),
        json!(1.5),
        json!(""),
        json!("x"),
        json!("2026-01-14T14:50:30.123Z"),
        json!([]),
    ];
    for (word, fits) in [
        ("<any>", [true, true, true, true, true, true, true]),
        ("<id>", [false, false, false, false, true, true, false]),
        ("<time>", [false, false, false, false, false, true, false]),
        ("<int>", [false, true, false, false, false, false, false]),
        ("<text>", [false, false, false, true, true, true, false]),
    ] {
        for (value, fits) in values.iter().zip(fits) {
            assert_eq!(differs(&json!(word), value).is_none(), fits, "{word} and {value}");
        }
    }
}

#[test]
fn a_misspelt_field_of_a_vector_is_an_error_and_not_ignored() {
    for wrong in
        [json!({"call": "x", "expct": 1}), json!({"call": "x", "error": {"kode": "x"}}), json!({"input": {}})]
    {
        assert!(serde_json::from_value::<folkmoot_conformance::Step>(wrong).is_err());
    }
}
