//! What messages promise after they were sent: changes, threads, lists, search, statistics.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::Duration;

use folkmoot_engine::clock::{ManualClock, Time};
use folkmoot_engine::messages::{
    Acknowledge, Edit, Get, GetThread, Inbox, List, Message, React, Redact, Search, Send, Stats, Summarize,
    Unreact,
};
use folkmoot_engine::seams::Seams;
use folkmoot_engine::{
    Code, Durability, Error, Filter, Hub, HubConfig, Item, Principal, agents, events, messages,
};
use serde_json::{Value, json};

fn config() -> HubConfig {
    HubConfig { durability: Durability::Normal, ..HubConfig::default() }
}

fn hub_of(names: &[&str]) -> Hub {
    let hub = Hub::open(":memory:", config()).unwrap();
    register(&hub, names);
    hub
}

fn register(hub: &Hub, names: &[&str]) {
    names.iter().for_each(|name| drop(hub.run(agents::Register::new(name)).unwrap()));
}

fn call(hub: &Hub, name: &str, input: Value) -> Result<Value, Error> {
    hub.call(name, input.to_string().as_bytes()).map(|answer| serde_json::from_slice(&answer).unwrap())
}

fn contents(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.content.as_str()).collect()
}

fn react(message: &Message, agent_id: &str, reaction: &str) -> React {
    React {
        message_id: message.message_id.clone(),
        agent_id: agent_id.into(),
        reaction: reaction.into(),
        idempotency_key: None,
    }
}

fn unreact(message: &Message, agent_id: &str, reaction: &str) -> Unreact {
    let React { message_id, agent_id, reaction, idempotency_key } = react(message, agent_id, reaction);
    Unreact { message_id, agent_id, reaction, idempotency_key }
}

fn edit(message: &Message, agent_id: Option<&str>, content: &str) -> Edit {
    Edit {
        message_id: message.message_id.clone(),
        agent_id: agent_id.map(str::to_owned),
        content: content.into(),
        idempotency_key: None,
    }
}

fn redact(message: &Message, agent_id: Option<&str>) -> Redact {
    Redact {
        message_id: message.message_id.clone(),
        agent_id: agent_id.map(str::to_owned),
        reason: Some("a slip".into()),
        idempotency_key: None,
    }
}

fn ack(message: &Message, agent_id: &str) -> Acknowledge {
    Acknowledge { message_id: message.message_id.clone(), agent_id: agent_id.into(), idempotency_key: None }
}

fn seq(hub: &Hub) -> u64 {
    hub.run(events::HubStatus::default()).unwrap().seq
}

#[test]
fn reactions_are_counted_and_say_who_gave_them() {
    let hub = hub_of(&["ana", "bob", "eve"]);
    let sent = hub.run(Send::new("ana", "done!")).unwrap();
    let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
    hub.run(react(&sent, "bob", "👍")).unwrap();
    hub.run(react(&sent, "eve", family)).unwrap();
    let before = hub.run(react(&sent, "eve", "👍")).unwrap();
    let reactions = serde_json::to_value(&before.reactions).unwrap();
    let expected = json!([
        {"reaction": "👍", "count": 2, "agents": ["bob", "eve"]},
        {"reaction": family, "count": 1, "agents": ["eve"]},
    ]);
    assert_eq!(reactions, expected);
    let at = seq(&hub);
    assert_eq!(hub.run(react(&sent, "eve", "👍")).unwrap(), before, "given twice, it counts once");
    assert_eq!(hub.run(unreact(&sent, "ana", "👍")).unwrap(), before, "what was not given is not taken back");
    assert_eq!(seq(&hub), at);
    hub.run(unreact(&sent, "bob", "👍")).unwrap();
    let after = hub.run(unreact(&sent, "eve", family)).unwrap();
    let expected = json!([{"reaction": "👍", "count": 1, "agents": ["eve"]}]);
    assert_eq!(serde_json::to_value(&after.reactions).unwrap(), expected);
    assert_eq!(after.last_change.unwrap().what, "unreacted");
    hub.check().unwrap();
}

