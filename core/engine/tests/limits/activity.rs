//! Limits of activities, their feed, exports and replays.

use serde_json::json;

use super::case::{Case, limit, range};
use super::stage::{deep, names, text};

pub fn cases() -> Vec<Case> {
    let record = || json!({"agent_id": "x", "activity_type": "x"});
    let complete = || json!({"activity_id": "begun"});
    let begun = json!({"agent_id": "x", "activity_type": "x", "activity_id": "begun"});
    let begun = |case: Case| case.after("activity.record", begun.clone());
    let mut cases = vec![
        range("activity.record", json!({"activity_type": "x"}), "agent_id", text(256), text(257), "256"),
        range("activity.record", json!({"agent_id": "x"}), "activity_type", text(256), text(257), "256"),
        range("activity.record", record(), "activity_id", text(256), text(257), "256"),
        range("activity.record", record(), "department", text(256), text(257), "256"),
        range("activity.record", record(), "session_id", text(256), text(257), "256"),
        range("activity.record", record(), "task_id", text(256), text(257), "256"),
        range("activity.record", record(), "idempotency_key", text(256), text(257), "256"),
        limit("activity.record", record(), "related_agents", names(1_000), names(1_001)),
        limit("activity.record", record(), "related_agents", names(3), names(4)).with("max_items", 3),
        range("activity.record", record(), "related_agents[0]", text(256), text(257), "256"),
        limit("activity.record", record(), "metadata", json!({"k": text(92)}), json!({"k": text(93)}))
            .with("max_metadata_bytes", 100),
        limit("activity.record", record(), "metadata", json!({"k": deep(63)}), json!({"k": deep(64)})),
        begun(range("activity.complete", json!({}), "activity_id", text(256), text(257), "256")),
        begun(limit("activity.complete", complete(), "result", text(98), text(99)))
            .with("max_value_bytes", 100),
        begun(limit("activity.complete", complete(), "result", deep(64), deep(65))),
        begun(range("activity.complete", complete(), "idempotency_key", text(256), text(257), "256")),
        range("activity.feed", json!({}), "max_tokens", 10_000, 0, "must be at least 1"),
        range("activity.replay", json!({}), "speed", 0.001, 0.000_9, "from 0.001 to 1000000"),
        range("activity.replay", json!({}), "speed", 1_000_000, 1_000_001, "from 0.001 to 1000000"),
        range("activity.replay", json!({}), "speed", 0, -1, "\"max\", 0"),
        range("activity.replay", json!({}), "session_id", text(256), text(257), "256"),
        limit(
            "activity.replay",
            json!({"filter": {}}),
            "filter.kinds",
            vec!["task.*"; 100],
            vec!["task.*"; 101],
        ),
        range("activity.stats", json!({}), "bucket_seconds", 1, 0.9, "must be from 1 to 31622400"),
        range(
            "activity.stats",
            json!({}),
            "bucket_seconds",
            31_622_400,
            31_622_401,
            "must be from 1 to 31622400",
        ),
    ];
    for call in ["activity.feed", "activity.stats", "activity.export"] {
        let input = || if call == "activity.export" { json!({"format": "csv"}) } else { json!({}) };
        for field in ["agent_id", "department", "activity_type", "session_id", "task_id", "related_agent"] {
            cases.push(range(call, input(), field, text(256), text(257), "256"));
        }
        cases.push(limit(call, input(), "query", text(1_000), text(1_001)));
        if call != "activity.stats" {
            cases.push(limit(call, input(), "limit", 1_000, 1_001));
            cases.push(range(call, input(), "limit", 1, 0, "must be from 1 to 1000"));
        }
    }
    cases.push(limit("activity.replay", json!({}), "limit", 1_000, 1_001));
    cases
}
