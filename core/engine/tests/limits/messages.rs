//! Limits of messages.

use serde_json::{Value, json};

use super::case::{Case, limit, range};
use super::stage::{names, text};

pub fn cases() -> Vec<Case> {
    let send = || json!({"sender_id": "x", "content": "hello"});
    let attached =
        || json!({"sender_id": "x", "content": "hello", "attachments": [{"name": "a", "uri": "file:a"}]});
    let attachments = |count: usize| -> Vec<Value> {
        names(count).into_iter().map(|name| json!({"name": name, "uri": "file:a"})).collect()
    };
    let react = || json!({"message_id": "x", "agent_id": "x", "reaction": "b"});
    let search = || json!({"query": "x"});
    let mut cases = vec![
        limit("message.send", send(), "content", text(100), text(101)).with("max_message_bytes", 100),
        limit("message.send", send(), "content", text(256 << 10), text((256 << 10) + 1)),
        range("message.send", send(), "content", "a", "", "must not be empty"),
        range("message.send", send(), "content", "a", "a\0", "NUL"),
        limit("message.ask", json!({"sender_id": "x", "wait_seconds": 0}), "content", text(100), text(101))
            .with("max_message_bytes", 100),
        range(
            "message.ask",
            json!({"sender_id": "x", "content": "?"}),
            "wait_seconds",
            0,
            3_600.5,
            "must be from 0 to 3600",
        ),
        range(
            "message.ask",
            json!({"sender_id": "x", "content": "?"}),
            "wait_seconds",
            0,
            -0.1,
            "must be from 0 to 3600",
        ),
        limit("message.edit", json!({"message_id": "x"}), "content", text(100), text(101))
            .with("max_message_bytes", 100),
        limit("message.send", send(), "metadata", json!({"m": text(92)}), json!({"m": text(93)}))
            .with("max_metadata_bytes", 100),
        limit("message.send", send(), "attachments", attachments(100), attachments(101)),
        limit("message.send", attached(), "attachments[0].uri", text(2_048), text(2_049)),
        range("message.send", attached(), "attachments[0].uri", "a", " ", "visible text"),
        range("message.send", attached(), "attachments[0].name", text(256), text(257), "256"),
        range("message.send", attached(), "attachments[0].media_type", text(256), text(257), "256"),
        limit("message.send", send(), "recipients", vec!["x"; 3], vec!["x"; 4]).with("max_items", 3),
        limit("message.send", send(), "recipients", vec!["x"; 1_000], vec!["x"; 1_001]),
        range("message.send", send(), "recipients[0]", "x", text(257), "256"),
        limit("message.redact", json!({"message_id": "x"}), "reason", text(100), text(101))
            .with("max_text_bytes", 100),
        limit("message.react", react(), "reaction", text(64), text(65)),
        range("message.react", react(), "reaction", "a", "", "1 to 256 bytes"),
        limit("message.react", react(), "reaction", "a", "b")
            .with("max_items", 1)
            .after("message.react", json!({"message_id": "x", "agent_id": "x", "reaction": "a"})),
        limit("message.unreact", react(), "reaction", text(64), text(65)),
        limit("message.ack", json!({"message_id": "all"}), "agent_id", "x", "y")
            .with("max_items", 1)
            .after("agent.register", json!({"name": "z"}))
            .after("message.send", json!({"sender_id": "z", "content": "all", "message_id": "all"}))
            .after("message.ack", json!({"message_id": "all", "agent_id": "x"})),
        limit("message.mark_read", json!({"agent_id": "x"}), "message_ids", vec!["x"; 3], vec!["x"; 4])
            .with("max_items", 3),
        range("message.mark_read", json!({"agent_id": "x"}), "message_ids[0]", "x", text(257), "256"),
        range("message.inbox", json!({"agent_id": "x"}), "wait_seconds", 0, 3_601, "must be from 0 to 3600"),
        range("message.inbox", json!({"agent_id": "x"}), "max_tokens", 1_000, 0, "at least 1"),
        limit("message.inbox", json!({"agent_id": "x"}), "limit", 1_000, 1_001),
        limit("message.list", json!({}), "limit", 1_000, 1_001),
        range("message.list", json!({}), "limit", 1, 0, "must be from 1 to 1000"),
        range("message.list", json!({}), "max_tokens", 1_000, 0, "at least 1"),
        range("message.list", json!({}), "cursor", "37", "zz", "next_cursor of an earlier answer"),
        limit("message.search", json!({}), "query", text(1_000), text(1_001)),
        range("message.search", json!({}), "query", "a", "!", "at least one word"),
        limit("message.search", search(), "limit", 1_000, 1_001),
        range("message.search", search(), "max_tokens", 1_000, 0, "at least 1"),
        range("message.stats", json!({}), "bucket_seconds", 1, 0.5, "must be from 1 to 31622400 seconds"),
        range(
            "message.stats",
            json!({}),
            "bucket_seconds",
            31_622_400,
            31_622_401,
            "must be from 1 to 31622400 seconds",
        ),
        limit("thread.get", json!({"thread_id": "x"}), "limit", 1_000, 1_001),
        range("thread.get", json!({"thread_id": "x"}), "max_tokens", 1_000, 0, "at least 1"),
        range("thread.summarize", json!({}), "thread_id", "x", text(257), "256"),
        range("thread.summarize", json!({}), "session_id", "x", text(257), "256"),
    ];
    for field in ["message_id", "session_id", "message_type", "task_id", "thread_id"] {
        cases.push(range("message.send", send(), field, text(256), text(257), "256"));
    }
    for field in
        ["sender_id", "recipient_id", "session_id", "channel", "task_id", "thread_id", "message_type"]
    {
        cases.push(range("message.list", json!({}), field, text(256), text(257), "256"));
        cases.push(range("message.search", search(), field, text(256), text(257), "256"));
    }
    cases
}
