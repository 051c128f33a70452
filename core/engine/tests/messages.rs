//! What messages promise: sending, reading, the inbox, asking.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use folkmoot_engine::messages::{
    Ask, Audience, Get, GetThread, Importance, Inbox, List, MarkRead, Message, Send,
};
use folkmoot_engine::{
    Code, Durability, Error, Filter, Hub, HubConfig, Item, Principal, agents, events, messages,
};
use serde_json::{Value, json};

fn config() -> HubConfig {
    HubConfig { durability: Durability::Normal, ..HubConfig::default() }
}

/// A hub with these agents.
fn hub_of(names: &[&str]) -> Hub {
    let hub = Hub::open(":memory:", config()).unwrap();
    for name in names {
        hub.run(agents::Register::new(name)).unwrap();
    }
    hub
}

fn call(hub: &Hub, name: &str, input: Value) -> Result<Value, Error> {
    hub.call(name, input.to_string().as_bytes()).map(|answer| serde_json::from_slice(&answer).unwrap())
}

fn contents(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.content.as_str()).collect()
}

fn mark(hub: &Hub, agent_id: &str, message_ids: &[&str]) -> u64 {
    let message_ids = message_ids.iter().map(|id| (*id).to_owned()).collect();
    hub.run(MarkRead { message_ids, agent_id: agent_id.into(), idempotency_key: None }).unwrap().marked
}

fn unread(hub: &Hub, agent_id: &str) -> Vec<String> {
    let inbox = Inbox { unread_only: Some(true), ..Inbox::new(agent_id) };
    hub.run(inbox).unwrap().messages.into_iter().map(|message| message.content).collect()
}

#[test]
fn a_stored_message_shows_both_sides() {
    let hub = hub_of(&["ana"]);
    let profile = agents::Register {
        agent_id: Some("bob".into()),
        role: Some("reviewer".into()),
        specialization: Some("security".into()),
        ..agents::Register::new("Bob")
    };
    hub.run(profile).unwrap();
    let sent = hub.run(Send::new("bob", "first").to(["ana"])).unwrap();
    assert_eq!(sent.sender_name.as_deref(), Some("Bob"));
    assert_eq!(sent.sender_role.as_deref(), Some("reviewer"));
    assert_eq!(sent.sender_specialization.as_deref(), Some("security"));
    assert_eq!((sent.recipient_id.as_deref(), sent.recipients.as_deref()), (Some("ana"), None));
    let back = hub.run(Send::new("ana", "second").to(["bob"])).unwrap();
    assert_eq!(back.recipient_role.as_deref(), Some("reviewer"));
    assert_eq!(back.recipient_name.as_deref(), Some("Bob"));
    assert_eq!(back.recipient_specialization.as_deref(), Some("security"));
    assert_eq!(back.conversation_thread_id, back.message_id);
    assert_eq!((back.message_type.as_str(), back.importance), ("text", Importance::Normal));
    assert_eq!(hub.run(Get::new(&back.message_id)).unwrap(), back);
    hub.check().unwrap();
}

#[test]
fn a_message_for_several_lists_them_once_each_and_one_for_all_names_nobody() {
    let hub = hub_of(&["ana", "bob", "eve"]);
    let several = hub.run(Send::new("ana", "hi").to(["bob", "eve", "bob"])).unwrap();
    assert_eq!(several.audience, Audience::Agents);
    assert_eq!(several.recipient_id, None);
    assert_eq!(several.recipients, Some(vec!["bob".to_owned(), "eve".to_owned()]));
    let nobody: [&str; 0] = [];
    for send in [Send::new("ana", "hi"), Send::new("ana", "hi").to(["*"]), Send::new("ana", "hi").to(nobody)]
    {
        let all = hub.run(send).unwrap();
        assert_eq!((all.audience, all.recipient_id, all.recipients), (Audience::All, None, None));
    }
    let star = call(&hub, "message.send", json!({"sender_id": "ana", "recipients": "*", "content": "hi"}));
    assert_eq!(star.unwrap()["audience"], "all");
    let one = call(&hub, "message.send", json!({"sender_id": "ana", "recipients": "bob", "content": "hi"}));
    assert_eq!(one.unwrap()["recipient_id"], "bob");
    let session = Send { session_id: Some("elsewhere-7".into()), ..Send::new("ana", "hi") };
    let session = hub.run(session).unwrap();
    assert_eq!((session.audience, session.session_id.as_deref()), (Audience::Session, Some("elsewhere-7")));
    hub.check().unwrap();
}

