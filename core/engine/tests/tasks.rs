//! What tasks promise.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use folkmoot_engine::clock::{ManualClock, Time};
use folkmoot_engine::seams::Seams;
use folkmoot_engine::tasks::{self, Claim, ClaimMany, Complete, Create, OnDependencyFailure, TaskStatus};
use folkmoot_engine::{Code, Durability, Hub, HubConfig, Principal, agents};
use serde_json::json;

fn config() -> HubConfig {
    HubConfig { durability: Durability::Normal, retry_seconds: 0.0, ..HubConfig::default() }
}

fn hub_with(agents: &[&str]) -> Hub {
    let hub = Hub::open(":memory:", config()).unwrap();
    register(&hub, agents);
    hub
}

fn register(hub: &Hub, agents: &[&str]) {
    for agent in agents {
        hub.run(agents::Register::new(agent)).unwrap();
    }
}

/// A hub whose time stands still until it is moved, and whose threads do nothing by themselves.
fn slow_hub(config: HubConfig, agents: &[&str]) -> (Hub, Arc<ManualClock>) {
    let clock = ManualClock::at(Time::parse("2026-01-14T14:50:30Z").unwrap());
    let seams = Seams { clock: clock.clone(), background: false, ..Seams::default() };
    let hub = Hub::open_with(":memory:", config, seams).unwrap();
    register(&hub, agents);
    (hub, clock)
}

fn claim(hub: &Hub, agent: &str) -> Option<tasks::Task> {
    hub.run(Claim::new(agent)).unwrap()
}

fn complete(hub: &Hub, task: &tasks::Task) -> folkmoot_engine::Result<tasks::Task> {
    hub.run(Complete {
        task_id: task.task_id.clone(),
        agent_id: task.agent_id.clone(),
        token: Some(task.token),
        result: Some(json!({"done": true}).into()),
        ..Complete::default()
    })
}

#[test]
fn the_best_task_is_claimed_by_priority_then_due_date_then_age() {
    let hub = hub_with(&["ana"]);
    let make = |title: &str, priority, due: Option<&str>| {
        let due_date = due.map(|due| Time::parse(due).unwrap());
        hub.run(Create { priority: Some(priority), due_date, ..Create::new("boss", title) }).unwrap();
    };
    make("old", 5, None);
    make("due later", 5, Some("2027-02-01T00:00:00Z"));
    make("due sooner", 5, Some("2027-01-01T00:00:00Z"));
    make("young", 5, None);
    make("urgent", 9, None);
    let order: Vec<String> = std::iter::from_fn(|| claim(&hub, "ana")).map(|task| task.title).collect();
    assert_eq!(order, ["urgent", "due sooner", "due later", "old", "young"]);
    hub.check().unwrap();
}

#[test]
fn only_a_capable_agent_gets_a_task() {
    let hub = hub_with(&["novice"]);
    let words = agents::Capabilities::Words(vec!["rust".into(), "review".into()]);
    hub.run(agents::Register { capabilities: Some(words), ..agents::Register::new("expert") }).unwrap();
    let requires = vec!["review".to_owned(), "rust".to_owned()];
    let task = hub.run(Create { requires, ..Create::new("boss", "review the parser") }).unwrap();
    assert!(claim(&hub, "novice").is_none());
    let named = Claim { task_id: Some(task.task_id.clone()), ..Claim::new("novice") };
    let error = hub.run(named).unwrap_err();
    assert_eq!(error.code(), Code::NotAllowed);
    assert_eq!(error.details()["missing"], json!(["review", "rust"]));
    assert_eq!(claim(&hub, "expert").unwrap().task_id, task.task_id);
}

#[test]
fn exactly_one_of_many_threads_wins_each_task() {
    let hub = hub_with(&["a", "b", "c", "d"]);
    let tasks =
        (0..200).map(|i| tasks::NewTask { title: format!("t{i}"), ..tasks::NewTask::default() }).collect();
    hub.run(tasks::CreateMany { creator_id: "boss".into(), tasks, ..tasks::CreateMany::default() }).unwrap();
    let won: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> = ["a", "b", "c", "d"]
            .map(|agent| {
                let hub = &hub;
                scope.spawn(move || {
                    std::iter::from_fn(|| claim(hub, agent)).map(|t| t.task_id).collect::<Vec<_>>()
                })
            })
            .into_iter()
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert_eq!(won.len(), 200);
    assert_eq!(won.iter().collect::<HashSet<_>>().len(), 200);
    hub.check().unwrap();
}

