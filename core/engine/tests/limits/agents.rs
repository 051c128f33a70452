//! Limits of agents and their presence.

use serde_json::{Value, json};

use super::case::{Case, limit, range};
use super::stage::{names, text};

pub fn cases() -> Vec<Case> {
    let register = || json!({"name": "z"});
    let update = || json!({"agent_id": "x"});
    let many = |count: usize| -> Value {
        names(count).into_iter().map(|name| (name, Value::Null)).collect::<serde_json::Map<_, _>>().into()
    };
    let mut cases = vec![
        range(
            "agent.register",
            json!({"agent_id": "z"}),
            "name",
            text(256),
            text(257),
            "at most 256 bytes, is 257",
        ),
        range("agent.register", register(), "agent_id", text(256), text(257), "at most 256 bytes"),
        range("agent.register", register(), "agent_id", "a", "", "1 to 256 bytes"),
        range("agent.register", register(), "agent_id", "a", " \t ", "visible text"),
        range("agent.register", register(), "agent_id", "a b", "a\u{7}b", "control or invisible"),
        range("agent.register", register(), "agent_id", "é", "a\u{202e}b", "control or invisible"),
        range("agent.register", register(), "max_load", 1, 0, "must be from 1 to 10000; got 0"),
        range("agent.register", register(), "max_load", 10_000, 10_001, "must be from 1 to 10000; got 10001"),
        limit("agent.register", register(), "capabilities", names(1_000), names(1_001)),
        limit("agent.register", register(), "capabilities", many(1_000), many(1_001)),
        range(
            "agent.register",
            json!({"name": "z", "capabilities": {}}),
            "capabilities.rust",
            1.0,
            1.001,
            "from 0 to 1",
        ),
        range(
            "agent.register",
            json!({"name": "z", "capabilities": {}}),
            "capabilities.rust",
            0.0,
            -0.001,
            "from 0 to 1",
        ),
        limit("agent.register", register(), "metadata", json!({"m": text(92)}), json!({"m": text(93)}))
            .with("max_metadata_bytes", 100),
        limit(
            "agent.register",
            register(),
            "metadata",
            json!({"m": text(65_528)}),
            json!({"m": text(65_529)}),
        ),
        range("agent.register", register(), "metadata", json!({}), json!([]), "must be a JSON object"),
        range(
            "agent.register",
            json!({"name": "z", "location": {}}),
            "location.host",
            text(256),
            text(257),
            "256",
        ),
        range(
            "agent.register",
            json!({"name": "z", "location": {}}),
            "location.workspace",
            text(256),
            text(257),
            "256",
        ),
        limit("agent.set_status", json!({"agent_id": "x", "status": "idle"}), "detail", text(100), text(101))
            .with("max_text_bytes", 100),
        range("agent.set_status", json!({"agent_id": "x", "status": "idle"}), "detail", "a", "a\0", "NUL"),
        limit("presence.update", update(), "tokens", 1u64 << 50, (1u64 << 50) + 1),
        range(
            "presence.update",
            json!({"agent_id": "x", "location": {}}),
            "location.host",
            text(256),
            text(257),
            "256",
        ),
        limit("agent.list", json!({}), "limit", 1_000, 1_001),
        range("agent.list", json!({}), "limit", 1, 0, "must be from 1 to 1000"),
    ];
    for field in ["type", "role", "specialization", "department"] {
        cases.push(range("agent.register", register(), field, text(256), text(257), "256"));
    }
    for field in ["type", "role", "capability"] {
        cases.push(range("agent.list", json!({}), field, text(256), text(257), "256"));
    }
    for field in ["event", "tool_name", "feature_id", "task_id", "session_id"] {
        cases.push(range("presence.update", update(), field, text(256), text(257), "256"));
    }
    cases
}