#[test]
fn a_reaction_that_cannot_be_is_refused() {
    let hub = Hub::open(":memory:", HubConfig { max_items: 2, ..config() }).unwrap();
    register(&hub, &["ana", "bob", "eve"]);
    let sent = hub.run(Send::new("ana", "private").to(["bob"])).unwrap();
    for (agent, reaction, code, field) in [
        ("bob", "", Code::InvalidInput, "reaction"),
        ("bob", "a\nb", Code::InvalidInput, "reaction"),
        ("bob", &*"x".repeat(65), Code::LimitExceeded, "reaction"),
        ("nobody", "👍", Code::NotFound, "agent_id"),
        ("eve", "👍", Code::NotFound, "message_id"),
    ] {
        for error in [
            hub.run(react(&sent, agent, reaction)).unwrap_err(),
            hub.run(unreact(&sent, agent, reaction)).unwrap_err(),
        ] {
            assert_eq!((error.code(), error.details()["field"].as_str()), (code, Some(field)), "{error:?}");
        }
    }
    hub.run(react(&sent, "bob", &"x".repeat(64))).unwrap();
    hub.run(react(&sent, "bob", "y")).unwrap();
    let error = hub.run(react(&sent, "ana", "y")).unwrap_err();
    assert_eq!((error.code(), &error.details()["limit"]), (Code::LimitExceeded, &json!(2)));
    hub.check().unwrap();
}

#[test]
fn only_the_sender_or_someone_trusted_edits_and_redacts() {
    let hub = hub_of(&["ana", "bob"]);
    let sent = hub.run(Send::new("ana", "furst").to(["bob"])).unwrap();
    for error in [
        hub.run(edit(&sent, Some("bob"), "x")).unwrap_err(),
        hub.run(redact(&sent, Some("bob"))).unwrap_err(),
        hub.run_as(&Principal::agent("bob"), edit(&sent, None, "x")).unwrap_err(),
        hub.run_as(&Principal::agent("bob"), redact(&sent, None)).unwrap_err(),
    ] {
        assert_eq!(error.code(), Code::NotAllowed);
        assert!(error.message().contains("\"ana\""), "{error}");
    }
    let edited = hub.run_as(&Principal::agent("ana"), edit(&sent, None, "first")).unwrap();
    assert_eq!((edited.content.as_str(), edited.edited_at.is_some()), ("first", true));
    let operator = Principal::Operator("eva".into());
    assert_eq!(hub.run_as(&operator, edit(&sent, Some("bob"), "1st")).unwrap().content, "1st");
    assert_eq!(hub.run(edit(&sent, None, "I.")).unwrap().last_change.unwrap().agent_id, None);
    for (content, code) in [("", Code::InvalidInput), (&*"x".repeat((256 << 10) + 1), Code::LimitExceeded)] {
        assert_eq!(hub.run(edit(&sent, Some("ana"), content)).unwrap_err().code(), code);
    }
    let nothing = Message { message_id: "nothing".into(), ..sent.clone() };
    assert_eq!(hub.run(edit(&nothing, None, "x")).unwrap_err().code(), Code::NotFound);
    assert_eq!(hub.run(redact(&nothing, None)).unwrap_err().code(), Code::NotFound);
    assert_eq!(hub.run_as(&operator, redact(&sent, None)).unwrap().content, "");
    hub.check().unwrap();
}

#[test]
fn what_was_redacted_is_gone_from_table_list_and_search_and_the_log_says_that_it_happened() {
    let hub = hub_of(&["ana", "bob"]);
    let send = Send {
        metadata: Some(json!({"key": "walrus"}).into()),
        ..Send::new("ana", "the walrus password").to(["bob"])
    };
    let early = hub.run(send.clone()).unwrap();
    assert_eq!(hub.run(Search::new("walrus")).unwrap().hits.len(), 1);
    let late = hub.run(send).unwrap();
    let mut heard = hub.subscribe(Filter::kinds(["message.redacted"]), None).unwrap();
    for message in [&early, &late] {
        let gone = hub.run(redact(message, Some("ana"))).unwrap();
        assert_eq!((gone.redacted, gone.content.as_str()), (true, ""));
        assert_eq!(gone.redaction_reason.as_deref(), Some("a slip"));
        assert_eq!(hub.run(Get::new(&message.message_id)).unwrap(), gone);
        let Some(Item::Event(event)) = heard.next(Duration::from_secs(5)).unwrap() else { panic!() };
        assert_eq!(event.data.to_value()["message_id"], message.message_id);
        assert!(!event.data.text().contains("walrus"));
    }
    assert_eq!(hub.run(Search::new("walrus")).unwrap().hits.len(), 0);
    assert!(!serde_json::to_string(&hub.run(List::default()).unwrap()).unwrap().contains("walrus"));
    let at = seq(&hub);
    hub.run(redact(&early, Some("ana"))).unwrap();
    assert_eq!(seq(&hub), at, "a second redaction changes nothing");
    for error in [
        hub.run(edit(&early, Some("ana"), "again")).unwrap_err(),
        hub.run(react(&early, "bob", "👍")).unwrap_err(),
    ] {
        assert_eq!((error.code(), &error.details()["current"]["redacted"]), (Code::Conflict, &json!(true)));
    }
    hub.check().unwrap();
}

