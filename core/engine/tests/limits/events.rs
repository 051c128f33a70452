//! Limits of events, filters and consumers.

use serde_json::json;

use super::case::{Case, limit, range};
use super::stage::{deep, names, text};

pub fn cases() -> Vec<Case> {
    let publish = || json!({"event_type": "x", "source_agent": "x"});
    let mut cases = vec![
        range("event.publish", json!({"source_agent": "x"}), "event_type", text(256), text(257), "256"),
        range("event.publish", json!({"event_type": "x"}), "source_agent", text(256), text(257), "256"),
        range("event.publish", publish(), "correlation_id", text(256), text(257), "256"),
        limit("event.publish", publish(), "target_agents", names(1_000), names(1_001)),
        limit("event.publish", publish(), "target_agents", names(3), names(4)).with("max_items", 3),
        range("event.publish", publish(), "target_agents[0]", text(256), text(257), "256"),
        limit("event.publish", publish(), "payload", text(98), text(99)).with("max_value_bytes", 100),
        limit("event.publish", publish(), "payload", deep(64), deep(65)),
        range("event.publish", publish(), "idempotency_key", text(256), text(257), "256"),
        limit("event.read", json!({}), "limit", 1_000, 1_001),
        range("event.read", json!({}), "limit", 1, 0, "must be from 1 to 1000"),
        range("event.read", json!({}), "after", 0, 1_000_000, "at most the newest seq"),
        range("consumer.open", json!({}), "name", text(256), text(257), "256"),
        range("consumer.open", json!({"name": "new"}), "after", 0, 1_000_000, "at most the newest seq"),
        range("consumer.ack", json!({"name": "x"}), "seq", 0, 1_000_000, "at most the newest seq"),
        limit("consumer.read", json!({"name": "x"}), "limit", 1_000, 1_001),
        range("consumer.read", json!({"name": "x"}), "wait_seconds", 0, 3_600.5, "must be from 0 to 3600"),
    ];
    for (call, input) in
        [("event.read", json!({"filter": {}})), ("consumer.open", json!({"name": "x", "filter": {}}))]
    {
        let kinds = |count: usize| vec!["task.*"; count];
        cases.extend([
            limit(call, input.clone(), "filter.kinds", kinds(100), kinds(101)),
            limit(call, input.clone(), "filter.event_types", names(100), names(101)),
            limit(call, input.clone(), "filter.agents", names(100), names(101)),
            range(call, input.clone(), "filter.key_prefix", text(256), text(257), "256"),
            range(call, input.clone(), "filter.session_id", text(256), text(257), "256"),
            range(call, input.clone(), "filter.task_id", text(256), text(257), "256"),
            range(call, input.clone(), "filter.correlation_id", text(256), text(257), "256"),
        ]);
    }
    cases
}
