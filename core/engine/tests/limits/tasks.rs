//! Limits of tasks.

use serde_json::{Value, json};

use super::case::{Case, limit, range};
use super::stage::{names, text};

pub fn cases() -> Vec<Case> {
    let mut cases = making();
    cases.extend(working());
    cases
}

fn making() -> Vec<Case> {
    let create = || json!({"creator_id": "x", "title": "t"});
    let update = || json!({"task_id": "x"});
    let many = |count: usize| -> Vec<Value> {
        names(count).into_iter().map(|title| json!({"title": title})).collect()
    };
    let one = || json!({"creator_id": "x", "tasks": [{"title": "t"}]});
    let mut cases = vec![
        limit("task.create_many", json!({"creator_id": "x"}), "tasks", many(3), many(4)).with("max_items", 3),
        limit("task.create_many", json!({"creator_id": "x"}), "tasks", many(1_000), many(1_001)),
        limit("task.create_many", one(), "tasks[0].title", text(1_000), text(1_001)),
        range("task.create_many", one(), "tasks[0].priority", 9, 10, "must be from 0 to 9"),
        range("task.create", json!({"title": "t"}), "creator_id", text(256), text(257), "256"),
        range("task.create", create(), "task_id", text(256), text(257), "256"),
        range("task.create", create(), "session_id", text(256), text(257), "256"),
        range("task.create", create(), "parent_id", "x", text(257), "256"),
        range("task.create", create(), "assign_to", "x", text(257), "256"),
        range("task.create", create(), "requires[0]", text(256), text(257), "256"),
        range("task.create", create(), "depends_on[0]", "x", text(257), "256"),
    ];
    for (call, input) in [("task.create", create()), ("task.update", update())] {
        cases.extend([
            limit(call, input.clone(), "title", text(1_000), text(1_001)),
            range(call, input.clone(), "title", "a", " ", "a line of visible text"),
            limit(call, input.clone(), "description", text(100), text(101)).with("max_text_bytes", 100),
            limit(call, input.clone(), "description", text(64 << 10), text((64 << 10) + 1)),
            range(call, input.clone(), "priority", 0, -1, "from 0 to 255"),
            range(call, input.clone(), "priority", 9, 10, "must be from 0 to 9"),
            range(call, input.clone(), "max_attempts", 1, 0, "must be from 1 to 1000"),
            range(call, input.clone(), "max_attempts", 1_000, 1_001, "must be from 1 to 1000"),
            range(call, input.clone(), "estimated_duration", 0, -0.5, "must be from 0 to 31622400 seconds"),
            range(
                call,
                input.clone(),
                "estimated_duration",
                31_622_400,
                31_622_401,
                "must be from 0 to 31622400 seconds",
            ),
            limit(call, input.clone(), "requires", names(1_000), names(1_001)),
            limit(call, input.clone(), "requires", names(3), names(4)).with("max_items", 3),
            limit(call, input.clone(), "depends_on", json!([]), vec!["x"; 1_001]),
            limit(call, input, "requirements", json!({"m": text(92)}), json!({"m": text(93)}))
                .with("max_metadata_bytes", 100),
        ]);
    }
    cases
}

fn working() -> Vec<Case> {
    let claim = || json!({"agent_id": "x"});
    let held = || json!({"task_id": "x", "agent_id": "x"});
    let done =
        |value: Value| json!({"agent_id": "x", "tasks": [{"task_id": "x", "token": 1, "result": value}]});
    let completed = |count: usize| -> Vec<Value> {
        names(count).into_iter().map(|id| json!({"task_id": id, "token": 1})).collect()
    };
    let mut cases = vec![
        range("task.claim", claim(), "lease_seconds", 0.05, 0.049, "must be from 0.05 to 86400"),
        range("task.claim", claim(), "lease_seconds", 86_400, 86_401, "must be from 0.05 to 86400"),
        range("task.claim", claim(), "wait_seconds", 0, 3_600.5, "must be from 0 to 3600"),
        range("task.claim", claim(), "task_id", "x", text(257), "256"),
        range("task.claim_many", claim(), "count", 1, 0, "at least 1"),
        limit("task.claim_many", claim(), "count", 1_000, 1_001),
        limit("task.claim_many", claim(), "count", 3, 4).with("max_items", 3),
        range(
            "task.claim_many",
            json!({"agent_id": "x", "count": 1}),
            "lease_seconds",
            86_400,
            86_401,
            "must be from 0.05 to 86400",
        ),
        range("task.renew", held(), "lease_seconds", 86_400, 86_401, "must be from 0.05 to 86400")
            .held("token"),
        range("task.renew", held(), "lease_seconds", 0.05, 0.01, "must be from 0.05 to 86400").held("token"),
        range("task.progress", held(), "progress", 0, -0.1, "must be from 0 to 100").held("token"),
        range("task.progress", held(), "progress", 100, 100.1, "must be from 0 to 100").held("token"),
        range("task.progress", held(), "phase", text(256), text(257), "256").held("token"),
        limit("task.progress", held(), "log", text(4_096), text(4_097)).held("token"),
        range("task.progress", held(), "log", "a", "a\0", "NUL").held("token"),
        range(
            "task.progress",
            json!({"task_id": "x", "agent_id": "x", "log": {"level": "info", "message": "m"}}),
            "log.level",
            text(256),
            text(257),
            "256",
        )
        .held("token"),
        limit("task.complete", held(), "result", text(98), text(99))
            .with("max_value_bytes", 100)
            .held("token"),
        limit("task.complete_many", done(json!(1)), "tasks[0].result", text(98), text(99))
            .with("max_value_bytes", 100)
            .held("tasks[0].token"),
        limit("task.complete_many", json!({"agent_id": "x"}), "tasks", completed(3), completed(4))
            .with("max_items", 3),
        limit("task.fail", held(), "error", text(100), text(101)).with("max_text_bytes", 100).held("token"),
        limit("task.cancel", json!({"task_id": "x"}), "reason", text(100), text(101))
            .with("max_text_bytes", 100),
        range("task.wait", json!({"task_id": "x"}), "wait_seconds", 0, 3_600.5, "must be from 0 to 3600"),
        limit("task.list", json!({}), "limit", 1_000, 1_001),
        limit("task.list", json!({}), "max_tokens", 1_000, 1),
        limit("task.rebalance", json!({}), "limit", 1_000, 1_001),
        range("task.rebalance", json!({}), "limit", 1, 0, "must be from 1 to 1000"),
        range("task.list", json!({}), "limit", 1, 0, "must be from 1 to 1000"),
        range("task.list", json!({}), "cursor", "37", "3g", "next_cursor of an earlier answer"),
        range("task.assign", json!({"task_id": "x"}), "agent_id", "x", text(257), "256"),
        range("task.board", json!({}), "session_id", text(256), text(257), "256"),
        limit("task.board", json!({}), "limit", 1_000, 1_001),
    ];
    for field in ["agent_id", "creator_id", "session_id", "parent_id", "requires"] {
        cases.push(range("task.list", json!({}), field, text(256), text(257), "256"));
    }
    cases
}
