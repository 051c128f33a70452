//! Hooks: asked before operations, told after events, and never able to break anything.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use folkmoot_engine::hooks::{Hook, HookStats, OnError, Verdict};
use folkmoot_engine::{Code, Error, Filter, Hub, HubConfig, Item, Principal, Subscription};
use folkmoot_engine::{agents, events, memory, tasks};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(100);

fn open() -> Hub {
    Hub::open(":memory:", HubConfig::default()).unwrap()
}

fn stats(hub: &Hub, name: &str) -> HookStats {
    let all = hub.run(events::HubStats {}).unwrap().hooks;
    all.into_iter().find(|hook| hook.name == name).unwrap()
}

fn next(events: &mut Subscription) -> Arc<folkmoot_engine::Event> {
    match events.next(SOON).unwrap().unwrap() {
        Item::Event(event) => event,
        other => panic!("{other:?}"),
    }
}

fn titles(hub: &Hub) -> Vec<String> {
    let page = hub.run(tasks::List::default()).unwrap();
    page.tasks.into_iter().map(|task| task.title).collect()
}

/// Lets a hook wait until it is let go.
fn gate() -> (Sender<()>, Mutex<Receiver<()>>) {
    let (open, wait) = mpsc::channel();
    (open, Mutex::new(wait))
}

#[test]
fn a_before_hook_refuses_by_every_way_in_with_its_name_and_reason() {
    let hub = open();
    hub.before(Hook::before("no-secrets", "task.create"), |request| {
        assert_eq!(request.operation, "task.create");
        Ok(match request.input["title"].as_str().unwrap().contains("secret") {
            true => Verdict::Refuse("it tells a secret".into()),
            false => Verdict::Allow,
        })
    })
    .unwrap();
    let create = || tasks::Create::new("ana", "the secret plan");
    let text = serde_json::to_vec(&create()).unwrap();
    let (tell, told) = mpsc::channel();
    hub.submit(
        &Principal::Process,
        "task.create",
        &text,
        || Ok(()),
        move |answer| tell.send(answer).unwrap(),
    );
    let refusals = [
        hub.run(create()).map(drop),
        hub.call("task.create", &text).map(drop),
        told.recv_timeout(SOON).unwrap().map(drop),
    ];
    for refused in refusals {
        let error = refused.unwrap_err();
        assert_eq!(error.code(), Code::NotAllowed);
        assert_eq!(error.message(), "hook \"no-secrets\" refused task.create: it tells a secret");
        assert_eq!(error.details()["hook"], "no-secrets");
        assert_eq!(error.details()["reason"], "it tells a secret");
    }
    hub.run(tasks::Create::new("ana", "the plan")).unwrap();
    assert_eq!(titles(&hub), ["the plan"]);
    let stats = stats(&hub, "no-secrets");
    assert_eq!((stats.calls, stats.refused, stats.failed), (4, 3, 0));
}