#[test]
fn every_field_of_a_message_comes_back_as_it_was_given() {
    let hub = hub_of(&["ana", "bob"]);
    let input = json!({
        "message_id": "m-1", "sender_id": "ana", "recipients": ["bob"], "session_id": "s", "channel": "code",
        "content": "see \u{1f469}\u{200d}\u{1f4bb}\n\ttabs", "message_type": "code_review_request", "task_id": "t",
        "thread_id": "review-9", "importance": "urgent", "ack_required": true, "metadata": {"b": 1, "a": [2.50]},
        "attachments": [{"name": "diff", "uri": "file:///a b.diff", "media_type": "text/x-diff", "bytes": 12}],
    });
    let sent = call(&hub, "message.send", input.clone()).unwrap();
    for (given, stored) in [
        ("message_id", "message_id"),
        ("sender_id", "sender_id"),
        ("session_id", "session_id"),
        ("channel", "channel"),
        ("content", "content"),
        ("message_type", "message_type"),
        ("task_id", "task_id"),
        ("thread_id", "conversation_thread_id"),
        ("importance", "importance"),
        ("ack_required", "ack_required"),
        ("metadata", "metadata"),
        ("attachments", "attachments"),
    ] {
        assert_eq!(sent[stored], input[given], "{given}");
    }
    assert_eq!(call(&hub, "message.get", json!({"message_id": "m-1"})).unwrap(), sent);
    let again = call(&hub, "message.send", input).unwrap_err();
    assert_eq!((again.code(), &again.details()["id"]), (Code::AlreadyExists, &json!("m-1")));
    hub.check().unwrap();
}

#[test]
fn a_refused_message_leaves_nothing_behind_and_the_error_names_the_field() {
    let hub = hub_of(&["ana", "bob"]);
    let before = hub.run(events::HubStatus::default()).unwrap().seq;
    let base = json!({"sender_id": "ana", "content": "x"});
    let attachment = json!({"name": "a", "uri": "u"});
    for (change, code, field) in [
        (json!({"sender_id": "eve"}), Code::NotFound, "sender_id"),
        (json!({"sender_id": ""}), Code::InvalidInput, "sender_id"),
        (json!({"recipients": ["bob", "eve"]}), Code::NotFound, "recipients[1]"),
        (json!({"recipients": ["bob", "a\nb"]}), Code::InvalidInput, "recipients[1]"),
        (json!({"recipients": vec!["bob"; 1_001]}), Code::LimitExceeded, "recipients"),
        (json!({"content": ""}), Code::InvalidInput, "content"),
        (json!({"content": "a\u{0}b"}), Code::InvalidInput, "content"),
        (json!({"content": "x".repeat((256 << 10) + 1)}), Code::LimitExceeded, "content"),
        (json!({"channel": "general"}), Code::InvalidInput, "channel"),
        (json!({"reply_to": "nothing"}), Code::NotFound, "reply_to"),
        (json!({"importance": "huge"}), Code::InvalidInput, "importance"),
        (json!({"message_type": " "}), Code::InvalidInput, "message_type"),
        (json!({"session_id": ""}), Code::InvalidInput, "session_id"),
        (json!({"task_id": ""}), Code::InvalidInput, "task_id"),
        (json!({"thread_id": "x".repeat(257)}), Code::InvalidInput, "thread_id"),
        (json!({"metadata": [1]}), Code::InvalidInput, "metadata"),
        (json!({"metadata": {"a": "x".repeat(64 << 10)}}), Code::LimitExceeded, "metadata"),
        (json!({"attachments": vec![attachment; 101]}), Code::LimitExceeded, "attachments"),
        (json!({"attachments": [{"name": "a", "uri": " "}]}), Code::InvalidInput, "attachments[0].uri"),
        (json!({"attachments": [{"name": "", "uri": "u"}]}), Code::InvalidInput, "attachments[0].name"),
        (
            json!({"attachments": [{"name": "a", "uri": "u".repeat(2_049)}]}),
            Code::LimitExceeded,
            "attachments[0].uri",
        ),
        (json!({"colour": "red"}), Code::InvalidInput, "colour"),
    ] {
        let mut input = base.clone();
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let error = call(&hub, "message.send", input).unwrap_err();
        assert_eq!((error.code(), error.details()["field"].as_str()), (code, Some(field)), "{error:?}");
    }
    assert_eq!(hub.run(events::HubStatus::default()).unwrap().seq, before);
    hub.check().unwrap();
}

