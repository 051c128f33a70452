//! What an execution promises: a task with all of its parts and what is said about them, from the first event to the end,
//! each once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeSet;
use std::time::Duration;

use folkmoot_engine::agents::Register;
use folkmoot_engine::clock::{ManualClock, Time};
use folkmoot_engine::messages::Send;
use folkmoot_engine::seams::Seams;
use folkmoot_engine::tasks::{
    self, Cancel, Claim, Complete, Create, CreateMany, Execution, ExecutionUpdate, Fail, NewTask, Task,
};
use folkmoot_engine::{Code, Durability, Filter, Hub, HubConfig, Principal};
use serde_json::json;

const SOON: Duration = Duration::from_secs(30);

fn hub_of(agents: &[&str]) -> Hub {
    let config = HubConfig { durability: Durability::Normal, retry_seconds: 0.0, ..HubConfig::default() };
    let hub = Hub::open(":memory:", config).unwrap();
    agents.iter().for_each(|agent| drop(hub.run(Register::new(agent)).unwrap()));
    hub
}

fn make(hub: &Hub, id: &str, parent: Option<&str>) -> Task {
    let parent_id = parent.map(str::to_owned);
    hub.run(Create { task_id: Some(id.to_owned()), parent_id, ..Create::new("boss", id) }).unwrap()
}

fn claim(hub: &Hub, agent: &str, id: &str) -> Task {
    hub.run(Claim { task_id: Some(id.to_owned()), ..Claim::new(agent) }).unwrap().unwrap()
}

fn log(hub: &Hub, task: &Task, line: &str) {
    let input = json!({"task_id": task.task_id, "agent_id": task.agent_id, "token": task.token, "log": line,
        "phase": "reading", "progress": 40});
    hub.call("task.progress", input.to_string().as_bytes()).unwrap();
}

fn complete(hub: &Hub, id: &str) {
    let result = Some(json!({"of": id}).into());
    hub.run(Complete { task_id: id.to_owned(), result, over: true, ..Complete::default() }).unwrap();
}

fn cancel(id: &str, reason: Option<&str>) -> Cancel {
    let reason = reason.map(str::to_owned);
    Cancel { task_id: id.to_owned(), agent_id: None, reason, idempotency_key: None }
}

fn say(hub: &Hub, content: &str, task: &str) {
    hub.run(Send { task_id: Some(task.to_owned()), ..Send::new("ana", content) }).unwrap();
}

/// An update in a few words.
fn short(update: &ExecutionUpdate) -> String {
    match update {
        ExecutionUpdate::Status(s) => {
            let lines: String = s.logs.iter().map(|line| format!(" +{}", line.message)).collect();
            format!("{} {}{lines}", s.task_id, s.kind.trim_start_matches("task."))
        }
        ExecutionUpdate::Message(m) => format!("{:?}", m.message.content),
        ExecutionUpdate::Completion(done) => format!("done {}", done.result.text()),
        ExecutionUpdate::Error(failure) => format!("{}: {}", failure.error, failure.message),
        ExecutionUpdate::Gap(gap) => format!("gap {}-{}", gap.from, gap.to),
    }
}

fn now(execution: &mut Execution) -> Vec<String> {
    std::iter::from_fn(|| execution.try_next().unwrap()).map(|update| short(&update)).collect()
}

#[test]
fn a_task_is_told_from_its_beginning_with_its_parts_logs_and_messages_and_ends_with_its_result() {
    let hub = hub_of(&["ana", "bob"]);
    make(&hub, "other", None);
    make(&hub, "t", None);
    let mut execution = hub.execution("t", None).unwrap();
    assert_eq!(now(&mut execution), ["t created"]);
    let held = claim(&hub, "ana", "t");
    log(&hub, &held, "one");
    log(&hub, &held, "two");
    make(&hub, "part", Some("t"));
    make(&hub, "part of part", Some("part"));
    say(&hub, "how far?", "part of part");
    say(&hub, "not here", "other");
    assert_eq!(
        now(&mut execution),
        [
            "t claimed",
            "t progressed +one",
            "t progressed +two",
            "part created",
            "part of part created",
            "\"how far?\""
        ]
    );
    complete(&hub, "part of part");
    complete(&hub, "other");
    complete(&hub, "t");
    assert!(!execution.is_over());
    assert_eq!(now(&mut execution), ["part of part completed", "t completed", "done {\"of\":\"t\"}"]);
    assert!(execution.is_over());
    assert_eq!(execution.next(SOON).unwrap(), None, "at once");
    let mut whole = hub.execution("t", None).unwrap();
    assert_eq!(now(&mut whole).len(), 10, "what came live is the same as what is read back");
}