#[test]
fn only_those_a_message_is_for_acknowledge_it_and_its_sender_hears_of_it() {
    let hub = hub_of(&["ana", "bob", "eve"]);
    let mut heard =
        hub.subscribe_as(&Principal::agent("ana"), Filter::kinds(["message.acknowledged"]), None).unwrap();
    let sent = hub.run(Send { ack_required: Some(true), ..Send::new("ana", "go").to(["bob"]) }).unwrap();
    for agent in ["eve", "ana"] {
        assert_eq!(hub.run(ack(&sent, agent)).unwrap_err().code(), Code::NotAllowed);
    }
    let error = hub.run(ack(&sent, "nobody")).unwrap_err();
    assert_eq!((error.code(), &error.details()["field"]), (Code::NotFound, &json!("agent_id")));
    let nothing = Message { message_id: "nothing".into(), ..sent.clone() };
    assert_eq!(hub.run(ack(&nothing, "bob")).unwrap_err().code(), Code::NotFound);
    let acked = hub.run_as(&Principal::agent("bob"), ack(&sent, "bob")).unwrap();
    assert_eq!(acked.acknowledged_by, ["bob"]);
    assert_eq!(hub.run(ack(&sent, "bob")).unwrap(), acked);
    assert_eq!(hub.run(Inbox::new("bob")).unwrap().unread, 0, "what is acknowledged is read");
    let Some(Item::Event(event)) = heard.next(Duration::from_secs(5)).unwrap() else { panic!() };
    assert_eq!(event.data.to_value()["last_change"]["agent_id"], "bob");
    let all = hub.run(Send::new("ana", "everyone")).unwrap();
    hub.run(ack(&all, "eve")).unwrap();
    assert_eq!(hub.run(ack(&all, "bob")).unwrap().acknowledged_by, ["eve", "bob"]);
    assert!(hub.run(ack(&all, "ana")).is_err());
    hub.check().unwrap();
}

#[test]
fn a_thread_holds_its_messages_in_order_and_pages_to_older_ones() {
    let hub = hub_of(&["ana", "bob"]);
    let mut last = hub.run(Send::new("ana", "m0").to(["bob"])).unwrap();
    let thread = last.conversation_thread_id.clone();
    for i in 1..7 {
        let sender = if i % 2 == 0 { "ana" } else { "bob" };
        let reply = Send { reply_to: Some(last.message_id), ..Send::new(sender, &format!("m{i}")) };
        last = hub.run(reply).unwrap();
        hub.run(Send::new("ana", "elsewhere")).unwrap();
    }
    let own = Send { thread_id: Some("plans".into()), ..Send::new("ana", "mine") };
    assert_eq!(hub.run(own).unwrap().conversation_thread_id, "plans");
    let get = |limit, cursor, max_tokens| {
        hub.run(GetThread { limit, cursor, max_tokens, ..GetThread::new(&thread) }).unwrap()
    };
    let whole = get(None, None, None);
    assert_eq!(contents(&whole.messages), ["m0", "m1", "m2", "m3", "m4", "m5", "m6"]);
    assert_eq!((whole.message_count, whole.left_out, whole.next_cursor), (7, 0, None));
    let newest = get(Some(3), None, None);
    assert_eq!((contents(&newest.messages), newest.left_out), (vec!["m4", "m5", "m6"], 4));
    let older = get(Some(3), newest.next_cursor, None);
    assert_eq!((contents(&older.messages), older.left_out), (vec!["m1", "m2", "m3"], 1));
    let oldest = get(Some(3), older.next_cursor, None);
    assert_eq!((contents(&oldest.messages), oldest.left_out, oldest.next_cursor), (vec!["m0"], 0, None));
    let bytes = serde_json::to_string(&whole.messages[6]).unwrap().len() as u64;
    let fits = get(None, None, Some(bytes.div_ceil(4)));
    assert_eq!((contents(&fits.messages), fits.left_out), (vec!["m6"], 6));
    for (input, code, field) in [
        (json!({"thread_id": "nothing"}), Code::NotFound, "thread_id"),
        (json!({"thread_id": thread, "max_tokens": 1}), Code::LimitExceeded, "max_tokens"),
        (json!({"thread_id": thread, "limit": 0}), Code::InvalidInput, "limit"),
        (json!({"thread_id": thread, "cursor": "zz"}), Code::InvalidInput, "cursor"),
        (json!({"thread_id": thread, "max_tokens": 0}), Code::InvalidInput, "max_tokens"),
    ] {
        let error = call(&hub, "thread.get", input).unwrap_err();
        assert_eq!((error.code(), error.details()["field"].as_str()), (code, Some(field)));
    }
    hub.check().unwrap();
}