#[test]
fn the_largest_message_that_is_allowed_is_taken() {
    let hub = hub_of(&["ana"]);
    let largest = "é".repeat(128 << 10);
    let sent = hub.run(Send::new("ana", &largest)).unwrap();
    assert_eq!(hub.run(Get::new(&sent.message_id)).unwrap().content, largest);
    let small = Hub::open(":memory:", HubConfig { max_message_bytes: 4, ..config() }).unwrap();
    small.run(agents::Register::new("ana")).unwrap();
    small.run(Send::new("ana", "1234")).unwrap();
    let error = small.run(Send::new("ana", "12345")).unwrap_err();
    assert_eq!((&error.details()["limit"], &error.details()["value"]), (&json!(4), &json!(5)));
    hub.check().unwrap();
}

#[test]
fn nobody_sends_as_someone_else() {
    let hub = hub_of(&["ana", "bob"]);
    let error = hub.run_as(&Principal::agent("bob"), Send::new("ana", "I am ana")).unwrap_err();
    assert_eq!((error.code(), &error.details()["field"]), (Code::NotAllowed, &json!("sender_id")));
    hub.run_as(&Principal::Operator("eva".into()), Send::new("ana", "on her behalf")).unwrap();
    hub.run_as(&Principal::agent("ana"), Send::new("ana", "I am ana")).unwrap();
    for (name, input) in [
        ("message.inbox", json!({"agent_id": "ana"})),
        ("message.mark_read", json!({"agent_id": "ana", "message_ids": []})),
        ("message.ack", json!({"agent_id": "ana", "message_id": "m"})),
        ("message.react", json!({"agent_id": "ana", "message_id": "m", "reaction": "x"})),
        ("message.unreact", json!({"agent_id": "ana", "message_id": "m", "reaction": "x"})),
        ("message.edit", json!({"agent_id": "ana", "message_id": "m", "content": "x"})),
        ("message.redact", json!({"agent_id": "ana", "message_id": "m"})),
        ("message.ask", json!({"sender_id": "ana", "content": "x"})),
    ] {
        let bob = Principal::agent("bob");
        let error = hub.call_as(&bob, name, input.to_string().as_bytes(), &mut || Ok(())).unwrap_err();
        assert_eq!(error.code(), Code::NotAllowed, "{name}: {error}");
    }
    hub.check().unwrap();
}

#[test]
fn a_repeated_send_with_the_same_key_sends_once() {
    let hub = hub_of(&["ana", "bob"]);
    let send = Send { idempotency_key: Some("k".into()), ..Send::new("ana", "once").to(["bob"]) };
    let first = hub.run(send.clone()).unwrap();
    assert_eq!(hub.run(send.clone()).unwrap(), first);
    let other = Send { content: "twice".into(), ..send };
    assert_eq!(hub.run(other).unwrap_err().code(), Code::Conflict);
    assert_eq!(unread(&hub, "bob"), ["once"]);
    hub.check().unwrap();
}

