//! What sessions promise: who is in, what they share, who may be connected, and what limits hold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use folkmoot_engine::clock::{ManualClock, Time};
use folkmoot_engine::seams::Seams;
use folkmoot_engine::sessions::{Connect, Join, Leave, Start};
use folkmoot_engine::{
    Code, Durability, Error, Filter, Hub, HubConfig, Item, Principal, Subscription, agents, sessions,
};
use serde_json::{Value, json};

fn config() -> HubConfig {
    HubConfig { durability: Durability::Normal, ..HubConfig::default() }
}

fn register(hub: &Hub, names: &[&str]) {
    names.iter().for_each(|name| drop(hub.run(agents::Register::new(name)).unwrap()));
}

/// A hub with these agents.
fn hub_of(config: HubConfig, names: &[&str]) -> Hub {
    let hub = Hub::open(":memory:", config).unwrap();
    register(&hub, names);
    hub
}

fn call(hub: &Hub, name: &str, input: Value) -> Result<Value, Error> {
    hub.call(name, input.to_string().as_bytes()).map(|answer| serde_json::from_slice(&answer).unwrap())
}

fn start(hub: &Hub, participants: &[&str]) {
    let start = Start { session_id: Some("s".into()), ..Start::new(participants.iter().copied()) };
    hub.run(start).unwrap();
}

fn next(heard: &mut Subscription) -> Option<(String, Value)> {
    loop {
        match heard.next(Duration::from_millis(200)).unwrap() {
            Some(Item::Event(event)) => return Some((event.kind.to_string(), event.data.to_value())),
            Some(Item::Position { .. }) => {}
            None => return None,
            Some(other) => panic!("{other:?}"),
        }
    }
}

fn limit_of(error: &Error) -> (Code, Option<u64>) {
    (error.code(), error.details().get("limit").and_then(Value::as_u64))
}

#[test]
fn every_participant_hears_each_change_of_the_state_in_order_and_whole() {
    let hub = hub_of(config(), &["ana", "bob", "eve"]);
    start(&hub, &["ana", "bob"]);
    let filter = || Filter { session_id: Some("s".into()), ..Filter::kinds(["session.state_changed"]) };
    let mut ears: Vec<Subscription> = ["ana", "bob", "eve"]
        .map(|name| hub.subscribe_as(&Principal::agent(name), filter(), None).unwrap())
        .into_iter()
        .collect();
    std::thread::scope(|scope| {
        for agent_id in ["ana", "bob"] {
            let hub = &hub;
            scope.spawn(move || {
                for n in 0..20 {
                    let patch = json!({agent_id: n});
                    call(
                        hub,
                        "session.patch_state",
                        json!({"session_id": "s", "agent_id": agent_id, "patch": patch}),
                    )
                    .unwrap();
                }
            });
        }
    });
    assert!(next(&mut ears[2]).is_none(), "eve is no participant");
    for heard in &mut ears[..2] {
        let mut model = json!({});
        for version in 1..=40 {
            let (_, data) = next(heard).unwrap();
            assert_eq!(data["version"], version);
            let by = data["updated_by"].as_str().unwrap();
            model[by] = json!(model[by].as_u64().map_or(0, |n| n + 1));
            assert_eq!(data["state"], model, "the whole state, at version {version}");
        }
    }
    hub.check().unwrap();
}

#[test]
fn changes_of_different_fields_from_one_version_all_hold_with_merge() {
    let hub = hub_of(config(), &["ana", "bob", "cem", "dee"]);
    start(&hub, &["ana", "bob", "cem", "dee"]);
    std::thread::scope(|scope| {
        for agent_id in ["ana", "bob", "cem", "dee"] {
            let hub = &hub;
            scope.spawn(move || {
                let input = json!({"session_id": "s", "agent_id": agent_id, "patch": {"votes": {agent_id: 1}},
                                   "expected_version": 0, "merge": true});
                call(hub, "session.patch_state", input).unwrap();
            });
        }
    });
    let state = call(&hub, "session.get_state", json!({"session_id": "s"})).unwrap();
    assert_eq!(state["state"], json!({"votes": {"ana": 1, "bob": 1, "cem": 1, "dee": 1}}));
    assert_eq!(state["version"], 4);
    hub.check().unwrap();
}

