//! Limits of shared memory.

use serde_json::{Value, json};

use super::case::{Case, limit, range};
use super::stage::{deep, names, text};

pub fn cases() -> Vec<Case> {
    let mut cases = setting();
    cases.extend(others());
    cases
}

fn setting() -> Vec<Case> {
    let set = || json!({"key": "k", "value": 1});
    let entries = |count: usize| -> Vec<Value> {
        names(count).into_iter().map(|key| json!({"key": key, "value": 1})).collect()
    };
    let one = || json!({"entries": [{"key": "k", "value": 1}]});
    vec![
        range("memory.set", set(), "key", text(256), text(257), "256"),
        range("memory.set", set(), "key", "a/b", "", "1 to 256 bytes"),
        limit("memory.set", set(), "value", text(98), text(99)).with("max_value_bytes", 100),
        limit("memory.set", set(), "value", text((1 << 20) - 2), text((1 << 20) - 1)),
        limit("memory.set", set(), "value", deep(64), deep(65)),
        limit("memory.set", set(), "value", deep(3), deep(4)).with("max_json_depth", 3),
        range("memory.set", set(), "ttl_seconds", 0.001, 0.0009, "from 0.001 to 31622400 seconds"),
        range("memory.set", set(), "ttl_seconds", 31_622_400, 31_622_401, "from 0.001 to 31622400 seconds"),
        range("memory.set", set(), "agent_id", text(256), text(257), "256"),
        limit(
            "memory.set",
            json!({"key": "k", "value": 1, "access_control": {}}),
            "access_control.read",
            names(1_000),
            names(1_001),
        ),
        limit(
            "memory.set",
            json!({"key": "k", "value": 1, "access_control": {}}),
            "access_control.write",
            names(1_000),
            names(1_001),
        ),
        limit("memory.set_many", json!({}), "entries", entries(1_000), entries(1_001)),
        limit("memory.set_many", json!({}), "entries", entries(3), entries(4)).with("max_items", 3),
        limit("memory.set_many", one(), "entries[0].value", text(98), text(99)).with("max_value_bytes", 100),
        range("memory.set_many", one(), "entries[0].ttl_seconds", 0.001, 0, "from 0.001 to 31622400 seconds"),
        range("memory.set_many", one(), "entries[0].key", text(256), text(257), "256"),
        range(
            "memory.set_many",
            json!({"entries": [{"key": "k"}, {"key": "l"}]}),
            "entries[1].key",
            "m",
            "k",
            "stands twice",
        ),
        limit("memory.patch", json!({"key": "obj"}), "patch", json!({"m": text(92)}), json!({"m": text(93)}))
            .with("max_value_bytes", 100)
            .after("memory.set", json!({"key": "obj", "value": {}})),
        // The patch itself fits; what it would make does not.
        limit("memory.patch", json!({"key": "obj", "patch": {"b": text(30)}}), "value", 0, 0)
            .of(
                json!({"key": "obj", "patch": {"b": text(9)}}),
                json!({"key": "obj", "patch": {"b": text(50)}}),
            )
            .with("max_value_bytes", 100)
            .after("memory.set", json!({"key": "obj", "value": {"a": text(60)}})),
    ]
}

fn others() -> Vec<Case> {
    let increment = || json!({"key": "x"});
    vec![
        range("memory.increment", increment(), "by", i64::MAX - 1, i64::MAX, "past the largest number"),
        range(
            "memory.increment",
            increment(),
            "by",
            json!(1e308),
            json!(1.79e308),
            "past the largest number",
        )
        .after("memory.set", json!({"key": "x", "value": 1e307})),
        limit("memory.get_many", json!({}), "keys", names(1_000), names(1_001)),
        range("memory.get_many", json!({}), "keys[0]", text(256), text(257), "256"),
        limit("memory.list", json!({}), "limit", 1_000, 1_001),
        range("memory.list", json!({}), "limit", 1, 0, "must be from 1 to 1000"),
        range("memory.list", json!({}), "prefix", text(256), text(257), "256"),
        range("memory.search", json!({"query": "x"}), "prefix", text(256), text(257), "256"),
        range("memory.list", json!({}), "cursor", "61", "6", "next_cursor of an earlier answer"),
        limit("memory.history", json!({"key": "x"}), "limit", 1_000, 1_001),
        limit("memory.search", json!({}), "query", text(1_000), text(1_001)),
        range("memory.search", json!({}), "query", "a", "?!", "at least one word"),
        range("memory.set_access", json!({}), "prefix", text(256), text(257), "256"),
        limit("memory.set_access", json!({"prefix": ""}), "read", names(1_000), names(1_001)),
        limit(
            "memory.record_update",
            json!({"operation": "x", "item_id": "x", "agent_id": "x"}),
            "metadata",
            json!({"m": text(92)}),
            json!({"m": text(93)}),
        )
        .with("max_metadata_bytes", 100),
        range(
            "memory.record_update",
            json!({"item_id": "x", "agent_id": "x"}),
            "operation",
            text(256),
            text(257),
            "256",
        ),
        range(
            "memory.record_update",
            json!({"operation": "x", "agent_id": "x"}),
            "item_id",
            text(256),
            text(257),
            "256",
        ),
    ]
}