#[test]
fn a_reply_goes_where_the_message_it_answers_came_from() {
    let hub = hub_of(&["ana", "bob", "eve"]);
    let reply = |sender: &str, to: &Message| {
        hub.run(Send { reply_to: Some(to.message_id.clone()), ..Send::new(sender, "re") }).unwrap()
    };
    let asked = Send {
        task_id: Some("t".into()),
        message_type: Some("question".into()),
        ..Send::new("ana", "really?").to(["bob", "eve"])
    };
    let direct = hub.run(asked).unwrap();
    let answer = reply("bob", &direct);
    assert_eq!(answer.recipient_id.as_deref(), Some("ana"));
    assert_eq!((answer.message_type.as_str(), answer.task_id.as_deref()), ("answer", Some("t")));
    assert_eq!(answer.conversation_thread_id, direct.conversation_thread_id);
    let more = reply("ana", &direct);
    assert_eq!((more.recipients, more.audience), (direct.recipients.clone(), Audience::Agents));
    assert_eq!(reply("bob", &hub.run(Send::new("ana", "all")).unwrap()).audience, Audience::All);
    let session = Send {
        session_id: Some("s".into()),
        channel: Some("general".into()),
        ..Send::new("ana", "in session")
    };
    let answer = reply("bob", &hub.run(session).unwrap());
    assert_eq!((answer.session_id.as_deref(), answer.channel.as_deref()), (Some("s"), Some("general")));
    let private = hub.run(Send::new("ana", "private").to(["bob"])).unwrap();
    let unseen = Send { reply_to: Some(private.message_id), ..Send::new("eve", "what?") };
    assert_eq!(hub.run(unseen).unwrap_err().code(), Code::NotFound);
    hub.check().unwrap();
}

