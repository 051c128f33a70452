//! What memory promises.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use folkmoot_engine::{Code, Durability, Filter, Hub, HubConfig, Item, Principal, memory};
use serde_json::json;

fn config() -> HubConfig {
    HubConfig { durability: Durability::Normal, ..HubConfig::default() }
}

#[test]
fn every_change_makes_a_version_and_an_expected_one_must_be_the_newest() {
    let hub = Hub::open(":memory:", config()).unwrap();
    let set = |value: i32, expected| {
        hub.run(memory::Set { expected_version: expected, ..memory::Set::new("plans/q3", json!(value)) })
    };
    assert_eq!(set(1, Some(0)).unwrap().version, 1);
    assert_eq!(set(2, Some(1)).unwrap().version, 2);
    let error = set(3, Some(1)).unwrap_err();
    assert_eq!(error.code(), Code::Conflict);
    assert_eq!(error.details()["current_version"], 2);
    assert_eq!(hub.run(memory::Get::new("plans/q3")).unwrap().value.to_value(), json!(2));
    let old = memory::Get { version: Some(1), ..memory::Get::new("plans/q3") };
    assert_eq!(hub.run(old).unwrap().value.to_value(), json!(1));
    hub.check().unwrap();
}

#[test]
fn a_watcher_hears_every_change_of_its_prefix_in_order() {
    let hub = Hub::open(":memory:", config()).unwrap();
    let filter = Filter { key_prefix: Some("plans/".into()), ..Filter::default() };
    let mut live = hub.subscribe(filter.clone(), None).unwrap();
    for i in 0..50 {
        hub.run(memory::Set::new(&format!("plans/{i}"), json!(i))).unwrap();
        hub.run(memory::Set::new(&format!("other/{i}"), json!(i))).unwrap();
    }
    let mut from_start = hub.subscribe(filter, Some(0)).unwrap();
    for subscription in [&mut live, &mut from_start] {
        for i in 0..50 {
            match subscription.next(Duration::from_secs(5)).unwrap() {
                Some(Item::Event(event)) => {
                    assert_eq!(event.place.subject.as_deref(), Some(&*format!("plans/{i}")))
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(subscription.next(Duration::from_millis(20)).unwrap().is_none());
    }
}

#[test]
fn an_agent_without_the_right_is_refused_wherever_a_value_could_show() {
    let hub = Hub::open(":memory:", config()).unwrap();
    let ana = Principal::agent("ana");
    let mut heard = hub.subscribe_as(&ana, Filter::kinds(["memory.*"]), None).unwrap();
    let access = memory::Access { read: Some(vec!["bob".into()]), write: Some(vec!["bob".into()]) };
    let set = memory::Set {
        access_control: Some(access),
        ..memory::Set::new("secret/plan", json!({"word": "walrus"}))
    };
    hub.run(set).unwrap();
    for name in ["memory.get", "memory.history", "memory.delete"] {
        let error = hub.call_as(&ana, name, br#"{"key":"secret/plan"}"#, &mut || Ok(())).unwrap_err();
        assert_eq!(error.code(), Code::NotAllowed, "{name}");
    }
    let found = memory::Search {
        query: "walrus".into(),
        prefix: None,
        agent_id: None,
        limit: None,
        cursor: None,
        max_tokens: None,
    };
    assert_eq!(hub.run_as(&ana, found.clone()).unwrap().hits.len(), 0);
    assert_eq!(hub.run(found).unwrap().hits.len(), 1);
    assert_eq!(hub.run_as(&ana, memory::List::default()).unwrap().entries.len(), 0);
    while let Some(item) = heard.next(Duration::from_millis(100)).unwrap() {
        if let Item::Event(event) = item {
            assert!(!event.data.text().contains("walrus"), "{event:?}");
        }
    }
}
