//! What assignment promises: whom the engine chooses and why, what becomes of work whose agent is gone, and that no task
//! waits for ever.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod players;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use folkmoot_engine::agents::{Capabilities, Register, SetStatus, Status};
use folkmoot_engine::clock::{ManualClock, Time};
use folkmoot_engine::seams::Seams;
use folkmoot_engine::tasks::{self, Assign, Claim, Complete, Create, Hindrance, Rebalance, Task, TaskStatus};
use folkmoot_engine::{Code, Durability, Filter, Hub, HubConfig, Item, Principal, agents};
use players::{Player, say};
use serde_json::json;

fn config() -> HubConfig {
    HubConfig { durability: Durability::Normal, retry_seconds: 0.0, ..HubConfig::default() }
}

/// A hub whose time stands still until it is moved, and whose threads do nothing by themselves.
fn still(config: HubConfig) -> (Hub, Arc<ManualClock>) {
    let clock = ManualClock::at(Time::parse("2026-01-14T14:50:30Z").unwrap());
    let seams = Seams { clock: clock.clone(), background: false, ..Seams::default() };
    (Hub::open_with(":memory:", config, seams).unwrap(), clock)
}

fn register(hub: &Hub, name: &str, max_load: u32, levels: &[(&str, f64)]) {
    let levels: BTreeMap<String, Option<f64>> =
        levels.iter().map(|(word, level)| ((*word).to_owned(), Some(*level))).collect();
    let capabilities = Some(Capabilities::Levels(levels));
    hub.run(Register { max_load: Some(max_load), capabilities, ..Register::new(name) }).unwrap();
}

fn make(hub: &Hub, title: &str, assign_to: Option<&str>) -> Task {
    let assign_to = assign_to.map(str::to_owned);
    hub.run(Create { assign_to, task_id: Some(title.to_owned()), ..Create::new("boss", title) }).unwrap()
}

fn get(hub: &Hub, id: &str) -> Task {
    hub.run(tasks::Get { task_id: id.to_owned() }).unwrap()
}

fn claim(hub: &Hub, agent: &str) -> Option<Task> {
    hub.run(Claim::new(agent)).unwrap()
}

fn end(hub: &Hub, task: &Task, well: bool) {
    let (agent_id, token) = (task.agent_id.clone(), Some(task.token));
    let task_id = task.task_id.clone();
    if well {
        hub.run(Complete { task_id, agent_id, token, ..Complete::default() }).unwrap();
    } else {
        let error = "no luck".to_owned();
        let fail = tasks::Fail {
            task_id,
            agent_id,
            token,
            error,
            retry: Some(false),
            over: false,
            idempotency_key: None,
        };
        hub.run(fail).unwrap();
    }
}

fn kinds(hub: &Hub, kind: &str) -> Vec<u64> {
    let mut heard = hub.subscribe(Filter::kinds([kind]), Some(0)).unwrap();
    std::iter::from_fn(|| heard.try_next().unwrap())
        .filter_map(|item| match item {
            Item::Event(event) => Some(event.seq),
            _ => None,
        })
        .collect()
}

#[test]
fn level_room_and_recent_success_each_decide_when_the_others_are_equal() {
    let (hub, _) = still(config());
    register(&hub, "able", 2, &[("rust", 0.9)]);
    register(&hub, "less", 2, &[("rust", 0.6)]);
    let auto = |title: &str| {
        let requires = vec!["rust".to_owned()];
        let assign_to = Some("auto".to_owned());
        hub.run(Create { requires, assign_to, ..Create::new("boss", title) }).unwrap()
    };
    let first = auto("first");
    assert_eq!(first.agent_id.as_deref(), Some("able"), "the level decides");
    assert!(first.history[0].reason.as_ref().unwrap().contains("level 0.9"), "{:?}", first.history);
    assert_eq!(auto("second").agent_id.as_deref(), Some("able"), "0.3 more in level outweigh half the room");
    assert_eq!(auto("third").agent_id.as_deref(), Some("less"), "who is full gets nothing");
    let (hub, _) = still(config());
    register(&hub, "a", 1, &[]);
    register(&hub, "b", 1, &[]);
    make(&hub, "lost", Some("a"));
    end(&hub, &claim(&hub, "a").unwrap(), false);
    let task = make(&hub, "next", Some("auto"));
    assert_eq!(task.agent_id.as_deref(), Some("b"), "b has failed nothing");
    let scores: Vec<f64> = task.assignment.unwrap().candidates.iter().map(|who| who.success).collect();
    assert_eq!(scores, [1.0, 0.5]);
}