#[test]
fn a_digest_says_that_it_is_one_and_shows_who_what_first_last_and_most_reacted() {
    let hub = hub_of(&["ana", "bob"]);
    let in_session = |sender: &str, content: &str| {
        hub.run(Send { session_id: Some("s".into()), ..Send::new(sender, content) }).unwrap()
    };
    let first = in_session("ana", "we begin");
    let good = in_session("bob", "a good idea");
    in_session("ana", "an idea");
    hub.run(react(&good, "ana", "👍")).unwrap();
    let last = hub.run(redact(&in_session("ana", "a secret"), Some("ana"))).unwrap();
    let of_session = Summarize { session_id: Some("s".into()), ..Summarize::default() };
    let digest = hub.run(of_session).unwrap();
    assert_eq!((digest.method.as_str(), digest.message_count), ("extractive", 4));
    let people: Vec<_> = digest.participants.iter().map(|who| (who.agent_id.as_str(), who.sent)).collect();
    assert_eq!(people, [("ana", 3), ("bob", 1)]);
    assert_eq!((&digest.first, &digest.last), (&first, &last));
    assert_eq!(contents(&digest.most_reacted), ["a good idea"]);
    assert!(digest.summary.starts_with("Extractive digest"), "{}", digest.summary);
    assert!(digest.summary.contains("a good idea") && !digest.summary.contains("secret"));
    let thread = hub.run(Summarize { thread_id: Some(first.message_id), ..Summarize::default() }).unwrap();
    assert_eq!((thread.message_count, &thread.first), (1, &thread.last));
    for (input, code, field) in [
        (json!({}), Code::InvalidInput, "thread_id"),
        (json!({"thread_id": "t", "session_id": "s"}), Code::InvalidInput, "thread_id"),
        (json!({"thread_id": "nothing"}), Code::NotFound, "thread_id"),
        (json!({"session_id": "nothing"}), Code::NotFound, "session_id"),
    ] {
        let error = call(&hub, "thread.summarize", input).unwrap_err();
        assert_eq!((error.code(), error.details()["field"].as_str()), (code, Some(field)));
    }
    hub.check().unwrap();
}

#[test]
fn messages_are_listed_by_any_field_newest_first() {
    let clock = ManualClock::at(Time::parse("2026-01-14T14:00:00Z").unwrap());
    let seams = Seams { clock: clock.clone(), ..Seams::default() };
    let hub = Hub::open_with(":memory:", config(), seams).unwrap();
    register(&hub, &["ana", "bob", "eve"]);
    for input in [
        json!({"sender_id": "ana", "content": "a", "recipients": ["bob"], "task_id": "t", "session_id": "s"}),
        json!({"sender_id": "ana", "content": "b", "session_id": "s", "channel": "code", "importance": "high"}),
        json!({"sender_id": "bob", "content": "c", "recipients": ["ana", "eve"], "thread_id": "th"}),
        json!({"sender_id": "eve", "content": "d", "message_type": "standup", "task_id": "t", "thread_id": "th"}),
    ] {
        call(&hub, "message.send", input).unwrap();
        clock.advance(Duration::from_secs(60));
    }
    for (filter, expected) in [
        (json!({}), "dcba"),
        (json!({"sender_id": "ana"}), "ba"),
        (json!({"recipient_id": "eve"}), "c"),
        (json!({"session_id": "s"}), "ba"),
        (json!({"session_id": "s", "task_id": "t", "recipient_id": "bob"}), "a"),
        (json!({"channel": "code"}), "b"),
        (json!({"importance": "high"}), "b"),
        (json!({"task_id": "t"}), "da"),
        (json!({"thread_id": "th"}), "dc"),
        (json!({"thread_id": "th", "recipient_id": "ana"}), "c"),
        (json!({"message_type": "standup"}), "d"),
        (json!({"since": "2026-01-14T14:01:00Z", "until": "2026-01-14T14:03:00Z"}), "cb"),
        (json!({"sender_id": "nobody"}), ""),
    ] {
        let page: messages::MessagePage =
            serde_json::from_value(call(&hub, "message.list", filter.clone()).unwrap()).unwrap();
        assert_eq!(contents(&page.messages).concat(), expected, "{filter}");
        assert_eq!(page.next_cursor, None);
    }
    hub.check().unwrap();
}

