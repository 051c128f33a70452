//! What agents and presence promise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::Duration;

use folkmoot_engine::agents::{self, GetPresence, Register, Status, UpdatePresence};
use folkmoot_engine::clock::{ManualClock, Time};
use folkmoot_engine::seams::Seams;
use folkmoot_engine::{Durability, Filter, Hub, HubConfig, Item, sessions};
use serde_json::Value;

fn slow_hub() -> (Hub, Arc<ManualClock>) {
    slow_hub_with(HubConfig::default())
}

fn slow_hub_with(config: HubConfig) -> (Hub, Arc<ManualClock>) {
    let clock = ManualClock::at(Time::parse("2026-01-14T14:50:30Z").unwrap());
    let seams = Seams { clock: clock.clone(), background: false, ..Seams::default() };
    let config = HubConfig { durability: Durability::Normal, ..config };
    (Hub::open_with(":memory:", config, seams).unwrap(), clock)
}

fn presence(hub: &Hub, agent: &str) -> agents::Presence {
    hub.run(GetPresence { agent_id: agent.to_owned() }).unwrap()
}

fn update(agent: &str) -> UpdatePresence {
    UpdatePresence { agent_id: agent.to_owned(), ..UpdatePresence::default() }
}

#[test]
fn an_update_moves_counters_and_is_seen_at_once() {
    let (hub, _) = slow_hub();
    hub.run(Register::new("ana")).unwrap();
    for tokens in [10, 20] {
        let tool = Some("Edit".to_owned());
        hub.run(UpdatePresence { tool_name: tool, tokens: Some(tokens), ..update("ana") }).unwrap();
    }
    let before = presence(&hub, "ana");
    assert_eq!(
        (before.status, before.total_tools_executed, before.total_cost_tokens),
        (Status::Active, 2, 30)
    );
    hub.flush().unwrap();
    assert_eq!(presence(&hub, "ana"), before, "writing it changes nothing of it");
    hub.check().unwrap();
}

#[test]
fn a_new_session_starts_the_totals_anew_and_the_lifetime_goes_on() {
    let (hub, _) = slow_hub();
    hub.run(Register::new("ana")).unwrap();
    for session in ["one", "two"] {
        let (session_id, tool_name) = (Some(session.to_owned()), Some("Edit".to_owned()));
        hub.run(UpdatePresence { session_id, tool_name, tokens: Some(5), ..update("ana") }).unwrap();
    }
    let now = presence(&hub, "ana");
    assert_eq!((now.total_tools_executed, now.total_cost_tokens), (1, 5));
    assert_eq!((now.lifetime_tools_executed, now.lifetime_cost_tokens), (2, 10));
}

#[test]
fn an_active_agent_falls_idle_and_a_silent_one_offline() {
    let (hub, clock) = slow_hub();
    hub.run(Register::new("ana")).unwrap();
    hub.run(update("ana")).unwrap();
    hub.flush().unwrap();
    let beat = || hub.run(agents::Heartbeat { agent_id: "ana".into(), idempotency_key: None }).unwrap();
    for _ in 0..3 {
        hub.tend().unwrap();
        clock.advance(Duration::from_secs(20));
        beat();
    }
    hub.tend().unwrap();
    assert_eq!(presence(&hub, "ana").status, Status::Idle, "60 s without activity");
    clock.advance(Duration::from_secs(32));
    hub.tend().unwrap();
    assert_eq!(presence(&hub, "ana").status, Status::Offline, "30 s without a heartbeat");
    assert_eq!(beat().status, Status::Idle, "heard of again");
    hub.check().unwrap();
}