#[test]
fn of_changes_that_expect_one_version_one_wins() {
    let hub = hub_of(config(), &["ana", "bob"]);
    start(&hub, &["ana", "bob"]);
    let add = |agent_id: &str| {
        for _ in 0..25 {
            loop {
                let state = call(&hub, "session.get_state", json!({"session_id": "s"})).unwrap();
                let n = state["state"]["n"].as_u64().unwrap_or(0) + 1;
                let input = json!({"session_id": "s", "agent_id": agent_id, "patch": {"n": n},
                                   "expected_version": state["version"]});
                match call(&hub, "session.patch_state", input) {
                    Ok(_) => break,
                    Err(error) => {
                        assert_eq!(error.code(), Code::Conflict);
                        let details = error.details();
                        assert_eq!(details["current"]["version"], details["current_version"]);
                        assert!(details["current"]["state"]["n"].as_u64().unwrap() >= n, "{error:?}");
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        ["ana", "bob"].into_iter().for_each(|name| drop(scope.spawn(move || add(name))))
    });
    let state = call(&hub, "session.get_state", json!({"session_id": "s"})).unwrap();
    assert_eq!((&state["state"]["n"], &state["version"]), (&json!(50), &json!(50)));
}

#[test]
fn an_invitation_is_heard_by_the_invited_and_nothing_else_is_before_it_joins() {
    let hub = hub_of(config(), &["ana", "bob", "eve"]);
    start(&hub, &["ana"]);
    let filter = || Filter { session_id: Some("s".into()), ..Filter::default() };
    let mut bob = hub.subscribe_as(&Principal::agent("bob"), filter(), None).unwrap();
    let mut eve = hub.subscribe_as(&Principal::agent("eve"), filter(), None).unwrap();
    call(&hub, "session.invite", json!({"session_id": "s", "agent_id": "ana", "invitees": ["bob"]})).unwrap();
    call(&hub, "session.patch_state", json!({"session_id": "s", "agent_id": "ana", "patch": {"secret": 1}}))
        .unwrap();
    let invited = next(&mut bob).unwrap();
    assert_eq!((invited.0.as_str(), &invited.1["last_change"]["by"]), ("session.invited", &json!("ana")));
    assert!(next(&mut bob).is_none());
    hub.run(Join { session_id: "s".into(), agent_id: "bob".into(), ..Join::default() }).unwrap();
    assert_eq!(next(&mut bob).unwrap().0, "session.joined");
    call(&hub, "session.patch_state", json!({"session_id": "s", "agent_id": "ana", "patch": {"secret": 2}}))
        .unwrap();
    assert_eq!(next(&mut bob).unwrap().1["state"]["secret"], 2);
    hub.run(Leave { session_id: "s".into(), agent_id: "bob".into(), ..Leave::default() }).unwrap();
    assert_eq!(next(&mut bob).unwrap().0, "session.left", "one hears that one has left");
    call(&hub, "session.patch_state", json!({"session_id": "s", "agent_id": "ana", "patch": {"secret": 3}}))
        .unwrap();
    assert!(next(&mut bob).is_none());
    assert!(next(&mut eve).is_none());
}

#[test]
fn a_participant_that_goes_offline_stays_one_and_is_shown_as_offline() {
    let hub = hub_of(config(), &["ana", "bob"]);
    start(&hub, &["ana", "bob"]);
    call(&hub, "agent.leave", json!({"agent_id": "bob"})).unwrap();
    let session = call(&hub, "session.get", json!({"session_id": "s"})).unwrap();
    let statuses: Vec<&Value> =
        session["participants"].as_array().unwrap().iter().map(|who| &who["status"]).collect();
    assert_eq!(statuses, [&json!("idle"), &json!("offline")]);
    let post = json!({"session_id": "s", "channel": "general", "agent_id": "bob", "message_type": "text",
                      "content": "still in"});
    call(&hub, "channel.post", post).unwrap();
}

#[test]
fn limits_hold_at_the_limit_and_are_named_past_it() {
    let limits = HubConfig {
        max_sessions: 2,
        max_clients: 3,
        max_participants: 3,
        max_channels: 5,
        max_value_bytes: 100,
        ..config()
    };
    let hub = hub_of(limits, &["a", "b", "c", "d"]);
    start(&hub, &["a", "b", "c"]);
    let error = hub.run(Start::new(["a", "b", "c", "d"])).unwrap_err();
    assert_eq!(limit_of(&error), (Code::LimitExceeded, Some(3)), "participants at the start");
    let join = |agent_id: &str| {
        hub.run(Join { session_id: "s".into(), agent_id: agent_id.into(), ..Join::default() }).map(drop)
    };
    assert_eq!(limit_of(&join("d").unwrap_err()), (Code::LimitExceeded, Some(3)), "participants that join");
    let invite = call(&hub, "session.invite", json!({"session_id": "s", "invitees": ["d"]})).unwrap_err();
    assert_eq!(limit_of(&invite), (Code::LimitExceeded, Some(3)), "participants that are invited");

    hub.run(Start { session_id: Some("t".into()), ..Start::new(["a"]) }).unwrap();
    let error = hub.run(Start::new(["a"])).unwrap_err();
    assert_eq!(limit_of(&error), (Code::LimitExceeded, Some(2)), "active sessions");
    call(&hub, "session.end", json!({"session_id": "t"})).unwrap();
    hub.run(Start::new(["a"])).unwrap();

    let create = |name: &str| {
        call(&hub, "channel.create", json!({"session_id": "s", "channel": name, "type": "broadcast"}))
    };
    create("fifth").unwrap();
    assert_eq!(limit_of(&create("sixth").unwrap_err()), (Code::LimitExceeded, Some(5)), "channels");

    let connect = || hub.run(Connect { session_id: "s".into(), ..Connect::default() });
    (0..3).for_each(|n| assert_eq!(connect().unwrap().clients, n + 1));
    let error = connect().unwrap_err();
    assert_eq!(limit_of(&error), (Code::LimitExceeded, Some(3)));
    assert_eq!(error.details()["limit_name"], "max_clients");

    let patch = |text: usize| {
        let input = json!({"session_id": "s", "agent_id": "a", "patch": {"t": "x".repeat(text)}});
        call(&hub, "session.patch_state", input)
    };
    patch(92).unwrap();
    assert_eq!(limit_of(&patch(93).unwrap_err()), (Code::LimitExceeded, Some(100)), "bytes of the state");
    hub.check().unwrap();
}

#[test]
fn retention_takes_the_log_and_leaves_live_sessions_whole() {
    let hub = hub_of(HubConfig { retain_events: 5, ..config() }, &["ana", "bob"]);
    start(&hub, &["ana", "bob"]);
    let post = json!({"session_id": "s", "channel": "general", "agent_id": "ana", "message_type": "text",
                      "content": "kept"});
    call(&hub, "channel.post", post).unwrap();
    call(&hub, "session.record_decision", json!({"session_id": "s", "agent_id": "ana", "decision": "kept"}))
        .unwrap();
    for n in 1..=10 {
        let input = json!({"session_id": "s", "agent_id": "ana", "patch": {"n": n}});
        call(&hub, "session.patch_state", input).unwrap();
    }
    hub.tend().unwrap();
    let report = hub.check().unwrap();
    assert!(report.base_seq > 8 && report.rows_older_than_log > 0, "{report:?}");
    let session = call(&hub, "session.get", json!({"session_id": "s"})).unwrap();
    assert_eq!(session["counts"]["participants"], 2);
    assert_eq!(session["channels"].as_array().unwrap().len(), 4);
    assert_eq!(session["messages"][0]["content"], "kept");
    assert_eq!(session["decisions"][0]["decision"], "kept");
    let state = call(&hub, "session.get_state", json!({"session_id": "s"})).unwrap();
    assert_eq!((&state["version"], &state["state"]["n"]), (&json!(10), &json!(10)));
    let merge = |field: &str, expected: u64| {
        let input = json!({"session_id": "s", "agent_id": "bob", "patch": {field: 0}, "merge": true,
                           "expected_version": expected});
        call(&hub, "session.patch_state", input)
    };
    merge("m", 8).unwrap();
    let error = merge("x", 1).unwrap_err();
    assert_eq!(error.code(), Code::Conflict);
    assert!(error.message().contains("no longer kept"), "{error}");
    call(&hub, "session.join", json!({"session_id": "s", "agent_id": "bob", "role": "late"})).unwrap();
    hub.check().unwrap();
}

#[test]
fn the_places_of_clients_are_given_back_when_a_hub_closes_and_when_a_session_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("team.db");
    let hub = Hub::open(&path, config()).unwrap();
    register(&hub, &["ana"]);
    let start = Start { session_id: Some("s".into()), max_clients: Some(1), ..Start::new(["ana"]) };
    hub.run(start).unwrap();
    let connect = |hub: &Hub| hub.run(Connect { session_id: "s".into(), ..Connect::default() });
    connect(&hub).unwrap();
    assert_eq!(connect(&hub).unwrap_err().code(), Code::LimitExceeded);
    hub.close();
    let hub = Hub::open(&path, config()).unwrap();
    assert_eq!(connect(&hub).unwrap().clients, 1);
    call(&hub, "session.end", json!({"session_id": "s"})).unwrap();
    let session = call(&hub, "session.get", json!({"session_id": "s"})).unwrap();
    assert_eq!(session["clients"], 0);
    hub.check().unwrap();
}

/// The file on which the child process of the next test keeps a place.
const CHILD: &str = "FOLKMOOT_TEST_SESSIONS_CHILD";

#[test]
fn the_place_of_a_killed_process_is_free_again_after_its_time() {
    let short = HubConfig { presence_ttl_seconds: 0.5, ..config() };
    let connect = |hub: &Hub| hub.run(Connect { session_id: "s".into(), ..Connect::default() });
    if let Ok(path) = std::env::var(CHILD) {
        let hub = Hub::open(path, short).unwrap();
        connect(&hub).unwrap();
        call(&hub, "event.publish", json!({"event_type": "connected", "source_agent": "ana"})).unwrap();
        std::thread::sleep(Duration::from_secs(600));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("team.db");
    let hub = Hub::open(&path, short).unwrap();
    register(&hub, &["ana"]);
    let start = Start { session_id: Some("s".into()), max_clients: Some(1), ..Start::new(["ana"]) };
    hub.run(start).unwrap();
    let mut heard = hub.subscribe(Filter::kinds(["event.published"]), None).unwrap();
    let name = "the_place_of_a_killed_process_is_free_again_after_its_time";
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, &path)
        .spawn()
        .unwrap();
    assert!(heard.next(Duration::from_secs(60)).unwrap().is_some(), "the child is connected");
    assert_eq!(connect(&hub).unwrap_err().code(), Code::LimitExceeded);
    child.kill().unwrap();
    child.wait().unwrap();
    let free = (0..600).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        connect(&hub).is_ok()
    });
    assert!(free);
}