#[test]
fn an_inbox_shows_what_is_unread_oldest_first_then_what_was_read() {
    let hub = hub_of(&["ana", "bob"]);
    let ids: Vec<String> = (0..6)
        .map(|i| {
            let send = Send::new("ana", &format!("m{i}"));
            hub.run(if i % 2 == 0 { send.to(["bob"]) } else { send }).unwrap().message_id
        })
        .collect();
    hub.run(Send::new("bob", "my own")).unwrap();
    assert_eq!(mark(&hub, "bob", &[&ids[0], &ids[3]]), 2);
    assert_eq!(mark(&hub, "bob", &[&ids[0], &ids[3]]), 0);
    let inbox = hub.run(Inbox::new("bob")).unwrap();
    assert_eq!(contents(&inbox.messages), ["m1", "m2", "m4", "m5", "m3", "m0"]);
    assert_eq!((inbox.unread, inbox.left_out), (4, 0));
    let read: Vec<_> = inbox.messages.iter().map(|message| message.read.unwrap()).collect();
    assert_eq!(read, [false, false, false, false, true, true]);
    let short = hub.run(Inbox { limit: Some(3), ..Inbox::new("bob") }).unwrap();
    assert_eq!((contents(&short.messages), short.unread), (vec!["m1", "m2", "m4"], 4));
    mark(&hub, "bob", &ids.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(unread(&hub, "bob"), [""; 0]);
    let all_read = hub.run(Inbox::new("bob")).unwrap();
    assert_eq!(contents(&all_read.messages), ["m5", "m4", "m3", "m2", "m1", "m0"]);
    assert_eq!(unread(&hub, "ana"), ["my own"]);
    hub.check().unwrap();
}

#[test]
fn nothing_that_was_sent_while_an_agent_was_offline_is_missed() {
    let hub = hub_of(&["ana", "bob"]);
    hub.run(agents::Leave { agent_id: "bob".into(), idempotency_key: None }).unwrap();
    hub.run(Send::new("ana", "for you").to(["bob"])).unwrap();
    hub.run(Send::new("ana", "for all")).unwrap();
    hub.run(agents::Register::new("bob")).unwrap();
    assert_eq!(unread(&hub, "bob"), ["for you", "for all"]);
    hub.run(agents::Register::new("eve")).unwrap();
    assert_eq!(unread(&hub, "eve"), [""; 0], "what was for all is for those who were registered then");
    hub.run(Send::new("ana", "for eve, too")).unwrap();
    assert_eq!(unread(&hub, "eve"), ["for eve, too"]);
    hub.check().unwrap();
}

#[test]
fn an_inbox_refuses_unknown_agents_and_what_cannot_be_seen() {
    let hub = hub_of(&["ana", "bob", "eve"]);
    let sent = hub.run(Send::new("ana", "private").to(["bob"])).unwrap();
    for (name, input, code, field) in [
        ("message.inbox", json!({"agent_id": "nobody"}), Code::NotFound, "agent_id"),
        ("message.inbox", json!({"agent_id": "bob", "limit": 0}), Code::InvalidInput, "limit"),
        ("message.inbox", json!({"agent_id": "bob", "limit": 1_001}), Code::LimitExceeded, "limit"),
        ("message.inbox", json!({"agent_id": "bob", "max_tokens": 0}), Code::InvalidInput, "max_tokens"),
        ("message.inbox", json!({"agent_id": "bob", "wait_seconds": -1}), Code::InvalidInput, "wait_seconds"),
        (
            "message.inbox",
            json!({"agent_id": "bob", "wait_seconds": 3_601}),
            Code::InvalidInput,
            "wait_seconds",
        ),
        ("message.mark_read", json!({"agent_id": "nobody", "message_ids": []}), Code::NotFound, "agent_id"),
        (
            "message.mark_read",
            json!({"agent_id": "bob", "message_ids": [sent.message_id, "x"]}),
            Code::NotFound,
            "message_ids[1]",
        ),
        (
            "message.mark_read",
            json!({"agent_id": "eve", "message_ids": [sent.message_id]}),
            Code::NotFound,
            "message_ids[0]",
        ),
        (
            "message.mark_read",
            json!({"agent_id": "bob", "message_ids": vec!["x"; 1_001]}),
            Code::LimitExceeded,
            "message_ids",
        ),
    ] {
        let error = call(&hub, name, input).unwrap_err();
        assert_eq!(
            (error.code(), error.details()["field"].as_str()),
            (code, Some(field)),
            "{name}: {error:?}"
        );
    }
    assert_eq!(unread(&hub, "bob"), ["private"], "a refused mark_read marks nothing");
    hub.check().unwrap();
}

#[test]
fn an_inbox_waits_for_the_next_message_and_gives_up_in_time() {
    let hub = hub_of(&["ana", "bob"]);
    let waiting = Inbox { wait_seconds: Some(20.0), ..Inbox::new("bob") };
    let start = Instant::now();
    let quick = hub.run(Inbox { wait_seconds: Some(0.1), ..waiting.clone() }).unwrap();
    assert!(quick.messages.is_empty() && start.elapsed() >= Duration::from_millis(100));
    let start = Instant::now();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| hub.run_as(&Principal::agent("bob"), waiting).unwrap());
        std::thread::sleep(Duration::from_millis(100));
        hub.run(Send::new("bob", "my own does not wake me")).unwrap();
        hub.run(Send::new("ana", "here").to(["bob"])).unwrap();
        assert_eq!(contents(&waiter.join().unwrap().messages), ["here"]);
    });
    assert!(start.elapsed() < Duration::from_secs(10));
    hub.check().unwrap();
}

