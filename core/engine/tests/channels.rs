//! What channels promise: order, history, rules, and what is only handed on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use folkmoot_engine::clock::{ManualClock, Time};
use folkmoot_engine::messages::Send;
use folkmoot_engine::seams::Seams;
use folkmoot_engine::sessions::channels::{Create, History, Post};
use folkmoot_engine::sessions::{Join, RateRule, SessionRules, Start};
use folkmoot_engine::{
    Code, Durability, Error, Filter, Hub, HubConfig, Item, Principal, Subscription, agents, sessions,
};
use serde_json::{Value, json};

fn config() -> HubConfig {
    HubConfig { durability: Durability::Normal, ..HubConfig::default() }
}

/// A session `s` of these agents on a new hub.
fn session_of(names: &[&str], rules: SessionRules) -> Hub {
    let hub = Hub::open(":memory:", config()).unwrap();
    begin(&hub, names, rules);
    hub
}

fn begin(hub: &Hub, names: &[&str], rules: SessionRules) {
    names.iter().for_each(|name| drop(hub.run(agents::Register::new(name)).unwrap()));
    let start =
        Start { session_id: Some("s".into()), rules: Some(rules), ..Start::new(names.iter().copied()) };
    hub.run(start).unwrap();
}

fn post(hub: &Hub, agent_id: &str, content: &str) -> Result<String, Error> {
    hub.run(Post::new("s", "general", agent_id, "text", content)).map(|message| message.message_id)
}

fn contents(messages: &[folkmoot_engine::messages::Message]) -> Vec<String> {
    messages.iter().map(|message| message.content.clone()).collect()
}

/// What a subscription gives until it has been quiet for a while: kind and content.
fn all(heard: &mut Subscription) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let Some(item) = heard.next(Duration::from_millis(300)).unwrap() {
        if let Item::Event(event) = item {
            let content = event.data.to_value()["content"].as_str().unwrap_or_default().to_owned();
            found.push((event.kind.to_string(), content));
        }
    }
    found
}

#[test]
fn who_joins_in_the_middle_gets_history_then_each_message_without_gap_or_double() {
    let hub = session_of(&["ana", "bob"], SessionRules::default());
    hub.run(agents::Register::new("eve")).unwrap();
    let (done, started) = (AtomicBool::new(false), AtomicBool::new(false));
    let sent = std::thread::scope(|scope| {
        let (hub, done, started) = (&hub, &done, &started);
        let writer = scope.spawn(move || {
            let mut n = 0;
            while !done.load(Ordering::SeqCst) && n < 5_000 {
                post(hub, if n % 2 == 0 { "ana" } else { "bob" }, &n.to_string()).unwrap();
                n += 1;
                started.store(true, Ordering::SeqCst);
            }
            n
        });
        while !started.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        let mut got = Vec::new();
        for _ in 0..5 {
            hub.run(Join { session_id: "s".into(), agent_id: "eve".into(), ..Join::default() }).unwrap();
            let eve = Principal::agent("eve");
            let page =
                hub.run_as(&eve, History { limit: Some(1_000), ..History::new("s", "general") }).unwrap();
            assert_eq!(page.left_out, 0);
            let filter = Filter { session_id: Some("s".into()), ..Filter::kinds(["message.sent"]) };
            let live = hub.subscribe_as(&eve, filter, Some(page.position)).unwrap();
            got.push((contents(&page.messages), live));
        }
        done.store(true, Ordering::SeqCst);
        let sent = writer.join().unwrap();
        let expected: Vec<String> = (0..sent).map(|n| n.to_string()).collect();
        for (mut history, mut live) in got {
            history.extend(all(&mut live).into_iter().map(|(_, content)| content));
            assert_eq!(history, expected);
        }
        sent
    });
    assert!(sent > 0);
    hub.check().unwrap();
}

#[test]
fn who_is_no_participant_hears_nothing_of_a_channel_live_or_from_the_log() {
    let hub = session_of(&["ana", "bob"], SessionRules::default());
    hub.run(agents::Register::new("eve")).unwrap();
    let listen =
        |who: &str, after| hub.subscribe_as(&Principal::agent(who), Filter::default(), after).unwrap();
    let (mut bob, mut eve) = (listen("bob", None), listen("eve", None));
    post(&hub, "ana", "the secret walrus").unwrap();
    hub.run(Post::new("s", "code", "ana", "cursor", "the secret cursor")).unwrap();
    let heard = all(&mut bob);
    assert!(heard.contains(&("message.sent".into(), "the secret walrus".into())), "{heard:?}");
    assert!(heard.contains(&("message.relayed".into(), "the secret cursor".into())), "{heard:?}");
    for ear in [&mut eve, &mut listen("eve", Some(0))] {
        let heard = all(ear);
        let of_session =
            |kind: &str| ["message.", "session.", "channel."].iter().any(|noun| kind.starts_with(noun));
        assert!(heard.iter().all(|(kind, _)| !of_session(kind)), "{heard:?}");
    }
    let trusted = hub.subscribe(Filter::kinds(["message.*"]), Some(0)).map(|mut ear| all(&mut ear)).unwrap();
    assert_eq!(trusted.len(), 2, "the process hears all");
    let operator = Principal::Operator("root".into());
    let history = hub.run_as(&operator, History::new("s", "general")).unwrap();
    assert_eq!(contents(&history.messages), ["the secret walrus"], "and so does an operator");
}

