//! Plug-ins: summarizers and collectors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use folkmoot_engine::agents;
use folkmoot_engine::hooks::{Hook, Measure};
use folkmoot_engine::messages::{Digest, Send, Summarize};
use folkmoot_engine::{Code, Error, Filter, Hub, HubConfig, Item, Principal};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);

fn talk() -> (Hub, String) {
    let hub = Hub::open(":memory:", HubConfig::default()).unwrap();
    for agent in ["ana", "bob", "eve"] {
        hub.run(agents::Register::new(agent)).unwrap();
    }
    let first = hub.run(Send::new("ana", "Shall we ship?").to(["bob"])).unwrap();
    let thread = first.conversation_thread_id.clone();
    hub.run(Send { thread_id: Some(thread.clone()), ..Send::new("bob", "On Friday.").to(["ana"]) }).unwrap();
    (hub, thread)
}

fn summarize(hub: &Hub, thread: &str, summarizer: Option<&str>) -> folkmoot_engine::Result<Digest> {
    let summarizer = summarizer.map(str::to_owned);
    hub.run(Summarize { thread_id: Some(thread.to_owned()), summarizer, ..Summarize::default() })
}

#[test]
fn a_summarizer_writes_the_summary_and_is_named() {
    let (hub, thread) = talk();
    let given = Arc::new(Mutex::new(Value::Null));
    let gives = given.clone();
    hub.summarizer(Hook::summarizer("model"), move |matter| {
        *gives.lock().unwrap() = matter.clone();
        Ok("They ship on Friday.".to_owned())
    })
    .unwrap();
    let digest = summarize(&hub, &thread, None).unwrap();
    assert_eq!((digest.method.as_str(), digest.summarizer.as_deref()), ("summarizer", Some("model")));
    assert_eq!(digest.summary, "They ship on Friday.");
    assert_eq!((digest.message_count, digest.summarizer_error), (2, None));
    let matter = given.lock().unwrap().clone();
    let contents: Vec<&str> =
        matter["messages"].as_array().unwrap().iter().map(|one| one["content"].as_str().unwrap()).collect();
    assert_eq!(contents, ["Shall we ship?", "On Friday."]);
    assert_eq!((&matter["left_out"], &matter["digest"]["message_count"]), (&json!(0), &json!(2)));
}

#[test]
fn a_summarizer_is_given_only_what_its_caller_may_see() {
    let (hub, thread) = talk();
    hub.summarizer(Hook::summarizer("model"), |_| Ok("told".to_owned())).unwrap();
    let by = Principal::agent("eve");
    let refused = hub.run_as(&by, Summarize { thread_id: Some(thread), ..Summarize::default() });
    assert_eq!(refused.unwrap_err().code(), Code::NotFound);
}

#[test]
fn a_summarizer_that_fails_or_hangs_leaves_the_extractive_digest_which_says_so() {
    let (hub, thread) = talk();
    hub.summarizer(Hook::summarizer("broken"), |_| Err(Error::unavailable("the model is away"))).unwrap();
    hub.summarizer(Hook::summarizer("empty"), |_| Ok(" ".to_owned())).unwrap();
    hub.summarizer(Hook::summarizer("hangs").timeout(Duration::from_millis(50)), |_| {
        std::thread::sleep(SOON);
        Ok(String::new())
    })
    .unwrap();
    hub.summarizer(Hook::summarizer("good"), |_| Ok("done".to_owned())).unwrap();
    for (name, why) in
        [("broken", "the model is away"), ("empty", "not empty"), ("hangs", "within 0.05 seconds")]
    {
        let digest = summarize(&hub, &thread, Some(name)).unwrap();
        assert_eq!((digest.method.as_str(), digest.summarizer.as_deref()), ("extractive", Some(name)));
        assert!(digest.summarizer_error.unwrap().contains(why), "{name}");
        assert!(
            digest.summary.starts_with(&format!("The summarizer \"{name}\" wrote nothing")),
            "{}",
            digest.summary
        );
        assert!(digest.summary.contains("Extractive digest"), "{}", digest.summary);
    }
    assert_eq!(summarize(&hub, &thread, None).unwrap().summarizer.as_deref(), Some("broken"), "the first");
    assert_eq!(summarize(&hub, &thread, Some("good")).unwrap().summary, "done");
    assert_eq!(summarize(&hub, &thread, Some("nobody")).unwrap_err().code(), Code::NotFound);
}

#[test]
fn collectors_hand_their_figures_to_whoever_listens() {
    let hub = Hub::open(":memory:", HubConfig::default()).unwrap();
    let mut collected = hub.subscribe(Filter::kinds(["metric.collected"]), None).unwrap();
    let mut failures = hub.subscribe(Filter::kinds(["hook.failed"]), None).unwrap();
    let often = Duration::from_millis(10);
    hub.collector(Hook::collector("orders").every(often), || {
        Ok(vec![Measure { labels: [("shop".into(), "north".into())].into(), ..Measure::new("orders", 3.5) }])
    })
    .unwrap();
    hub.collector(Hook::collector("queue").every(often), || Ok(vec![Measure::new("depth", 2.0)])).unwrap();
    hub.collector(Hook::collector("bad").every(often), || Ok(vec![Measure::new("", 0.0)])).unwrap();
    let mut seen = std::collections::BTreeMap::new();
    while seen.len() < 2 {
        let Some(Item::Event(event)) = collected.next(SOON).unwrap() else { panic!("nothing collected") };
        assert_eq!(event.seq, 0, "a frame of this process, not of the log");
        let data = event.data.to_value();
        seen.insert(data["collector"].as_str().unwrap().to_owned(), data["points"][0].clone());
    }
    let orders = &seen["orders"];
    assert_eq!((&orders["name"], &orders["value"]), (&json!("orders"), &json!(3.5)));
    assert_eq!((&orders["labels"]["shop"], &orders["source"]), (&json!("north"), &json!("orders")));
    assert!(orders["time"].is_string());
    let Some(Item::Event(failed)) = failures.next(SOON).unwrap() else { panic!("nothing reported") };
    assert_eq!(failed.data.to_value()["hook"], "bad");
    assert_eq!(failed.data.to_value()["error"]["details"]["field"], "points[0].name");
    hub.unhook("orders").unwrap();
    hub.close();
}