#[test]
fn a_lapsed_lease_cannot_complete_the_task() {
    let (hub, clock) = slow_hub(config(), &["ana", "bob"]);
    hub.run(Create::new("boss", "work")).unwrap();
    let late = claim(&hub, "ana").unwrap();
    clock.advance(Duration::from_secs(61));
    let error = complete(&hub, &late).unwrap_err();
    assert_eq!(error.code(), Code::LeaseLost, "even before anyone noticed");
    // The keeper sees the counter stand once more for its whole time: it goes by its own clock.
    hub.tend().unwrap();
    clock.advance(Duration::from_secs(62));
    hub.tend().unwrap();
    let again = claim(&hub, "bob").unwrap();
    assert!(again.token > late.token);
    assert_eq!(again.attempts, 2);
    let error = complete(&hub, &late).unwrap_err();
    assert_eq!(error.code(), Code::LeaseLost);
    assert!(error.message().contains("bob"), "{error}");
    assert_eq!(complete(&hub, &again).unwrap().status, TaskStatus::Completed);
    hub.check().unwrap();
}

#[test]
fn a_jump_of_the_wall_clock_ends_no_lease() {
    let (hub, clock) = slow_hub(config(), &["ana"]);
    hub.run(Create::new("boss", "work")).unwrap();
    let task = claim(&hub, "ana").unwrap();
    for years in [10.0, -20.0] {
        clock.jump_wall(years * 365.0 * 86_400.0);
        hub.tend().unwrap();
    }
    assert_eq!(complete(&hub, &task).unwrap().status, TaskStatus::Completed);
}

#[test]
fn a_heartbeat_or_a_renewal_keeps_the_lease() {
    let (hub, clock) = slow_hub(config(), &["ana"]);
    hub.run(Create::new("boss", "work")).unwrap();
    let task = claim(&hub, "ana").unwrap();
    for round in 0..6 {
        clock.advance(Duration::from_secs(40));
        if round % 2 == 0 {
            hub.run(agents::Heartbeat { agent_id: "ana".into(), idempotency_key: None }).unwrap();
        } else {
            hub.run(tasks::Renew {
                task_id: task.task_id.clone(),
                agent_id: "ana".into(),
                token: task.token,
                lease_seconds: None,
                idempotency_key: None,
            })
            .unwrap();
        }
        hub.tend().unwrap();
    }
    assert_eq!(complete(&hub, &task).unwrap().status, TaskStatus::Completed);
    hub.check().unwrap();
}

#[test]
fn a_task_that_lapses_too_often_becomes_a_dead_letter() {
    let (hub, clock) = slow_hub(config(), &["ana"]);
    let task = hub.run(Create { max_attempts: Some(2), ..Create::new("boss", "poison") }).unwrap();
    for _ in 0..2 {
        claim(&hub, "ana").unwrap();
        hub.tend().unwrap();
        clock.advance(Duration::from_secs(62));
        hub.tend().unwrap();
    }
    assert!(claim(&hub, "ana").is_none());
    let task = hub.run(tasks::Get { task_id: task.task_id }).unwrap();
    assert_eq!((task.status, task.dead_letter), (TaskStatus::Failed, true));
    let steps: Vec<&str> = task.history.iter().map(|step| step.what.as_str()).collect();
    assert_eq!(steps, ["claimed", "lapsed", "claimed", "lapsed"]);
    let dead = hub.run(tasks::List { dead_letter: Some(true), ..tasks::List::default() }).unwrap();
    assert_eq!(dead.tasks.len(), 1);
}