#[test]
fn an_update_carries_what_a_stream_shows() {
    let hub = hub_of(&["ana"]);
    make(&hub, "t", None);
    let held = claim(&hub, "ana", "t");
    log(&hub, &held, "one");
    say(&hub, "so far", "t");
    complete(&hub, "t");
    let mut execution = hub.execution("t", None).unwrap();
    let all: Vec<_> = std::iter::from_fn(|| execution.try_next().unwrap()).collect();
    let json: Vec<serde_json::Value> =
        all.iter().map(|update| serde_json::to_value(update).unwrap()).collect();
    let status = &json[2];
    assert_eq!((&status["type"], &status["execution_id"]), (&json!("status"), &json!("t")));
    assert_eq!((&status["status"], &status["progress"]), (&json!("in_progress"), &json!(40.0)));
    assert_eq!((&status["current_phase"], &status["logs"][0]["message"]), (&json!("reading"), &json!("one")));
    let message = &json[3];
    for field in
        ["message_id", "sender_id", "sender_name", "content", "timestamp", "conversation_thread_id", "seq"]
    {
        assert!(!message[field].is_null(), "{field}: {message}");
    }
    assert_eq!((&message["type"], &message["content"]), (&json!("message"), &json!("so far")));
    assert_eq!((&json[5]["type"], &json[5]["result"]), (&json!("completion"), &json!({"of": "t"})));
    assert!(json.windows(2).all(|pair| pair[0]["seq"].as_u64() <= pair[1]["seq"].as_u64()), "{json:?}");
}

#[test]
fn a_part_is_followed_without_the_rest_of_its_tree() {
    let hub = hub_of(&["ana"]);
    make(&hub, "top", None);
    make(&hub, "left", Some("top"));
    make(&hub, "right", Some("top"));
    let mut execution = hub.execution("left", None).unwrap();
    make(&hub, "under left", Some("left"));
    make(&hub, "under right", Some("right"));
    say(&hub, "to the left", "under left");
    say(&hub, "to the right", "under right");
    complete(&hub, "top");
    complete(&hub, "left");
    let told =
        ["left created", "under left created", "\"to the left\"", "left completed", "done {\"of\":\"left\"}"];
    assert_eq!(now(&mut execution), told);
}

#[test]
fn it_is_resumed_anywhere_without_gap_or_double() {
    let hub = hub_of(&["ana"]);
    make(&hub, "t", None);
    make(&hub, "part", Some("t"));
    let held = claim(&hub, "ana", "part");
    ["one", "two", "three"].iter().for_each(|line| log(&hub, &held, line));
    say(&hub, "nearly", "part");
    complete(&hub, "t");
    let mut whole = hub.execution("t", None).unwrap();
    let all: Vec<ExecutionUpdate> = std::iter::from_fn(|| whole.try_next().unwrap()).collect();
    for (i, update) in all.iter().enumerate() {
        let mut rest = hub.execution("t", Some(update.seq())).unwrap();
        let expected: Vec<String> = all.iter().skip(i + 1).map(short).collect();
        let expected = if i + 1 == all.len() { vec![short(update)] } else { expected };
        assert_eq!(now(&mut rest), expected, "after {}", update.seq());
    }
    let ahead = hub.execution("t", Some(1_000)).unwrap_err();
    assert_eq!((ahead.code(), ahead.details()["field"].as_str()), (Code::InvalidInput, Some("after")));
    assert_eq!(hub.execution("nothing", None).unwrap_err().code(), Code::NotFound);
}

#[test]
fn a_failure_for_good_and_a_cancellation_end_it_with_their_reason_and_a_retry_does_not() {
    let hub = hub_of(&["ana"]);
    make(&hub, "t", None);
    let mut execution = hub.execution("t", None).unwrap();
    let fail = |task: &Task, error: &str, retry| {
        let input = json!({"task_id": task.task_id, "agent_id": "ana", "token": task.token, "error": error,
            "retry": retry});
        serde_json::from_value::<Fail>(input).unwrap()
    };
    hub.run(fail(&claim(&hub, "ana", "t"), "flaky", true)).unwrap();
    assert_eq!(now(&mut execution), ["t created", "t claimed", "t retrying"]);
    hub.run(fail(&claim(&hub, "ana", "t"), "broken", false)).unwrap();
    assert_eq!(now(&mut execution), ["t claimed", "t failed", "failed: broken"]);
    make(&hub, "c", None);
    make(&hub, "part", Some("c"));
    let mut execution = hub.execution("c", None).unwrap();
    hub.run(cancel("c", Some("no longer needed"))).unwrap();
    let told = ["c created", "part created", "part cancelled", "c cancelled", "cancelled: no longer needed"];
    assert_eq!(now(&mut execution), told, "parts end before their whole");
}

#[test]
fn parts_made_in_one_call_are_told_although_nobody_heard_of_their_parents_yet() {
    let hub = hub_of(&[]);
    make(&hub, "t", None);
    let mut execution = hub.execution("t", None).unwrap();
    let part = |i: usize| NewTask {
        title: format!("p{i}"),
        task_id: Some(format!("p{i}")),
        parent_id: Some(if i == 0 { "t".to_owned() } else { format!("p{}", i - 1) }),
        ..NewTask::default()
    };
    let tasks = (0..50).rev().map(part).collect();
    hub.run(CreateMany { creator_id: "boss".into(), tasks, ..CreateMany::default() }).unwrap();
    complete(&hub, "p49");
    assert_eq!(now(&mut execution).len(), 52);
    assert_eq!(hub.run(tasks::Get { task_id: "p49".into() }).unwrap().root_id.as_deref(), Some("t"));
}