#[test]
fn between_equals_the_first_by_id_is_chosen_each_time() {
    for _ in 0..3 {
        let (hub, _) = still(config());
        ["cid", "ana", "bob"].iter().for_each(|name| register(&hub, name, 5, &[]));
        let chosen: Vec<String> =
            (0..4).map(|i| make(&hub, &format!("t{i}"), Some("auto")).agent_id.unwrap()).collect();
        assert_eq!(chosen, ["ana", "bob", "cid", "ana"], "and each one counts at once");
        hub.check().unwrap();
    }
}

#[test]
fn who_failed_a_task_gets_it_again_only_when_nobody_else_can() {
    let (hub, _) = still(config());
    register(&hub, "ana", 5, &[("rust", 1.0)]);
    register(&hub, "bob", 5, &[("rust", 0.1)]);
    let create = Create {
        requires: vec!["rust".into()],
        assign_to: Some("auto".into()),
        task_id: Some("t".into()),
        ..Create::new("boss", "hard")
    };
    hub.run(create).unwrap();
    let held = claim(&hub, "ana").unwrap();
    assert_eq!(held.assignment, None, "what was claimed does not carry the choice along");
    let fail = json!({"task_id": "t", "agent_id": "ana", "token": held.token, "error": "no luck"});
    hub.call("task.fail", fail.to_string().as_bytes()).unwrap();
    hub.tend().unwrap();
    let task = get(&hub, "t");
    assert_eq!(task.agent_id.as_deref(), Some("bob"));
    let candidates = task.assignment.unwrap().candidates;
    assert!(candidates[1].failed_before && candidates[1].score > candidates[0].score);
    hub.check().unwrap();
}

