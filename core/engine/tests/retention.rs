//! What a task or a key says outlives the events that said it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use folkmoot_engine::seams::Seams;
use folkmoot_engine::tasks::{self, Claim, ClaimMany, Complete, CreateMany, NewTask, TaskStatus};
use folkmoot_engine::{Durability, Hub, HubConfig, agents, memory};
use serde_json::json;

fn hub() -> Hub {
    let config = HubConfig {
        durability: Durability::Normal,
        retain_events: 5,
        retain_versions: 3,
        ..HubConfig::default()
    };
    // Nothing tends this hub but the test.
    Hub::open_with(":memory:", config, Seams { background: false, ..Seams::default() }).unwrap()
}

/// Retention takes everything but the newest events.
fn forget(hub: &Hub) {
    for n in 0..20 {
        hub.run(memory::Set::new("noise", json!(n))).unwrap();
    }
    hub.tend().unwrap();
    let status = hub.call("hub.status", b"{}").unwrap();
    let status: serde_json::Value = serde_json::from_slice(&status).unwrap();
    let (base, head) = (status["base_seq"].as_u64().unwrap(), status["seq"].as_u64().unwrap());
    assert!(base + 15 > head, "the log begins after {base} and ends at {head}");
    hub.check().unwrap();
}

fn get(hub: &Hub, task_id: &str) -> tasks::Task {
    hub.run(tasks::Get { task_id: task_id.to_owned() }).unwrap()
}

#[test]
fn a_task_outlives_its_events_and_is_worked_on_as_before() {
    let hub = hub();
    hub.run(agents::Register::new("ana")).unwrap();
    let tasks = ["a", "b", "c"].map(|id| NewTask {
        title: format!("task {id}"),
        task_id: Some(id.to_owned()),
        description: Some("kept".to_owned()),
        ..NewTask::default()
    });
    let made = CreateMany { creator_id: "boss".into(), tasks: tasks.into(), idempotency_key: None };
    hub.run(made).unwrap();
    let held = hub.run(Claim::new("ana")).unwrap().unwrap();
    let before = ["a", "b", "c"].map(|id| get(&hub, id));
    for _ in 0..2 {
        forget(&hub);
        assert_eq!(["a", "b", "c"].map(|id| get(&hub, id)), before);
    }
    let listed = hub.run(tasks::List::default()).unwrap().tasks;
    assert_eq!(listed.iter().map(|task| task.task_id.as_str()).collect::<Vec<_>>(), ["c", "b", "a"]);

    let done = Complete {
        task_id: held.task_id,
        agent_id: held.agent_id,
        token: Some(held.token),
        ..Complete::default()
    };
    assert_eq!(hub.run(done).unwrap().status, TaskStatus::Completed);
    let rest = ClaimMany { agent_id: "ana".into(), count: 5, ..ClaimMany::default() };
    assert_eq!(hub.run(rest).unwrap().tasks.len(), 2);
    let after = ["a", "b", "c"].map(|id| get(&hub, id));
    forget(&hub);
    assert_eq!(["a", "b", "c"].map(|id| get(&hub, id)), after);
}

#[test]
fn a_key_outlives_its_events_and_its_versions_go_on() {
    let hub = hub();
    let value = |key: &str| hub.run(memory::Get::new(key)).unwrap().value.to_value();
    let versions = || -> Vec<u64> {
        let history = memory::History {
            key: "plan".into(),
            agent_id: None,
            limit: None,
            cursor: None,
            max_tokens: None,
        };
        hub.run(history).unwrap().versions.iter().map(|entry| entry.version).collect()
    };
    hub.run(memory::Set::new("plan", json!({"n": 1}))).unwrap();
    hub.run(memory::Set::new("quiet", json!("kept"))).unwrap();
    forget(&hub);
    assert_eq!((value("plan"), value("quiet")), (json!({"n": 1}), json!("kept")));
    for n in 2..=5 {
        let set = memory::Set { expected_version: Some(n - 1), ..memory::Set::new("plan", json!({"n": n})) };
        assert_eq!(hub.run(set).unwrap().created_at, hub.run(memory::Get::new("plan")).unwrap().created_at);
        forget(&hub);
        let oldest = n.saturating_sub(2).max(1);
        assert_eq!(versions(), (oldest..=n).rev().collect::<Vec<_>>());
    }
    assert_eq!((value("plan"), value("quiet")), (json!({"n": 5}), json!("kept")));
    hub.run(memory::Delete {
        key: "quiet".into(),
        agent_id: None,
        expected_version: None,
        idempotency_key: None,
    })
    .unwrap();
    forget(&hub);
    assert!(hub.run(memory::Get::new("quiet")).is_err());
}