/// `task.cancel` once ran for ever on two tasks that were parts of each other.
#[test]
fn parts_that_would_be_parts_of_themselves_are_refused_and_named() {
    let hub = hub_of(&[]);
    let part = |id: &str, parent: &str| NewTask {
        title: id.to_owned(),
        task_id: Some(id.to_owned()),
        parent_id: Some(parent.to_owned()),
        ..NewTask::default()
    };
    let tasks = vec![part("x", "a"), part("a", "b"), part("b", "a")];
    let error =
        hub.run(CreateMany { creator_id: "boss".into(), tasks, ..CreateMany::default() }).unwrap_err();
    assert_eq!((error.code(), &error.details()["field"]), (Code::Conflict, &json!("parent_id")));
    assert_eq!(error.details()["circle"], json!(["a", "b", "a"]));
    assert!(hub.run(tasks::List::default()).unwrap().tasks.is_empty());
}

#[test]
fn an_agent_is_told_only_the_messages_that_it_may_see() {
    let hub = hub_of(&["ana", "bob", "cid"]);
    make(&hub, "t", None);
    let secret = Send { task_id: Some("t".into()), ..Send::new("ana", "for bob") };
    hub.run(secret.to(["bob"])).unwrap();
    say(&hub, "for all", "t");
    for (agent, sees) in
        [("bob", vec!["t created", "\"for bob\"", "\"for all\""]), ("cid", vec!["t created", "\"for all\""])]
    {
        let mut execution = hub.execution_as(&Principal::agent(agent), "t", None).unwrap();
        assert_eq!(now(&mut execution), sees, "{agent}");
    }
}

#[test]
fn what_retention_took_is_named_and_the_end_is_told_nevertheless() {
    let clock = ManualClock::at(Time::parse("2026-01-14T14:50:30Z").unwrap());
    let config = HubConfig { retain_events: 3, durability: Durability::Normal, ..HubConfig::default() };
    let seams = Seams { clock, background: false, ..Seams::default() };
    let hub = Hub::open_with(":memory:", config, seams).unwrap();
    make(&hub, "t", None);
    complete(&hub, "t");
    (0..6).for_each(|i| drop(make(&hub, &format!("o{i}"), None)));
    make(&hub, "live", None);
    (0..6).for_each(|i| drop(make(&hub, &format!("n{i}"), None)));
    hub.tend().unwrap();
    let mut execution = hub.execution("t", None).unwrap();
    let told = now(&mut execution);
    assert!(told[0].starts_with("gap 1-"), "{told:?}");
    assert_eq!(told[1..], ["done {\"of\":\"t\"}"]);
    let mut execution = hub.execution("live", None).unwrap();
    assert!(now(&mut execution)[0].starts_with("gap 9-"));
    complete(&hub, "live");
    assert_eq!(now(&mut execution), ["live completed", "done {\"of\":\"live\"}"]);
}

#[test]
fn a_follower_that_waits_is_woken_and_one_that_overflows_reads_on_from_the_log() {
    let config = HubConfig { subscription_queue: 2, durability: Durability::Normal, ..HubConfig::default() };
    let hub = Hub::open(":memory:", config).unwrap();
    hub.run(Register::new("ana")).unwrap();
    make(&hub, "t", None);
    let mut execution = hub.execution("t", None).unwrap();
    let follower = std::thread::spawn(move || {
        let mut told = Vec::new();
        while let Some(update) = execution.next(SOON).unwrap() {
            told.push(short(&update));
        }
        assert!(execution.is_over());
        told
    });
    let held = claim(&hub, "ana", "t");
    (0..200).for_each(|i| log(&hub, &held, &format!("line {i}")));
    complete(&hub, "t");
    let told = follower.join().unwrap();
    assert_eq!(told.len(), 204);
    let lines: BTreeSet<&String> = told.iter().filter(|line| line.contains("+line")).collect();
    assert_eq!(lines.len(), 200, "each line once, although the task keeps only a hundred");
}

#[test]
fn the_tree_of_a_task_can_be_subscribed_to() {
    let hub = hub_of(&["ana"]);
    make(&hub, "t", None);
    let filter = Filter { execution_id: Some("t".into()), ..Filter::kinds(["message.*"]) };
    let mut heard = hub.subscribe(filter, None).unwrap();
    make(&hub, "part", Some("t"));
    say(&hub, "hear hear", "part");
    let mut count = 0;
    while let Some(folkmoot_engine::Item::Event(event)) = heard.try_next().unwrap() {
        assert_eq!(event.kind, "message.sent");
        count += 1;
    }
    assert_eq!(count, 1);
}
