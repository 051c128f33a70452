//! Every list can be read in parts: by `limit`, from where the part before ended, and by `max_tokens` for a reader with a
//! small context, which is told how much was left out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use folkmoot_engine::operations::{OPERATIONS, Operation};
use serde_json::Value;

/// Answers with records in them that are no lists to page through, each with the reason.
const NO_LISTS: [(&str, &str); 8] = [
    ("activity.replay", "what happened, played to a screen at its pace; activity.feed is read in parts"),
    ("activity.stats", "figures, a bounded number of each sort"),
    ("activity.status", "the summary that everyone hears, whole; agent.list is read in parts"),
    ("task.get", "one task; its log and steps are read in parts by task.history"),
    ("message.get", "one message"),
    ("message.stats", "figures, a bounded number of each sort"),
    ("thread.summarize", "a digest of a bounded size"),
    ("hub.stats", "figures"),
];

/// What needs no cursor, each with the reason.
const NO_CURSOR: [(&str, &str); 6] = [
    ("message.inbox", "goes on as messages are marked"),
    ("consumer.read", "goes on as events are acknowledged"),
    ("memory.get_many", "is as long as what was asked for"),
    ("task.board", "its columns are read on by task.list"),
    ("task.history", "is of a bounded size"),
    ("session.get", "its messages are read on by message.list, its activities by activity.feed"),
];

fn fields(schema: &Value) -> Vec<String> {
    schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

/// Whether an answer holds a list of records at its top.
fn answers_records(operation: &Operation) -> bool {
    let schema = Value::from((operation.output_schema)());
    schema["properties"].as_object().into_iter().flatten().any(|(_, field)| {
        let item = &field["items"];
        item.get("$ref").is_some()
            || item["anyOf"].as_array().is_some_and(|any| any.iter().any(|one| one.get("$ref").is_some()))
    })
}

#[test]
fn every_list_is_read_in_parts_and_says_what_it_left_out() {
    let reads = OPERATIONS.iter().filter(|operation| operation.scope.ends_with(":read"));
    let mut lists = 0;
    for operation in reads.filter(|operation| answers_records(operation)) {
        let name = operation.name;
        if NO_LISTS.iter().any(|(known, _)| *known == name) {
            continue;
        }
        lists += 1;
        let takes = fields(&Value::from((operation.input_schema)()));
        let gives = fields(&Value::from((operation.output_schema)()));
        let has = |field: &str| takes.iter().any(|taken| taken == field);
        assert!(has("max_tokens"), "{name} takes no max_tokens: {takes:?}");
        assert!(
            gives.iter().any(|given| given == "left_out"),
            "{name} does not count what it left out: {gives:?}"
        );
        let goes_on = has("after") || (has("cursor") && gives.iter().any(|given| given == "next_cursor"));
        assert!(
            goes_on || NO_CURSOR.iter().any(|(known, _)| *known == name),
            "{name} does not go on where it ended: {takes:?} {gives:?}"
        );
        assert!(has("limit") || name == "memory.get_many" || name == "task.history", "{name} takes no limit");
    }
    assert!(lists >= 15, "only {lists} lists were found in the table");
    for (name, why) in NO_LISTS.iter().chain(&NO_CURSOR) {
        assert!(OPERATIONS.iter().any(|operation| operation.name == *name), "{name} ({why}) is no operation");
    }
}