#[test]
fn a_rate_is_judged_by_the_clock_of_the_hub_in_any_span() {
    let clock = ManualClock::at(Time::from_millis(1_800_000_000_000));
    let seams = Seams { clock: clock.clone(), background: false, ..Seams::default() };
    let hub = Hub::open_with(":memory:", config(), seams).unwrap();
    let rate = Some(RateRule { messages: 3, seconds: 10.0 });
    begin(&hub, &["ana", "bob"], SessionRules { rate, ..SessionRules::default() });
    let (second, refused) = (Duration::from_secs(1), |error: Error| {
        let details = error.details();
        assert_eq!((error.code(), &details["rule"]), (Code::LimitExceeded, &json!("rate")));
        details["retry_after_seconds"].as_f64().unwrap()
    });
    post(&hub, "ana", "at 0").unwrap();
    clock.advance(6 * second);
    post(&hub, "ana", "at 6").unwrap();
    hub.run(Post::new("s", "code", "ana", "cursor", "cursors count too, at 6")).unwrap();
    assert_eq!(refused(post(&hub, "ana", "at 6").unwrap_err()), 4.0);
    post(&hub, "bob", "bob is counted by himself").unwrap();
    clock.advance(Duration::from_millis(3_999));
    assert!(post(&hub, "ana", "just before 10").is_err());
    clock.advance(Duration::from_millis(1));
    post(&hub, "ana", "at 10: that of 0 counts no more").unwrap();
    assert_eq!(refused(post(&hub, "ana", "at 10").unwrap_err()), 6.0);
    let send = Send { session_id: Some("s".into()), ..Send::new("ana", "the other way in") };
    assert!(hub.run(send).is_err());
    clock.jump_wall(-10.0 * 365.0 * 86_400.0);
    post(&hub, "ana", "a clock that was set back locks nobody out").unwrap();
    hub.check().unwrap();
}

#[test]
fn of_many_that_post_at_once_no_more_than_the_rate_come_through() {
    let rate = Some(RateRule { messages: 7, seconds: 3_600.0 });
    let hub = session_of(&["ana"], SessionRules { rate, ..SessionRules::default() });
    let through: usize = std::thread::scope(|scope| {
        let posts =
            (0..4).map(|_| scope.spawn(|| (0..10).filter(|_| post(&hub, "ana", "x").is_ok()).count()));
        posts.collect::<Vec<_>>().into_iter().map(|posts| posts.join().unwrap()).sum()
    });
    assert_eq!(through, 7);
    assert_eq!(hub.run(History::new("s", "general")).unwrap().messages.len(), 7);
}

#[test]
fn what_is_only_handed_on_is_relaxed_and_leaves_no_row_behind() {
    let hub = session_of(&["ana", "bob"], SessionRules::default());
    let typing = Create {
        session_id: "s".into(),
        channel: "typing".into(),
        kind: sessions::channels::ChannelType::Broadcast,
        message_types: None,
        persistent: Some(false),
        roles: None,
        agent_id: None,
        idempotency_key: None,
    };
    hub.run(typing).unwrap();
    let mut heard = hub.subscribe(Filter::kinds(["message.*"]), None).unwrap();
    hub.run(Post::new("s", "code", "ana", "cursor", "12:1")).unwrap();
    hub.run(Post::new("s", "typing", "ana", "text", "…")).unwrap();
    let send = Send {
        session_id: Some("s".into()),
        channel: Some("code".into()),
        message_type: Some("selection".into()),
        ..Send::new("bob", "1:1-2:5")
    };
    hub.run(send).unwrap();
    for content in ["12:1", "…", "1:1-2:5"] {
        match heard.next(Duration::from_secs(5)).unwrap() {
            Some(Item::Event(event)) => {
                assert_eq!((event.kind.as_ref(), event.relaxed), ("message.relayed", true));
                assert_eq!(event.data.to_value()["content"], content);
            }
            other => panic!("{other:?}"),
        }
    }
    let stats: Value = serde_json::from_slice(&hub.call("hub.stats", b"{}").unwrap()).unwrap();
    assert_eq!(stats["messages"], 0);
    assert_eq!(stats["events"].get("message.relayed"), None, "no durable event either");
    hub.check().unwrap();
}

#[test]
fn a_refused_post_leaves_nothing_behind() {
    let rules =
        SessionRules { rate: Some(RateRule { messages: 1, seconds: 60.0 }), ..SessionRules::default() };
    let hub = session_of(&["ana"], rules);
    let before: Value = serde_json::from_slice(&hub.call("hub.status", b"{}").unwrap()).unwrap();
    for (channel, message_type) in [("general", "vote"), ("nowhere", "text"), ("code", "text")] {
        hub.run(Post::new("s", channel, "ana", message_type, "x")).unwrap_err();
    }
    let taken = Post { message_id: Some("m".into()), ..Post::new("s", "general", "ana", "text", "x") };
    let after: Value = serde_json::from_slice(&hub.call("hub.status", b"{}").unwrap()).unwrap();
    assert_eq!(before["seq"], after["seq"]);
    hub.run(taken.clone()).unwrap();
    assert_eq!(hub.run(taken).unwrap_err().code(), Code::LimitExceeded, "what was refused did not count");
}