#[test]
fn a_failed_task_is_tried_again_after_a_back_off_that_doubles() {
    let (hub, clock) = slow_hub(HubConfig { retry_seconds: 2.0, ..config() }, &["ana"]);
    hub.run(Create { max_attempts: Some(5), ..Create::new("boss", "flaky") }).unwrap();
    for wait in [2u64, 4, 8] {
        let task = claim(&hub, "ana").expect("open after its back-off");
        let fail = tasks::Fail {
            task_id: task.task_id.clone(),
            agent_id: Some("ana".into()),
            token: Some(task.token),
            error: "no luck".into(),
            retry: None,
            over: false,
            idempotency_key: None,
        };
        assert_eq!(hub.run(fail).unwrap().status, TaskStatus::Ready);
        clock.advance(Duration::from_secs(wait) - Duration::from_millis(1));
        hub.tend().unwrap();
        assert!(claim(&hub, "ana").is_none(), "not before {wait} s");
        clock.advance(Duration::from_millis(1));
        hub.tend().unwrap();
    }
    hub.check().unwrap();
}

#[test]
fn a_task_becomes_ready_when_its_last_dependency_completes() {
    let hub = hub_with(&["ana"]);
    let first = hub.run(Create::new("boss", "first")).unwrap();
    let second = hub.run(Create::new("boss", "second")).unwrap();
    let depends_on = vec![first.task_id.clone(), second.task_id.clone()];
    let last = hub.run(Create { depends_on, ..Create::new("boss", "last") }).unwrap();
    assert_eq!(last.status, TaskStatus::Blocked);
    for _ in 0..2 {
        assert_ne!(
            claim(&hub, "ana").map(|task| complete(&hub, &task).unwrap().task_id),
            Some(last.task_id.clone())
        );
    }
    assert_eq!(claim(&hub, "ana").unwrap().task_id, last.task_id);
    hub.check().unwrap();
}

#[test]
fn what_a_failed_dependency_does_is_the_tasks_choice() {
    let hub = hub_with(&["ana"]);
    let base = hub.run(Create::new("boss", "base")).unwrap();
    let on = |choice| {
        let depends_on = vec![base.task_id.clone()];
        let create =
            Create { depends_on, on_dependency_failure: Some(choice), ..Create::new("boss", "dependent") };
        hub.run(create).unwrap().task_id
    };
    let (block, fail, ignore) =
        (on(OnDependencyFailure::Block), on(OnDependencyFailure::Fail), on(OnDependencyFailure::Ignore));
    let task = claim(&hub, "ana").unwrap();
    hub.call(
        "task.fail",
        json!({"task_id": task.task_id, "agent_id": "ana", "token": task.token, "error": "broken", "retry": false})
            .to_string()
            .as_bytes(),
    )
    .unwrap();
    let status = |id: &str| hub.run(tasks::Get { task_id: id.to_owned() }).unwrap().status;
    assert_eq!(status(&block), TaskStatus::Blocked);
    assert_eq!(status(&fail), TaskStatus::Failed);
    assert_eq!(status(&ignore), TaskStatus::Ready);
    hub.check().unwrap();
}

#[test]
fn a_circle_of_dependencies_is_refused_and_named() {
    let hub = hub_with(&[]);
    let with = |id: &str, depends_on: &[&str]| tasks::NewTask {
        title: id.to_owned(),
        task_id: Some(id.to_owned()),
        depends_on: depends_on.iter().map(|id| (*id).to_owned()).collect(),
        ..tasks::NewTask::default()
    };
    let many = |tasks| tasks::CreateMany { creator_id: "boss".into(), tasks, ..tasks::CreateMany::default() };
    let error = hub.run(many(vec![with("a", &["c"]), with("b", &["a"]), with("c", &["b"])])).unwrap_err();
    assert_eq!(error.code(), Code::Conflict);
    assert_eq!(error.details()["circle"].as_array().unwrap().len(), 4, "{error:?}");
    assert!(hub.run(tasks::List::default()).unwrap().tasks.is_empty(), "nothing is half done");
    hub.run(many(vec![with("a", &[]), with("b", &["a"]), with("c", &["b"])])).unwrap();
    let back =
        tasks::Update { task_id: "a".into(), depends_on: Some(vec!["c".into()]), ..tasks::Update::default() };
    assert_eq!(hub.run(back).unwrap_err().details()["circle"], json!(["a", "c", "b", "a"]));
}