#[test]
fn hooks_change_the_input_in_the_order_of_their_registration() {
    let hub = open();
    for (name, more) in [("z-first", " one"), ("a-second", " two")] {
        hub.before(Hook::before(name, "task.*"), move |request| {
            let mut input = request.input.clone();
            if let Some(title) = request.input["title"].as_str() {
                input["title"] = json!(format!("{title}{more}"));
            }
            Ok(Verdict::Change(input))
        })
        .unwrap();
    }
    assert_eq!(hub.run(tasks::Create::new("ana", "do")).unwrap().title, "do one two");
    hub.call("task.create", br#"{"creator_id": "ana", "title": "go"}"#).unwrap();
    hub.unhook("z-first").unwrap();
    hub.unhook("a-second").unwrap();
    assert_eq!(titles(&hub), ["go one two", "do one two"]);
}

#[test]
fn a_changed_input_is_checked_like_any_other() {
    let hub = open();
    let made = Arc::new(Mutex::new(Value::Null));
    let makes = made.clone();
    hub.before(Hook::before("clumsy", "task.create"), move |_| {
        Ok(Verdict::Change(makes.lock().unwrap().clone()))
    })
    .unwrap();
    for (input, field) in [
        (json!({"title": "x"}), "creator_id"),
        (json!({"creator_id": "ana", "title": "x", "colour": "red"}), "colour"),
        (json!({"creator_id": "ana", "title": "x", "priority": 99}), "priority"),
        (json!([1]), "input"),
    ] {
        *made.lock().unwrap() = input;
        let error = hub.run(tasks::Create::new("ana", "fine")).unwrap_err();
        assert_eq!(
            (error.code(), &error.details()["field"]),
            (Code::InvalidInput, &json!(field)),
            "{error:?}"
        );
        let named = format!("{error:?}");
        assert!(named.contains("clumsy"), "{named}");
    }
    assert_eq!(titles(&hub), [""; 0]);
}

#[test]
fn an_input_without_the_right_form_bothers_no_hook() {
    let hub = open();
    hub.before(Hook::before("asked", "*"), |_| Ok(Verdict::Allow)).unwrap();
    let error = hub.call("task.create", br#"{"title": 3}"#).unwrap_err();
    assert_eq!(error.code(), Code::InvalidInput);
    assert_eq!(hub.call("task.create", b"\xff").unwrap_err().code(), Code::InvalidInput);
    assert_eq!(stats(&hub, "asked").calls, 1); // for hub.stats itself
}

#[test]
fn a_hook_that_fails_or_panics_is_reported_and_lets_the_call_pass() {
    let hub = open();
    let mut failures = hub.subscribe(Filter::kinds(["hook.failed"]), None).unwrap();
    hub.before(Hook::before("broken", "task.create"), |_| {
        Err(Error::unavailable("no answer from the model"))
    })
    .unwrap();
    hub.before(Hook::before("panics", "task.create"), |_| panic!("on purpose")).unwrap();
    hub.run(tasks::Create::new("ana", "goes on")).unwrap();
    let failed: Vec<Value> = (0..2).map(|_| next(&mut failures).data.to_value()).collect();
    assert_eq!(failed[0]["hook"], "broken");
    assert_eq!(failed[0]["error"]["message"], "no answer from the model");
    assert_eq!((&failed[0]["about"], &failed[0]["then"]), (&json!("task.create"), &json!("allowed")));
    assert_eq!(failed[1]["hook"], "panics");
    assert!(failed[1]["error"]["message"].as_str().unwrap().contains("on purpose"), "{}", failed[1]);
    assert_eq!((stats(&hub, "broken").failed, stats(&hub, "panics").failed), (1, 1));
    assert_eq!(titles(&hub), ["goes on"]);
}

#[test]
fn a_guard_that_fails_refuses() {
    let hub = open();
    hub.before(Hook::before("guard", "task.create").on_error(OnError::Refuse), |_| {
        Err(Error::unavailable("no answer from the model"))
    })
    .unwrap();
    let error = hub.run(tasks::Create::new("ana", "goes on")).unwrap_err();
    assert_eq!((error.code(), &error.details()["reason"]), (Code::NotAllowed, &json!("failed")));
    assert!(error.message().contains("no answer from the model"), "{error}");
    assert_eq!(titles(&hub), [""; 0]);
}

#[test]
fn a_hook_that_hangs_is_given_up_and_holds_up_nobody_else() {
    let hub = open();
    let (open_gate, wait) = gate();
    let hang = Hook::before("hangs", "task.create").timeout(SHORT).on_error(OnError::Refuse);
    hub.before(hang, move |_| {
        let _ = wait.lock().unwrap().recv();
        Ok(Verdict::Allow)
    })
    .unwrap();
    let calling = hub.clone();
    let caller = std::thread::spawn(move || calling.run(tasks::Create::new("ana", "late")));
    // The others write meanwhile: nothing is held while a hook is asked.
    hub.run(memory::Set::new("k", json!(1))).unwrap();
    let error = caller.join().unwrap().unwrap_err();
    assert_eq!((error.code(), &error.details()["reason"]), (Code::NotAllowed, &json!("timed out")));
    let stats_of = stats(&hub, "hangs");
    assert_eq!((stats_of.failed, stats_of.timed_out), (1, 1));

    // One that hangs again and again is not asked any more, until its calls come back.
    for _ in 0..7 {
        hub.run(tasks::Create::new("ana", "late")).unwrap_err();
    }
    let began = Instant::now();
    let error = hub.run(tasks::Create::new("ana", "late")).unwrap_err();
    assert!(error.message().contains("8 earlier calls"), "{error}");
    assert!(began.elapsed() < SHORT, "it was not waited for");
    drop(open_gate);
    let until = Instant::now() + SOON;
    while hub.run(tasks::Create::new("ana", "in time")).is_err() {
        assert!(Instant::now() < until, "it is asked again once its calls have come back");
    }
}

#[test]
fn a_hook_that_calls_its_own_operation_ends_and_does_the_work_not_once() {
    let hub = open();
    let inner = hub.clone();
    let deepest = Arc::new(AtomicU64::new(0));
    let seen = deepest.clone();
    hub.before(Hook::before("recurses", "task.create"), move |_| {
        seen.fetch_add(1, Ordering::Relaxed);
        inner.run(tasks::Create::new("hook", "one more"))?;
        Ok(Verdict::Allow)
    })
    .unwrap();
    let error = hub.run(tasks::Create::new("ana", "one")).unwrap_err();
    assert_eq!((error.code(), &error.details()["limit"]), (Code::LimitExceeded, &json!(4)));
    assert!(error.message().contains("inside hooks"), "{error}");
    assert!(error.hint_text().unwrap().contains("its own calls"), "{error}");
    assert_eq!(deepest.load(Ordering::Relaxed), 4);
    assert_eq!(titles(&hub), [""; 0]);
}

#[test]
fn a_hook_may_call_the_hub() {
    let hub = open();
    let inner = hub.clone();
    hub.before(Hook::before("counts", "task.create"), move |_| {
        inner.call("memory.increment", br#"{"key": "asked"}"#)?;
        Ok(Verdict::Allow)
    })
    .unwrap();
    hub.run(tasks::Create::new("ana", "one")).unwrap();
    hub.run(tasks::Create::new("ana", "two")).unwrap();
    assert_eq!(hub.run(memory::Get::new("asked")).unwrap().value.to_value(), json!(2));
}

#[test]
fn the_hot_calls_are_hooked_too() {
    let hub = open();
    hub.run(agents::Register::new("ana")).unwrap();
    hub.run(memory::Set::new("k", json!(1))).unwrap();
    hub.memory_text(&Principal::Process, "k").unwrap();
    assert!(!hub.hooked("memory.get"));
    for operations in ["presence.update", "memory.get"] {
        hub.before(Hook::before(operations, operations), |_| Ok(Verdict::Refuse("not today".into())))
            .unwrap();
    }
    assert!(hub.hooked("memory.get"));
    assert!(hub.memory_cached(&Principal::Process, "k").unwrap().is_none());
    let update = agents::UpdatePresence { agent_id: "ana".into(), ..Default::default() };
    for refused in [hub.memory_text(&Principal::Process, "k").map(drop), hub.run(update).map(drop)] {
        assert_eq!(refused.unwrap_err().code(), Code::NotAllowed);
    }
}

#[test]
fn a_caller_that_must_not_wait_does_not_wait_for_hooks() {
    let hub = open();
    let (open_gate, wait) = gate();
    hub.before(Hook::before("slow", "memory.set"), move |_| {
        let _ = wait.lock().unwrap().recv();
        Ok(Verdict::Allow)
    })
    .unwrap();
    let (tell, told) = mpsc::channel();
    let input = br#"{"key": "k", "value": 1}"#;
    hub.submit(&Principal::Process, "memory.set", input, || Ok(()), move |answer| tell.send(answer).unwrap());
    assert!(told.try_recv().is_err());
    drop(open_gate);
    told.recv_timeout(SOON).unwrap().unwrap();
    assert_eq!(hub.run(memory::Get::new("k")).unwrap().version, 1);
}

#[test]
fn names_are_one_of_a_kind_and_hooks_go_with_their_handle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("team.db");
    let hub = Hub::open(&path, HubConfig::default()).unwrap();
    let other = Hub::open(&path, HubConfig::default()).unwrap();
    let refuse = |_: &folkmoot_engine::hooks::Request<'_>| Ok(Verdict::Refuse("no".into()));
    hub.before(Hook::before("mine", "memory.set"), refuse).unwrap();
    for taken in [
        other.before(Hook::before("mine", "task.create"), refuse),
        other.after(Hook::after("mine", "*"), |_| Ok(())),
        other.summarizer(Hook::summarizer("mine"), |_| Ok(String::new())),
    ] {
        assert_eq!(taken.unwrap_err().code(), Code::AlreadyExists);
    }
    assert!(other.run(memory::Set::new("k", json!(1))).is_err(), "it binds the whole process");
    hub.unhook("mine").unwrap();
    assert_eq!(hub.unhook("mine").unwrap_err().code(), Code::NotFound);
    other.before(Hook::before("mine", "memory.set"), refuse).unwrap();
    hub.close();
    assert!(other.hooked("memory.set"), "another handle's hook of that name stays");
    let third = Hub::open(&path, HubConfig::default()).unwrap();
    other.close();
    third.run(memory::Set::new("k", json!(1))).unwrap();
}

#[test]
fn a_pattern_that_nothing_fits_is_refused() {
    let hub = open();
    for (pattern, hint) in [("task.craete", "task.create"), ("tusk.*", "task.*"), ("ta*", "task.*")] {
        let error = hub.before(Hook::before("h", pattern), |_| Ok(Verdict::Allow)).unwrap_err();
        assert_eq!(error.code(), Code::InvalidInput);
        assert!(error.hint_text().unwrap().contains(hint), "{error}");
    }
    assert!(hub.after(Hook::after("h", "Task created"), |_| Ok(())).is_err());
    let late = Hook::before("h", "*").timeout(Duration::ZERO);
    assert_eq!(hub.before(late, |_| Ok(Verdict::Allow)).unwrap_err().details()["field"], "timeout");
    assert!(hub.before(Hook::before("", "*"), |_| Ok(Verdict::Allow)).is_err());
}

#[test]
fn after_hooks_hear_every_event_in_order_and_a_slow_one_delays_nobody() {
    let hub = Hub::open(":memory:", HubConfig { subscription_queue: 4, ..HubConfig::default() }).unwrap();
    let (open_gate, wait) = gate();
    let (slow_says, slow) = mpsc::channel();
    let (quick_says, quick) = mpsc::channel();
    hub.after(Hook::after("slow", "memory.*").timeout(SOON), move |event| {
        let _ = wait.lock().unwrap().recv();
        slow_says.send(event.seq).unwrap();
        Ok(())
    })
    .unwrap();
    hub.after(Hook::after("quick", "memory.*"), move |event| {
        quick_says.send(event.seq).unwrap();
        Ok(())
    })
    .unwrap();
    for number in 0..50 {
        hub.run(memory::Set::new("k", json!(number))).unwrap();
    }
    let heard = |from: &Receiver<u64>| (0..50).map(|_| from.recv_timeout(SOON).unwrap()).collect::<Vec<_>>();
    assert_eq!(heard(&quick), (1..=50).collect::<Vec<_>>());
    assert!(slow.try_recv().is_err());
    drop(open_gate);
    assert_eq!(heard(&slow), (1..=50).collect::<Vec<_>>(), "more than its queue holds came from the log");
}

#[test]
fn an_after_hook_that_fails_or_hangs_hears_what_comes_next() {
    let hub = open();
    let mut failures = hub.subscribe(Filter::kinds(["hook.failed"]), None).unwrap();
    let (says, heard) = mpsc::channel();
    // Long enough for a panic to be written out on a busy machine.
    hub.after(
        Hook::after("frail", "memory.updated").timeout(Duration::from_secs(3)),
        move |event| match event.data.to_value()["value"].as_i64().unwrap() {
            1 => Err(Error::unavailable("not now")),
            2 => panic!("on purpose"),
            3 => {
                std::thread::sleep(SOON);
                Ok(())
            }
            value => {
                says.send(value).unwrap();
                Ok(())
            }
        },
    )
    .unwrap();
    for value in 1..=4 {
        hub.run(memory::Set::new("k", json!(value))).unwrap();
        if value < 4 {
            let failed = next(&mut failures).data.to_value();
            assert_eq!((&failed["hook"], &failed["then"]), (&json!("frail"), &json!("dropped")));
            assert_eq!(failed["timed_out"], json!(value == 3));
        }
    }
    assert_eq!(heard.recv_timeout(SOON).unwrap(), 4);
}

#[test]
fn a_hub_closes_while_hooks_hang() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("team.db");
    let hub = Hub::open(&path, HubConfig::default()).unwrap();
    let (entered, inside) = mpsc::channel();
    let (_open_gate, wait) = gate();
    hub.before(Hook::before("hangs", "task.create").timeout(Duration::from_secs(600)), move |_| {
        entered.send(()).unwrap();
        let _ = wait.lock().unwrap().recv();
        Ok(Verdict::Allow)
    })
    .unwrap();
    let (told, telling) = mpsc::channel();
    hub.after(Hook::after("hears", "*").timeout(Duration::from_secs(600)), move |_| {
        told.send(()).unwrap();
        std::thread::sleep(Duration::from_secs(600));
        Ok(())
    })
    .unwrap();
    hub.run(memory::Set::new("k", json!(1))).unwrap();
    telling.recv_timeout(SOON).unwrap();
    let calling = hub.clone();
    let caller = std::thread::spawn(move || calling.run(tasks::Create::new("ana", "x")));
    inside.recv_timeout(SOON).unwrap();
    hub.close();
    let answer = caller.join().unwrap();
    assert_eq!(answer.unwrap_err().code(), Code::Unavailable, "the hub was closed meanwhile");
    Hub::open(&path, HubConfig::default()).unwrap().check().unwrap();
}
