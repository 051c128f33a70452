//! A hub with one of everything, all called `x`, and what can be seen of it.

use folkmoot_engine::{Code, Durability, Error, Hub, HubConfig, Result};
use serde_json::{Value, json};

/// Opens a hub with these keys of the configuration.
pub fn open(keys: &[(&str, u64)]) -> Hub {
    let mut config = serde_json::to_value(HubConfig {
        durability: Durability::Memory,
        status_interval_seconds: 0.0,
        // On a busy machine a sweep takes longer than the usual times: nobody is to lapse meanwhile.
        presence_ttl_seconds: 3_600.0,
        lease_seconds: 3_600.0,
        retry_seconds: 0.0,
        ..HubConfig::default()
    })
    .unwrap();
    for (key, value) in keys {
        config[*key] = json!(value);
    }
    Hub::open(":memory:", HubConfig::from_json(&config).unwrap()).unwrap()
}

pub fn call(hub: &Hub, name: &str, input: &Value) -> Result<Value> {
    let answer = hub.call(name, input.to_string().as_bytes())?;
    Ok(serde_json::from_slice(&answer).unwrap())
}

/// Puts one of everything in; answers the token of the task, when it is held.
pub fn furnish(hub: &Hub, held: bool) -> u64 {
    let put = |name: &str, input: Value| {
        call(hub, name, &input).unwrap_or_else(|error| panic!("{name} {input}: {error:?}"))
    };
    put("agent.register", json!({"name": "x"}));
    put("agent.register", json!({"name": "y"}));
    put("task.create", json!({"creator_id": "x", "title": "x", "task_id": "x"}));
    put(
        "message.send",
        json!({"sender_id": "y", "recipients": "x", "content": "x", "message_id": "x", "thread_id": "x"}),
    );
    put("memory.set", json!({"key": "x", "value": 1}));
    put("consumer.open", json!({"name": "x"}));
    put("session.start", json!({"session_id": "x", "participants": ["x"]}));
    put("session.join", json!({"session_id": "x", "agent_id": "y"}));
    if !held {
        return 1;
    }
    put("task.claim", json!({"agent_id": "x", "task_id": "x"}))["token"].as_u64().unwrap()
}

/// Everything that can be seen of a hub: its newest `seq`, its counts, and that its tables are the fold of its log.
pub fn seen(hub: &Hub) -> String {
    let status = call(hub, "hub.status", &json!({})).unwrap();
    let stats = call(hub, "hub.stats", &json!({})).unwrap();
    format!("seq {} {stats} {:?}", status["seq"], hub.check().unwrap())
}

/// Whether a refusal is of what was given, and not of what is or is not there.
pub fn is_of_input(error: &Error) -> bool {
    matches!(error.code(), Code::InvalidInput | Code::LimitExceeded)
}

/// The field that an error names.
pub fn field(error: &Error) -> &str {
    error.details().get("field").and_then(Value::as_str).unwrap_or_default()
}

/// Text of this many bytes.
pub fn text(bytes: usize) -> String {
    "x".repeat(bytes)
}

/// Different names, this many.
pub fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("n{i}")).collect()
}

/// Nested lists, this deep.
pub fn deep(levels: usize) -> Value {
    (0..levels).fold(json!(0), |inside, _| json!([inside]))
}
