//! Limits of sessions and channels.

use serde_json::{Value, json};

use super::case::{Case, limit, range};
use super::stage::{deep, names, text};

pub fn cases() -> Vec<Case> {
    let mut cases = starting();
    cases.extend(ruling());
    cases.extend(within());
    cases
}

fn starting() -> Vec<Case> {
    let start = || json!({"participants": ["x"]});
    let mut cases = vec![
        limit("session.start", json!({}), "participants", json!(["x"]), names(4)).with("max_items", 3),
        limit("session.start", json!({}), "participants", json!(["x"]), names(1_001)),
        range("session.start", start(), "participants[0]", "x", text(257), "256"),
        range("session.start", start(), "max_clients", 1, 0, "must be at least 1"),
        limit("session.start", start(), "max_clients", 1_000, 1_001),
        limit("session.start", start(), "max_clients", 3, 4).with("max_items", 3),
        limit("session.start", start(), "metadata", json!({"m": text(92)}), json!({"m": text(93)}))
            .with("max_metadata_bytes", 100),
        limit("session.start", start(), "state", json!({"m": text(92)}), json!({"m": text(93)}))
            .with("max_value_bytes", 100),
        limit("session.start", start(), "state", json!({"m": deep(3)}), json!({"m": deep(4)}))
            .with("max_json_depth", 4),
        limit("session.get", json!({"session_id": "x"}), "limit", 1_000, 1_001),
        limit("session.list", json!({}), "limit", 1_000, 1_001),
        limit("session.list", json!({}), "max_tokens", 1_000, 1),
        limit("session.end", json!({"session_id": "x"}), "outcome", text(98), text(99))
            .with("max_metadata_bytes", 100),
        limit("session.invite", json!({"session_id": "x"}), "invitees", json!(["y"]), names(4))
            .with("max_items", 3),
        limit("session.invite", json!({"session_id": "x"}), "invitees", json!(["x", "y"]), json!(["x", "z"]))
            .with("max_participants", 2)
            .after("agent.register", json!({"name": "z"})),
    ];
    for field in ["session_id", "kind", "name", "team_id", "project_id"] {
        cases.push(range("session.start", start(), field, text(256), text(257), "256"));
    }
    cases
}

fn ruling() -> Vec<Case> {
    let set = |rules: Value| json!({"session_id": "x", "rules": rules});
    let rate = || set(json!({"rate": {"messages": 1, "seconds": 1}}));
    let post = || set(json!({"post": [{"who": ["x"]}]}));
    let rules = |count: usize| -> Vec<Value> {
        names(count).into_iter().map(|name| json!({"who": [name]})).collect()
    };
    let call = "session.set_rules";
    vec![
        range(call, set(json!({})), "rules.max_participants", 1, 0, "must be at least 1"),
        limit(call, set(json!({})), "rules.max_participants", 100, 101),
        range(call, rate(), "rules.rate.messages", 1, 0, "must be at least 1"),
        limit(call, rate(), "rules.rate.messages", 1_000, 1_001),
        range(call, rate(), "rules.rate.seconds", 0.001, 0, "must be from 0.001 to"),
        limit(call, set(json!({})), "rules.post", rules(100), rules(101)),
        limit(call, post(), "rules.post[0].who", names(100), names(101)),
        range(call, post(), "rules.post[0].channel", text(256), text(257), "256"),
        limit(call, post(), "rules.post[0].message_types", names(100), names(101)),
        limit(call, set(json!({})), "rules.required_reviewers", names(100), names(101)),
    ]
}

fn within() -> Vec<Case> {
    let decide = || json!({"session_id": "x", "agent_id": "x", "decision": "d"});
    let patch = || json!({"session_id": "x", "agent_id": "x"});
    let create = || json!({"session_id": "x", "channel": "c", "type": "broadcast"});
    let post = || json!({"session_id": "x", "agent_id": "x", "channel": "general", "message_type": "text", "content": "c"});
    let general = || json!({"session_id": "x", "channel": "general"});
    vec![
        limit("session.record_decision", decide(), "decision", text(100), text(101))
            .with("max_text_bytes", 100),
        limit("session.record_decision", decide(), "rationale", text(100), text(101))
            .with("max_text_bytes", 100),
        limit("session.record_decision", decide(), "alternatives", names(100), names(101)),
        limit("session.record_decision", decide(), "alternatives[0]", text(98), text(99))
            .with("max_text_bytes", 100),
        limit("session.record_decision", decide(), "links", names(100), names(101)),
        range("session.record_decision", decide(), "decision_id", text(256), text(257), "256"),
        limit("session.patch_state", patch(), "patch", json!({"m": text(92)}), json!({"m": text(93)}))
            .with("max_value_bytes", 100),
        range(
            "session.join",
            json!({"session_id": "x", "agent_id": "y"}),
            "role",
            text(256),
            text(257),
            "256",
        ),
        range("session.connect", json!({"session_id": "x"}), "client_id", text(256), text(257), "256"),
        range("channel.create", create(), "channel", text(256), text(257), "256"),
        limit("channel.create", create(), "message_types", names(100), names(101)),
        limit("channel.create", create(), "roles", names(100), names(101)),
        limit("channel.post", post(), "content", text(100), text(101)).with("max_message_bytes", 100),
        limit("channel.post", post(), "metadata", json!({"m": text(92)}), json!({"m": text(93)}))
            .with("max_metadata_bytes", 100),
        limit("channel.history", general(), "limit", 1_000, 1_001),
        limit("channel.history", general(), "max_tokens", 1_000, 1).after("channel.post", post()),
    ]
}