#[test]
fn nobody_absent_full_in_error_or_incapable_is_chosen_and_the_refusal_names_them() {
    let (hub, _) = still(config());
    register(&hub, "full", 1, &[("rust", 1.0)]);
    make(&hub, "busy", Some("full"));
    register(&hub, "ill", 1, &[("rust", 1.0)]);
    let ill =
        SetStatus { agent_id: "ill".into(), status: Status::Error, detail: None, idempotency_key: None };
    hub.run(ill).unwrap();
    register(&hub, "gone", 1, &[("rust", 1.0)]);
    hub.run(agents::Leave { agent_id: "gone".into(), idempotency_key: None }).unwrap();
    register(&hub, "other", 1, &[("python", 1.0)]);
    let task = Create { requires: vec!["rust".into()], ..Create::new("boss", "work") };
    let task = hub.run(task).unwrap();
    let auto = Assign { task_id: task.task_id.clone(), agent_id: Some("auto".into()), ..Assign::default() };
    let error = hub.run(auto).unwrap_err();
    assert_eq!(error.code(), Code::Conflict);
    assert!(error.message().contains("full: full; in error: ill; offline: gone"), "{error}");
    let why: Vec<&str> = error.details()["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|who| who["why"].as_str().unwrap())
        .collect();
    assert_eq!(why, ["full", "in_error", "offline", "incapable"]);
    assert_eq!(get(&hub, &task.task_id), task, "nothing changed");
}

#[test]
fn a_task_left_to_the_engine_is_assigned_as_soon_as_someone_can_take_it() {
    let (hub, _) = still(config());
    let task = make(&hub, "t", Some("auto"));
    assert_eq!(
        (task.status, task.agent_id),
        (TaskStatus::Ready, None),
        "not lost: open for whoever is capable"
    );
    hub.tend().unwrap();
    register(&hub, "ana", 1, &[]);
    hub.tend().unwrap();
    assert_eq!(get(&hub, "t").agent_id.as_deref(), Some("ana"));
    let later = Create {
        depends_on: vec!["t".into()],
        assign_to: Some("auto".into()),
        task_id: Some("later".into()),
        ..Create::new("boss", "later")
    };
    assert_eq!(hub.run(later).unwrap().agent_id, None, "chosen when it is ready, by the load of then");
    end(&hub, &claim(&hub, "ana").unwrap(), true);
    hub.tend().unwrap();
    assert_eq!(get(&hub, "later").agent_id.as_deref(), Some("ana"));
    hub.check().unwrap();
}

#[test]
fn many_that_nobody_can_take_do_not_keep_others_from_their_agent() {
    let (hub, _) = still(config());
    for i in 0..120 {
        let requires = vec!["magic".to_owned()];
        let assign_to = Some("auto".to_owned());
        hub.run(Create { requires, assign_to, ..Create::new("boss", &format!("m{i}")) }).unwrap();
    }
    make(&hub, "plain", Some("auto"));
    register(&hub, "ana", 1, &[]);
    (0..4).for_each(|_| hub.tend().unwrap());
    assert_eq!(get(&hub, "plain").agent_id.as_deref(), Some("ana"));
}

#[test]
fn what_the_engine_reserved_for_who_went_offline_goes_to_another_at_once() {
    let (hub, _) = still(config());
    register(&hub, "ana", 3, &[]);
    (0..3).for_each(|i| drop(make(&hub, &format!("t{i}"), Some("auto"))));
    register(&hub, "bob", 2, &[]);
    hub.run(agents::Leave { agent_id: "ana".into(), idempotency_key: None }).unwrap();
    hub.tend().unwrap();
    let now: Vec<Option<String>> = (0..3).map(|i| get(&hub, &format!("t{i}")).agent_id).collect();
    assert_eq!(now.iter().flatten().collect::<Vec<_>>(), ["bob", "bob"], "as many as bob takes");
    assert_eq!(now.iter().filter(|agent| agent.is_none()).count(), 1, "the third is open");
    let steps: Vec<String> = get(&hub, "t0").history.into_iter().map(|step| step.what).collect();
    assert_eq!(steps, ["assigned", "unassigned", "assigned"]);
    hub.check().unwrap();
}

#[test]
fn what_a_caller_reserved_waits_for_its_agent_for_a_while_and_is_open_then() {
    let (hub, clock) = still(HubConfig { reservation_seconds: 120.0, ..config() });
    register(&hub, "ana", 1, &[]);
    register(&hub, "bob", 1, &[]);
    make(&hub, "t", Some("ana"));
    hub.run(agents::Leave { agent_id: "ana".into(), idempotency_key: None }).unwrap();
    hub.tend().unwrap();
    clock.advance(Duration::from_secs(119));
    hub.run(agents::Heartbeat { agent_id: "bob".into(), idempotency_key: None }).unwrap();
    hub.tend().unwrap();
    assert!(claim(&hub, "bob").is_none(), "ana may come back");
    clock.advance(Duration::from_secs(1));
    hub.tend().unwrap();
    assert_eq!(claim(&hub, "bob").unwrap().task_id, "t");
    assert_eq!(kinds(&hub, "task.unassigned").len(), 1);
    hub.check().unwrap();
    let (hub, clock) = still(HubConfig { reservation_seconds: 0.0, ..config() });
    register(&hub, "ana", 1, &[]);
    hub.run(agents::Leave { agent_id: "ana".into(), idempotency_key: None }).unwrap();
    make(&hub, "t", Some("ana"));
    for _ in 0..3 {
        hub.tend().unwrap();
        clock.advance(Duration::from_secs(100_000));
    }
    assert_eq!(get(&hub, "t").agent_id.as_deref(), Some("ana"), "for ever, when that is wished");
}

#[test]
fn what_an_absent_agent_held_is_assigned_anew_or_open_once_its_lease_is_over() {
    let (hub, clock) = still(config());
    register(&hub, "ana", 3, &[]);
    let chosen = make(&hub, "chosen", Some("auto"));
    make(&hub, "named", Some("ana"));
    register(&hub, "bob", 1, &[]);
    let held = [claim(&hub, "ana").unwrap(), claim(&hub, "ana").unwrap()];
    hub.run(agents::Leave { agent_id: "ana".into(), idempotency_key: None }).unwrap();
    assert_eq!(chosen.agent_id.as_deref(), Some("ana"));
    for _ in 0..3 {
        hub.tend().unwrap();
        assert_eq!(get(&hub, "chosen").status, TaskStatus::Claimed, "its lease is not over yet");
        clock.advance(Duration::from_secs(21));
        hub.run(agents::Heartbeat { agent_id: "bob".into(), idempotency_key: None }).unwrap();
    }
    (0..2).for_each(|_| hub.tend().unwrap());
    let steps = |id: &str| get(&hub, id).history.into_iter().map(|step| step.what).collect::<Vec<_>>();
    assert_eq!(get(&hub, "chosen").agent_id.as_deref(), Some("bob"), "{:?}", steps("chosen"));
    assert_eq!(steps("chosen"), ["assigned", "claimed", "lapsed", "assigned"]);
    assert!(get(&hub, "chosen").assignment.unwrap().reason.contains("chose \"bob\""));
    assert_eq!(get(&hub, "named").agent_id, None, "{:?}", steps("named"));
    let late = Complete {
        task_id: held[0].task_id.clone(),
        agent_id: Some("ana".into()),
        token: Some(held[0].token),
        ..Complete::default()
    };
    assert_eq!(hub.run(late).unwrap_err().code(), Code::LeaseLost);
    assert_eq!(claim(&hub, "bob").unwrap().attempts, 2);
    hub.check().unwrap();
}

#[test]
fn an_agent_that_comes_back_in_time_keeps_what_is_reserved_for_it() {
    let (hub, clock) = still(HubConfig { reservation_seconds: 60.0, ..config() });
    register(&hub, "ana", 1, &[]);
    make(&hub, "t", Some("ana"));
    for _ in 0..5 {
        hub.run(agents::Leave { agent_id: "ana".into(), idempotency_key: None }).unwrap();
        hub.tend().unwrap();
        clock.advance(Duration::from_secs(50));
        hub.tend().unwrap();
        register(&hub, "ana", 1, &[]);
    }
    assert_eq!(claim(&hub, "ana").unwrap().task_id, "t");
}

#[test]
fn rebalancing_moves_the_most_urgent_of_what_is_too_much_and_nothing_twice() {
    let (hub, _) = still(config());
    register(&hub, "ana", 2, &[]);
    for (title, priority) in [("p1", 1), ("p9", 9), ("p5", 5)] {
        let assign_to = Some("ana".to_owned());
        let task_id = Some(title.to_owned());
        let create = Create { assign_to, task_id, priority: Some(priority), ..Create::new("boss", title) };
        hub.run(create).unwrap();
    }
    let held = claim(&hub, "ana").unwrap();
    assert_eq!(held.task_id, "p9");
    register(&hub, "bob", 5, &[]);
    let done = hub.run(Rebalance::default()).unwrap();
    let moved: Vec<&str> = done.moved.iter().map(|step| step.task_id.as_str()).collect();
    assert_eq!(moved, ["p5"], "what is held stays, and so does what she can begin next");
    assert!(done.moved[0].reason.contains("\"ana\" has 3 tasks"), "{:?}", done.moved);
    assert_eq!(hub.run(Rebalance::default()).unwrap(), tasks::Rebalanced::default());
    hub.check().unwrap();
}

#[test]
fn an_agent_rebalances_only_what_it_made() {
    let (hub, _) = still(config());
    register(&hub, "ana", 1, &[]);
    ["x", "y"].iter().for_each(|title| drop(make(&hub, title, Some("ana"))));
    register(&hub, "bob", 5, &[]);
    let of_bob = hub.run_as(&Principal::agent("bob"), Rebalance::default()).unwrap();
    assert!(of_bob.moved.is_empty());
    assert_eq!(hub.run_as(&Principal::agent("boss"), Rebalance::default()).unwrap().moved.len(), 1);
}

#[test]
fn two_processes_that_rebalance_at_once_move_each_task_once() {
    let folder = tempfile::tempdir().unwrap();
    let hub = Hub::open(folder.path().join("team.db"), config()).unwrap();
    register(&hub, "ana", 1, &[]);
    for i in 0..40 {
        make(&hub, &format!("t{i}"), Some("ana"));
    }
    (0..6).for_each(|i| register(&hub, &format!("w{i}"), 5, &[]));
    let moved: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| hub.run(Rebalance::default()).unwrap().moved)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).map(|step| step.task_id).collect()
    });
    let distinct: std::collections::BTreeSet<&String> = moved.iter().collect();
    assert_eq!((moved.len(), distinct.len()), (30, 30), "all the room there is, each task once");
    hub.check().unwrap();
}