#[test]
fn an_agent_that_left_by_its_own_will_is_not_brought_back_by_its_process() {
    let (hub, clock) = slow_hub();
    hub.run(Register::new("ana")).unwrap();
    hub.hold_agent("ana").unwrap();
    hub.call("agent.leave", br#"{"agent_id":"ana"}"#).unwrap();
    clock.advance(Duration::from_secs(60));
    hub.tend().unwrap();
    assert_eq!(presence(&hub, "ana").status, Status::Offline);
}

/// The file that the child process of the next test holds an agent on.
const CHILD: &str = "FOLKMOOT_TEST_AGENTS_CHILD";

fn short_ttl() -> HubConfig {
    HubConfig { durability: Durability::Normal, presence_ttl_seconds: 0.4, ..HubConfig::default() }
}

#[test]
fn the_agent_of_a_stopped_process_lapses_and_comes_back_with_it() {
    if let Ok(path) = std::env::var(CHILD) {
        let hub = Hub::open(path, short_ttl()).unwrap();
        hub.run(Register::new("ana")).unwrap();
        hub.hold_agent("ana").unwrap();
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("team.db");
    let hub = Hub::open(&path, short_ttl()).unwrap();
    let mut heard = hub.subscribe(Filter::kinds(["agent.joined", "agent.left"]), None).unwrap();
    let name = "the_agent_of_a_stopped_process_lapses_and_comes_back_with_it";
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, &path)
        .spawn()
        .unwrap();
    let mut next = |seconds| match heard.next(Duration::from_secs(seconds)).unwrap() {
        Some(Item::Event(event)) => Some((event.kind.to_string(), event.data.to_value()["reason"].clone())),
        None => None,
        other => panic!("{other:?}"),
    };
    let signal = |which: &str, child: &std::process::Child| {
        let sent = std::process::Command::new("kill").args([which, &child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    };
    assert_eq!(next(60).unwrap().0, "agent.joined");
    // A process that is stopped in the middle of a commit keeps everyone waiting: then it goes on and is stopped anew.
    let left = (0..20).find_map(|_| {
        signal("-STOP", &child);
        let left = next(5);
        if left.is_none() {
            signal("-CONT", &child);
            std::thread::sleep(Duration::from_millis(37));
        }
        left
    });
    assert_eq!(left, Some(("agent.left".to_owned(), "lapsed".into())));
    signal("-CONT", &child);
    assert_eq!(next(60).unwrap().0, "agent.joined");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn closing_a_hub_takes_its_agents_offline_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("team.db");
    let config = HubConfig { durability: Durability::Normal, ..HubConfig::default() };
    let hub = Hub::open(&path, config.clone()).unwrap();
    hub.run(Register::new("ana")).unwrap();
    hub.hold_agent("ana").unwrap();
    hub.close();
    let hub = Hub::open(&path, config).unwrap();
    let mut heard = hub.subscribe(Filter::kinds(["agent.left"]), Some(0)).unwrap();
    match heard.next(Duration::from_secs(5)).unwrap() {
        Some(Item::Event(event)) => assert_eq!(event.data.to_value()["reason"], "closed"),
        other => panic!("{other:?}"),
    }
    assert_eq!(presence(&hub, "ana").status, Status::Offline);
}

#[test]
fn closing_one_of_several_handles_takes_only_its_own_agents_offline() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Hub::open(folder.path().join("team.db"), HubConfig::default()).unwrap();
    let (stays, goes) = (open(), open());
    for (hub, agent) in [(&stays, "ana"), (&goes, "bob"), (&stays, "both"), (&goes, "both")] {
        hub.run(Register::new(agent)).unwrap();
        hub.hold_agent(agent).unwrap();
        hub.hold_agent(agent).unwrap();
    }
    goes.run(UpdatePresence { tool_name: Some("Edit".to_owned()), ..update("bob") }).unwrap();
    goes.close();
    let offline = |agent| presence(&stays, agent).status == Status::Offline;
    assert_eq!([offline("ana"), offline("bob"), offline("both")], [false, true, false]);
}

#[test]
fn the_summary_comes_to_whoever_listens_and_carries_everyone() {
    let (hub, _) = slow_hub();
    hub.run(Register::new("ana")).unwrap();
    let mut heard = hub.subscribe(Filter::kinds(["agent.status"]), None).unwrap();
    hub.tend().unwrap();
    match heard.next(Duration::from_secs(5)).unwrap() {
        Some(Item::Event(event)) => {
            assert_eq!(event.data.to_value()["agents"][0]["agent_id"], "ana");
            assert_eq!(event.seq, 0, "a frame is not in the log");
        }
        other => panic!("{other:?}"),
    }
}

/// What the next summary says of the agents, two seconds later; nothing when none was sent.
fn summary_of(hub: &Hub, clock: &ManualClock, heard: &mut folkmoot_engine::Subscription) -> Option<Value> {
    clock.advance(Duration::from_secs(2));
    hub.tend().unwrap();
    match heard.try_next().unwrap() {
        Some(Item::Event(event)) => Some(event.data.to_value()["agents"].clone()),
        _ => None,
    }
}

/// What was said last was once remembered for the whole process: a second hub with the same agents was never told.
#[test]
fn a_summary_that_says_nothing_new_is_left_out_where_the_hub_wants_it_so() {
    for skips in [true, false] {
        let config = HubConfig { status_skip_unchanged: skips, ..HubConfig::default() };
        let hubs = [(); 2].map(|()| slow_hub_with(config.clone()));
        for (hub, clock) in &hubs {
            let mut heard = hub.subscribe(Filter::kinds(["agent.status"]), None).unwrap();
            hub.run(Register::new("ana")).unwrap();
            assert!(summary_of(hub, clock, &mut heard).is_some());
            assert_eq!(summary_of(hub, clock, &mut heard).is_none(), skips);
            hub.run(Register::new("bob")).unwrap();
            assert_eq!(summary_of(hub, clock, &mut heard).unwrap().as_array().unwrap().len(), 2);
        }
    }
}

#[test]
fn a_summary_counts_the_sessions_that_an_agent_is_in() {
    let (hub, clock) = slow_hub();
    let mut heard = hub.subscribe(Filter::kinds(["agent.status"]), None).unwrap();
    hub.run(Register::new("ana")).unwrap();
    let start = || hub.run(sessions::Start::new(["ana"])).unwrap().session_id;
    let (first, _) = (start(), start());
    assert_eq!(summary_of(&hub, &clock, &mut heard).unwrap()[0]["sessions"], 2);
    hub.run(sessions::End { session_id: first.clone(), ..sessions::End::default() }).unwrap();
    assert_eq!(summary_of(&hub, &clock, &mut heard).unwrap()[0]["sessions"], 1);
    for (named, count) in [(first, 1), ("elsewhere".to_owned(), 2)] {
        hub.run(UpdatePresence { session_id: Some(named), ..update("ana") }).unwrap();
        assert_eq!(summary_of(&hub, &clock, &mut heard).unwrap()[0]["sessions"], count);
    }
}

/// An update that still waited to be written once brought an agent back that had left after it.
#[test]
fn what_an_agent_did_before_it_left_or_set_its_status_does_not_undo_that() {
    let (hub, _) = slow_hub();
    for (operation, input, becomes) in [
        ("agent.set_status", r#"{"agent_id": "ana", "status": "error"}"#, Status::Error),
        ("agent.leave", r#"{"agent_id": "ana"}"#, Status::Offline),
    ] {
        hub.run(Register::new("ana")).unwrap();
        hub.call("presence.update", br#"{"agent_id": "ana", "tool_name": "bash"}"#).unwrap();
        hub.call(operation, input.as_bytes()).unwrap();
        hub.flush().unwrap();
        assert_eq!(presence(&hub, "ana").status, becomes, "after {operation}");
    }
    assert_eq!(presence(&hub, "ana").total_tools_executed, 2);
}