#[test]
fn cancelling_a_task_cancels_its_parts_and_its_holder_hears_so() {
    let hub = hub_with(&["ana"]);
    let parent = hub.run(Create::new("boss", "parent")).unwrap();
    let child =
        Create { parent_id: Some(parent.task_id.clone()), priority: Some(9), ..Create::new("boss", "child") };
    hub.run(child).unwrap();
    let held = claim(&hub, "ana").unwrap();
    let cancel =
        tasks::Cancel { task_id: parent.task_id, agent_id: None, reason: None, idempotency_key: None };
    let gone = hub.run(cancel).unwrap().tasks;
    assert_eq!(gone.iter().map(|task| task.status).collect::<Vec<_>>(), [TaskStatus::Cancelled; 2]);
    assert_eq!(complete(&hub, &held).unwrap_err().code(), Code::Conflict);
    hub.check().unwrap();
}

#[test]
fn nobody_ends_a_held_task_without_its_token_but_an_operator_who_overrides() {
    let hub = hub_with(&["ana", "boss"]);
    let task = hub.run(Create::new("boss", "work")).unwrap();
    claim(&hub, "ana").unwrap();
    let bare = |over| Complete { task_id: task.task_id.clone(), over, ..Complete::default() };
    assert_eq!(hub.run_as(&Principal::agent("boss"), bare(true)).unwrap_err().details()["field"], "token");
    assert_eq!(hub.run_as(&Principal::agent("bob"), bare(false)).unwrap_err().code(), Code::NotAllowed);
    assert_eq!(hub.run(bare(false)).unwrap_err().code(), Code::Conflict);
    assert_eq!(hub.run(bare(true)).unwrap().status, TaskStatus::Completed);
}

#[test]
fn a_waiting_claim_gets_the_task_that_comes() {
    let hub = hub_with(&["ana"]);
    let waiting = {
        let hub = hub.clone();
        std::thread::spawn(move || hub.run(Claim { wait_seconds: Some(30.0), ..Claim::new("ana") }))
    };
    std::thread::sleep(Duration::from_millis(50));
    let made = hub.run(Create::new("boss", "work")).unwrap();
    assert_eq!(waiting.join().unwrap().unwrap().unwrap().task_id, made.task_id);
    let waited = hub.run(tasks::Wait { task_id: made.task_id, wait_seconds: Some(0.01) }).unwrap();
    assert!(!waited.ended);
}

#[test]
fn a_reserved_task_is_its_agents_alone() {
    let hub = hub_with(&["ana", "bob"]);
    let task = hub.run(Create { assign_to: Some("bob".into()), ..Create::new("boss", "for bob") }).unwrap();
    assert!(claim(&hub, "ana").is_none());
    let named = Claim { task_id: Some(task.task_id.clone()), ..Claim::new("ana") };
    assert_eq!(hub.run(named).unwrap_err().code(), Code::Conflict);
    assert_eq!(claim(&hub, "bob").unwrap().task_id, task.task_id);
    let many = hub.run(ClaimMany { agent_id: "bob".into(), count: 5, ..ClaimMany::default() }).unwrap();
    assert!(many.tasks.is_empty());
}

/// Seen in the demo on an overloaded machine: a worker stood still for longer than its lease, was told `lease_lost` and
/// went on to other work; then its process beat again, which kept the lease that it had given up alive for ever, and
/// nobody could have the task.
#[test]
fn a_beat_that_comes_too_late_does_not_revive_a_lease_that_was_refused() {
    let (hub, clock) = slow_hub(HubConfig { presence_ttl_seconds: 2.0, ..config() }, &["ana", "bob"]);
    hub.hold_agent("bob").unwrap();
    let task = hub.run(Create::new("ana", "slow")).unwrap();
    let held = hub.run(Claim { lease_seconds: Some(2.0), ..Claim::new("bob") }).unwrap().unwrap();
    clock.advance(Duration::from_secs(3));
    let progress = tasks::Progress {
        task_id: task.task_id.clone(),
        agent_id: "bob".into(),
        token: held.token,
        progress: Some(50.0),
        phase: None,
        log: None,
        idempotency_key: None,
    };
    assert_eq!(hub.run(progress).unwrap_err().code(), Code::LeaseLost);
    // What the hub's own thread does when it runs again: it beats, and looks after leases.
    hub.tend().unwrap();
    let now = hub.run(tasks::Get { task_id: task.task_id }).unwrap();
    assert_eq!(now.status, TaskStatus::Ready);
    assert_eq!(now.history.last().unwrap().what, "lapsed");
    hub.check().unwrap();
}