#[test]
fn a_list_goes_on_where_the_page_before_ended_also_when_tokens_ended_it() {
    let hub = hub_of(&["ana", "bob"]);
    (0..7).for_each(|i| drop(hub.run(Send::new("ana", &format!("m{i}")).to(["bob"])).unwrap()));
    let size = serde_json::to_string(&hub.run(List::default()).unwrap().messages[0]).unwrap().len() as u64;
    for (limit, max_tokens) in [(Some(3), None), (None, Some(size * 3 / 4)), (Some(2), Some(size * 3 / 4))] {
        let mut list = List { limit, max_tokens, recipient_id: Some("bob".into()), ..List::default() };
        let mut seen = Vec::new();
        loop {
            let page = hub.run(list.clone()).unwrap();
            assert!(!page.messages.is_empty());
            seen.extend(page.messages.into_iter().map(|message| message.content));
            let Some(cursor) = page.next_cursor else { break };
            list.cursor = Some(cursor);
        }
        assert_eq!(seen, ["m6", "m5", "m4", "m3", "m2", "m1", "m0"]);
    }
    let page = hub.run(List { max_tokens: Some(size * 2 / 4 + 2), ..List::default() }).unwrap();
    assert_eq!((contents(&page.messages), page.left_out), (vec!["m6", "m5"], 5));
    let page = hub.run(Inbox { max_tokens: Some(size * 2 / 4 + 2), ..Inbox::new("bob") }).unwrap();
    assert_eq!((contents(&page.messages), page.left_out, page.unread), (vec!["m5", "m6"], 5, 7));
    for (input, code, field) in [
        (json!({"limit": 1_001}), Code::LimitExceeded, "limit"),
        (json!({"cursor": "zz"}), Code::InvalidInput, "cursor"),
        (json!({"max_tokens": 0}), Code::InvalidInput, "max_tokens"),
        (json!({"since": "yesterday"}), Code::InvalidInput, "since"),
        (json!({"sender_id": ""}), Code::InvalidInput, "sender_id"),
    ] {
        let error = call(&hub, "message.list", input).unwrap_err();
        assert_eq!((error.code(), error.details()["field"].as_str()), (code, Some(field)));
    }
    hub.check().unwrap();
}

#[test]
fn a_search_finds_what_is_said_now_and_highlights_it() {
    let hub = hub_of(&["ana", "bob"]);
    let sent = hub.run(Send::new("ana", "the Walrus and the carpenter").to(["bob"])).unwrap();
    hub.run(Send { task_id: Some("t".into()), ..Send::new("bob", "no walruses here") }).unwrap();
    let find = |query: &str| {
        let found = hub.run(Search::new(query)).unwrap();
        found.hits.into_iter().map(|hit| hit.highlight).collect::<Vec<_>>()
    };
    assert_eq!(find("walrus"), ["the **Walrus** and the carpenter"]);
    assert_eq!(find("carpenter walr*"), ["the **Walrus** and the **carpenter**"]);
    assert_eq!(find("walr*").len(), 2);
    assert_eq!(find("walrus OR \"oyster"), [""; 0], "operators are words like others");
    hub.run(edit(&sent, Some("ana"), "the oyster")).unwrap();
    assert_eq!(find("walrus"), [""; 0]);
    assert_eq!(find("oyster"), ["the **oyster**"]);
    let of_task = Search { task_id: Some("t".into()), ..Search::new("walr* ") };
    assert_eq!(hub.run(of_task).unwrap().hits[0].message.sender_id, "bob");
    assert_eq!(hub.run(Search { sender_id: Some("ana".into()), ..Search::new("walr*") }).unwrap().hits, []);
    let tight = hub.run(Search { max_tokens: Some(300), ..Search::new("walr* ") }).unwrap();
    assert_eq!((tight.hits.len(), tight.left_out), (1, 0));
    for (input, code, field) in [
        (json!({"query": " - "}), Code::InvalidInput, "query"),
        (json!({"query": "x".repeat(1_001)}), Code::LimitExceeded, "query"),
        (json!({"query": "x", "limit": 0}), Code::InvalidInput, "limit"),
        (json!({"query": "x", "thread_id": ""}), Code::InvalidInput, "thread_id"),
    ] {
        let error = call(&hub, "message.search", input).unwrap_err();
        assert_eq!((error.code(), error.details()["field"].as_str()), (code, Some(field)));
    }
    hub.check().unwrap();
}