#[test]
fn a_place_lives_while_its_process_beats() {
    let clock = ManualClock::at(Time::from_millis(1_800_000_000_000));
    let seams = Seams { clock: clock.clone(), background: false, ..Seams::default() };
    let hub = Hub::open_with(":memory:", config(), seams).unwrap();
    register(&hub, &["ana"]);
    hub.run(Start { session_id: Some("s".into()), ..Start::new(["ana"]) }).unwrap();
    hub.run(Connect { session_id: "s".into(), ..Connect::default() }).unwrap();
    let clients =
        |hub: &Hub| call(hub, "session.get", json!({"session_id": "s"})).unwrap()["clients"].clone();
    for _ in 0..10 {
        clock.advance(Duration::from_secs(20));
        hub.tend().unwrap();
        assert_eq!(clients(&hub), 1);
    }
    let disconnect = json!({"session_id": "s", "client_id": "nobody"});
    assert_eq!(call(&hub, "session.disconnect", disconnect).unwrap()["was_connected"], false);
    assert_eq!(clients(&hub), 1);
}

#[test]
fn a_session_is_the_same_after_opening_its_file_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("team.db");
    let hub = Hub::open(&path, config()).unwrap();
    register(&hub, &["ana", "bob"]);
    let state = Some(json!({"step": 1}).into());
    hub.run(Start { session_id: Some("s".into()), state, ..Start::new(["ana", "bob"]) }).unwrap();
    let whole = |hub: &Hub| {
        let get = sessions::Get { session_id: "s".into(), ..sessions::Get::default() };
        let view = hub.run(get).unwrap();
        (view.session.rules, view.session.last_change, view.channels, view.state_version, view.counts)
    };
    let before = whole(&hub);
    hub.close();
    let hub = Hub::open(&path, config()).unwrap();
    assert_eq!(whole(&hub), before);
    assert_eq!(before.3, 1);
}

#[test]
fn the_activities_of_a_session_are_those_that_its_feed_had_at_the_position() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("team.db");
    let hub = Hub::open(&path, config()).unwrap();
    register(&hub, &["ana", "bob"]);
    start(&hub, &["ana"]);
    let work = |place: &str| {
        let input = json!({"agent_id": "ana", "activity_type": "tool_called", "session_id": place});
        call(&hub, "activity.record", input).unwrap();
    };
    work("s");
    work("elsewhere");
    let view = call(&hub, "session.get", json!({"session_id": "s"})).unwrap();
    let shown = |view: &Value| view["activities"].as_array().unwrap().clone();
    let mut feed = call(&hub, "activity.feed", json!({"session_id": "s"})).unwrap();
    feed["activities"].as_array_mut().unwrap().reverse();
    assert_eq!(shown(&view), shown(&feed));
    assert_eq!(shown(&view).len(), 2);
    assert_eq!(shown(&view)[1]["seq"], view["position"].as_u64().unwrap() - 1);
    hub.close();
    let hub = Hub::open(&path, HubConfig { read_only: true, ..config() }).unwrap();
    assert_eq!(shown(&call(&hub, "session.get", json!({"session_id": "s"})).unwrap()), shown(&view));
}