#[test]
fn a_question_gets_its_answer_and_nothing_else() {
    let hub = hub_of(&["ana", "bob", "eve"]);
    std::thread::scope(|scope| {
        let asker = scope.spawn(|| {
            let ask = Ask { wait_seconds: Some(20.0), ..Ask::new("ana", "bob", "how many?") };
            hub.run_as(&Principal::agent("ana"), ask).unwrap()
        });
        let inbox = Inbox { wait_seconds: Some(20.0), ..Inbox::new("bob") };
        let question = hub.run(inbox).unwrap().messages.remove(0);
        assert_eq!(question.message_type, "question");
        let reply = |sender: &str, content: &str| {
            hub.run(Send { reply_to: Some(question.message_id.clone()), ..Send::new(sender, content) })
                .unwrap()
        };
        hub.run(Send::new("bob", "something else").to(["ana"])).unwrap();
        reply("ana", "I mean apples");
        reply("bob", "seven");
        let asked = asker.join().unwrap();
        assert_eq!(asked.question, Message { read: None, ..question });
        assert_eq!(asked.answer.unwrap().content, "seven");
    });
    hub.check().unwrap();
}

#[test]
fn a_question_without_an_answer_ends_in_time_and_may_be_waited_for_again() {
    let hub = hub_of(&["ana", "bob"]);
    let ask = Ask {
        wait_seconds: Some(0.05),
        idempotency_key: Some("q".into()),
        ..Ask::new("ana", "bob", "anyone?")
    };
    let asked = hub.run(ask.clone()).unwrap();
    assert_eq!(asked.answer, None);
    hub.run(Send { reply_to: Some(asked.question.message_id.clone()), ..Send::new("bob", "me") }).unwrap();
    let again = hub.run(ask).unwrap();
    assert_eq!((again.question, again.answer.unwrap().content), (asked.question, "me".to_owned()));
    let before = hub.run(events::HubStatus::default()).unwrap().seq;
    for (change, code, field) in [
        (json!({"wait_seconds": 4_000}), Code::InvalidInput, "wait_seconds"),
        (json!({"recipients": "eve"}), Code::NotFound, "recipients[0]"),
    ] {
        let mut input = json!({"sender_id": "ana", "recipients": "bob", "content": "?", "wait_seconds": 0});
        input.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let error = call(&hub, "message.ask", input).unwrap_err();
        assert_eq!((error.code(), error.details()["field"].as_str()), (code, Some(field)));
    }
    assert_eq!(hub.run(events::HubStatus::default()).unwrap().seq, before, "nothing was asked");
    hub.check().unwrap();
}

#[test]
fn an_agent_sees_what_it_sent_what_is_for_it_and_what_is_open_and_no_more() {
    let hub = hub_of(&["ana", "bob", "eve"]);
    let eve = Principal::agent("eve");
    let mut heard = hub.subscribe_as(&eve, Filter::kinds(["message.*"]), None).unwrap();
    let private = hub.run(Send::new("ana", "walrus private").to(["bob"])).unwrap();
    hub.run(Send::new("ana", "walrus for eve").to(["bob", "eve"])).unwrap();
    hub.run(Send::new("eve", "walrus from eve").to(["bob"])).unwrap();
    hub.run(Send { session_id: Some("s".into()), ..Send::new("ana", "walrus of a session") }).unwrap();
    hub.run(Send::new("ana", "walrus for all")).unwrap();
    let seen = ["walrus for all", "walrus of a session", "walrus from eve", "walrus for eve"];
    let listed = hub.run_as(&eve, List::default()).unwrap();
    assert_eq!(contents(&listed.messages), seen);
    assert_eq!(hub.run(List::default()).unwrap().messages.len(), 5);
    assert_eq!(hub.run_as(&eve, messages::Search::new("walrus")).unwrap().hits.len(), 4);
    assert_eq!(hub.run_as(&eve, messages::Stats::default()).unwrap().total, 4);
    let error = hub.run_as(&eve, Get::new(&private.message_id)).unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    let error = hub.run_as(&eve, GetThread::new(&private.message_id)).unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    let mut told = Vec::new();
    while let Some(item) = heard.next(Duration::from_millis(100)).unwrap() {
        if let Item::Event(event) = item {
            told.insert(0, event.data.to_value()["content"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(told, seen);
    hub.check().unwrap();
}