#[test]
fn statistics_count_by_type_agent_and_time_and_measure_answers() {
    let start = Time::parse("2026-01-14T14:00:00Z").unwrap();
    let clock = ManualClock::at(start);
    let seams = Seams { clock: clock.clone(), ..Seams::default() };
    let hub = Hub::open_with(":memory:", config(), seams).unwrap();
    register(&hub, &["ana", "bob", "eve"]);
    let send = |input: Value, then: u64| {
        let sent = call(&hub, "message.send", input).unwrap()["message_id"].clone();
        clock.advance(Duration::from_secs(then));
        sent
    };
    let ask = json!({"sender_id": "ana", "recipients": ["bob"], "message_type": "question", "content": "?"});
    let first = send(ask.clone(), 10);
    send(json!({"sender_id": "ana", "reply_to": first, "content": "I mean…"}), 20);
    send(json!({"sender_id": "bob", "reply_to": first, "content": "!"}), 0);
    send(json!({"sender_id": "bob", "reply_to": first, "content": "!!"}), 270);
    send(ask, 0);
    send(json!({"sender_id": "eve", "content": "hello", "task_id": "t", "session_id": "s"}), 0);
    send(json!({"sender_id": "eve", "content": "hello", "recipients": ["ana", "bob"], "task_id": "t"}), 0);
    let stats = hub.run(Stats::default()).unwrap();
    assert_eq!((stats.total, stats.broadcasts, stats.bucket_seconds), (7, 0, 300.0));
    let types: Vec<_> = stats.by_type.iter().map(|of| (of.message_type.as_str(), of.count)).collect();
    assert_eq!(types, [("answer", 3), ("question", 2), ("text", 2)]);
    assert_eq!(json!(stats.by_type[1].first.message_id), first);
    assert_eq!(stats.by_type[1].last.timestamp.seconds_since(start), 300.0);
    let agents: Vec<_> =
        stats.by_agent.iter().map(|of| (of.agent_id.as_str(), of.sent, of.received)).collect();
    assert_eq!(agents, [("ana", 3, 3), ("bob", 2, 4), ("eve", 2, 0)]);
    assert_eq!(stats.by_agent[0].first_active, Some(start));
    let buckets: Vec<_> =
        stats.buckets.iter().map(|bucket| (bucket.start.seconds_since(start), bucket.count)).collect();
    assert_eq!(buckets, [(0.0, 4), (300.0, 3)]);
    assert_eq!((stats.answers.answered, stats.answers.unanswered), (1, 1));
    assert_eq!((stats.answers.mean_seconds, stats.answers.p95_seconds), (Some(30.0), Some(30.0)));
    for (filter, total) in [
        (json!({"task_id": "t"}), 2),
        (json!({"session_id": "s"}), 1),
        (json!({"session_id": "s", "task_id": "nothing"}), 0),
        (json!({"since": "2026-01-14T14:05:00Z"}), 3),
        (json!({"until": "2026-01-14T14:05:00Z", "bucket_seconds": 1}), 4),
    ] {
        assert_eq!(call(&hub, "message.stats", filter.clone()).unwrap()["total"], total, "{filter}");
    }
    for bucket_seconds in [0.5, 4e7] {
        let error = call(&hub, "message.stats", json!({"bucket_seconds": bucket_seconds})).unwrap_err();
        assert_eq!((error.code(), &error.details()["field"]), (Code::InvalidInput, &json!("bucket_seconds")));
    }
    hub.check().unwrap();
}