#[test]
fn an_old_task_of_low_priority_is_not_passed_over_for_ever() {
    let (hub, clock) = still(HubConfig { ageing_seconds: 60.0, ..config() });
    register(&hub, "ana", 5, &[]);
    hub.run(Create { priority: Some(0), task_id: Some("old".into()), ..Create::new("boss", "old") }).unwrap();
    let due_date = Some(Time::parse("2026-01-15T00:00:00Z").unwrap());
    for round in 0..12 {
        for i in 0..3 {
            let title = format!("urgent {round} {i}");
            hub.run(Create { priority: Some(9), due_date, ..Create::new("boss", &title) }).unwrap();
        }
        let task = claim(&hub, "ana").unwrap();
        end(&hub, &task, true);
        if task.task_id == "old" {
            assert_eq!((round, task.raised), (10, 10), "once it counts above all, before everything urgent");
            hub.check().unwrap();
            return;
        }
        clock.advance(Duration::from_secs(60));
        hub.tend().unwrap();
    }
    panic!("it was never claimed");
}

#[test]
fn ageing_can_be_turned_off_and_costs_nothing_while_all_is_claimed_in_time() {
    for (ageing_seconds, wait) in [(0.0, 100_000), (60.0, 50)] {
        let (hub, clock) = still(HubConfig { ageing_seconds, ..config() });
        make(&hub, "t", None);
        clock.advance(Duration::from_secs(wait));
        hub.tend().unwrap();
        assert_eq!(kinds(&hub, "task.raised"), [0; 0]);
    }
}

#[test]
fn a_task_is_overdue_once_for_each_due_date() {
    let (hub, clock) = still(config());
    register(&hub, "ana", 1, &[]);
    let due = |text: &str| Some(Time::parse(text).unwrap());
    let task_id = Some("t".to_owned());
    let due_date = due("2026-01-14T15:00:00Z");
    hub.run(Create { task_id, due_date, ..Create::new("boss", "t") }).unwrap();
    make(&hub, "in time", None);
    hub.tend().unwrap();
    assert_eq!(kinds(&hub, "task.overdue"), [0; 0]);
    clock.advance(Duration::from_secs(600));
    (0..3).for_each(|_| hub.tend().unwrap());
    assert_eq!(kinds(&hub, "task.overdue").len(), 1);
    assert!(get(&hub, "t").overdue);
    let later = json!({"task_id": "t", "due_date": "2026-01-14T16:00:00Z"});
    hub.call("task.update", later.to_string().as_bytes()).unwrap();
    assert!(!get(&hub, "t").overdue);
    let held = claim(&hub, "ana").unwrap();
    assert_eq!(held.task_id, "t");
    clock.advance(Duration::from_secs(3_600));
    hub.run(agents::Heartbeat { agent_id: "ana".into(), idempotency_key: None }).unwrap();
    hub.tend().unwrap();
    assert_eq!(kinds(&hub, "task.overdue").len(), 2, "also while it is held");
    hub.check().unwrap();
}

#[test]
fn child() {
    let Some((part, file)) = players::part() else { return };
    let hub = Hub::open(&file, quick()).unwrap();
    register(&hub, &part, 5, &[]);
    hub.hold_agent(&part).unwrap();
    say("here");
    loop {
        std::thread::park();
    }
}

fn quick() -> HubConfig {
    HubConfig { presence_ttl_seconds: 0.5, status_interval_seconds: 0.0, ..config() }
}

#[test]
fn an_agent_whose_process_is_killed_loses_what_was_reserved_for_it_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("team.db");
    let mut doomed = Player::start("doomed", &file, &[]);
    assert_eq!(doomed.hear().as_deref(), Some("here"));
    let hub = Hub::open(&file, quick()).unwrap();
    for i in 0..3 {
        assert_eq!(make(&hub, &format!("t{i}"), Some("auto")).agent_id.as_deref(), Some("doomed"));
    }
    let mut heir = Player::start("heir", &file, &[]);
    assert_eq!(heir.hear().as_deref(), Some("here"));
    let mut assigned = hub.subscribe(Filter::kinds(["task.assigned"]), None).unwrap();
    doomed.kill();
    let mut given = 0;
    while given < 3 {
        match assigned.next(Duration::from_secs(60)).unwrap().expect("the work goes on") {
            Item::Event(event) => {
                let task: Task = serde_json::from_str(event.data.text()).unwrap();
                assert_eq!(task.agent_id.as_deref(), Some("heir"));
                given += 1;
            }
            Item::Gap { .. } | Item::Position { .. } => {}
        }
    }
    let reasons =
        |task: &Task| task.history.iter().filter_map(|step| step.reason.clone()).collect::<Vec<_>>();
    assert!(reasons(&get(&hub, "t0")).iter().any(|why| why.contains("offline")));
    let left_out = get(&hub, "t0").assignment.unwrap().left_out;
    assert_eq!((left_out[0].agent_id.as_str(), left_out[0].why), ("doomed", Hindrance::Offline));
    hub.check().unwrap();
}
