//! What messages promise whatever happens to them: in any order, across processes, after retention.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::process::Command;
use std::time::Duration;

use folkmoot_engine::messages::{Ask, Get, Inbox, List, MarkRead, Message, Search, Send};
use folkmoot_engine::{Code, Durability, Hub, HubConfig, agents, messages};
use proptest::prelude::*;

const AGENTS: [&str; 3] = ["ana", "bob", "eve"];
const CHILD: &str = "FOLKMOOT_TEST_CHILD_HUB";

fn config() -> HubConfig {
    HubConfig { durability: Durability::Normal, ..HubConfig::default() }
}

fn register(hub: &Hub) {
    AGENTS.iter().for_each(|name| drop(hub.run(agents::Register::new(name)).unwrap()));
}

/// One thing that may happen to a message.
#[derive(Debug, Clone)]
enum Step {
    Send { from: usize, to: Option<usize> },
    Reply { from: usize },
    Edit { by: usize },
    Redact { by: usize },
    React { by: usize, reaction: u8 },
    Unreact { by: usize, reaction: u8 },
    Ack { by: usize },
    Read { by: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..AGENTS.len();
    prop_oneof![
        2 => (who.clone(), proptest::option::of(who.clone())).prop_map(|(from, to)| Step::Send { from, to }),
        1 => who.clone().prop_map(|from| Step::Reply { from }),
        2 => who.clone().prop_map(|by| Step::Edit { by }),
        1 => who.clone().prop_map(|by| Step::Redact { by }),
        3 => (who.clone(), 0..3u8).prop_map(|(by, reaction)| Step::React { by, reaction }),
        2 => (who.clone(), 0..3u8).prop_map(|(by, reaction)| Step::Unreact { by, reaction }),
        2 => who.clone().prop_map(|by| Step::Ack { by }),
        2 => who.prop_map(|by| Step::Read { by }),
    ]
}

/// Does one step to a message; answers the message as the call did, when it was not refused.
fn take(hub: &Hub, message: &Message, step: &Step) -> folkmoot_engine::Result<Option<Message>> {
    let (message_id, idempotency_key) = (message.message_id.clone(), None);
    let name = |who: &usize| AGENTS[*who].to_owned();
    Ok(Some(match step {
        Step::Send { from, to } => {
            let send = Send::new(AGENTS[*from], "walrus new");
            hub.run(match to {
                Some(to) => send.to([AGENTS[*to]]),
                None => send,
            })?
        }
        Step::Reply { from } => {
            hub.run(Send { reply_to: Some(message_id), ..Send::new(AGENTS[*from], "walrus reply") })?
        }
        Step::Edit { by } => {
            let (agent_id, content) = (Some(name(by)), "walrus edited".into());
            hub.run(messages::Edit { message_id, agent_id, content, idempotency_key })?
        }
        Step::Redact { by } => {
            hub.run(messages::Redact { message_id, agent_id: Some(name(by)), reason: None, idempotency_key })?
        }
        Step::React { by, reaction } => {
            let (agent_id, reaction) = (name(by), reaction.to_string());
            hub.run(messages::React { message_id, agent_id, reaction, idempotency_key })?
        }
        Step::Unreact { by, reaction } => {
            let (agent_id, reaction) = (name(by), reaction.to_string());
            hub.run(messages::Unreact { message_id, agent_id, reaction, idempotency_key })?
        }
        Step::Ack { by } => {
            hub.run(messages::Acknowledge { message_id, agent_id: name(by), idempotency_key })?
        }
        Step::Read { by } => {
            hub.run(MarkRead { message_ids: vec![message_id], agent_id: name(by), idempotency_key })?;
            return Ok(None);
        }
    }))
}

/// What each inbox must show as unread, worked out from all messages and what was marked.
fn expected_unread(all: &[Message], read: &[(usize, String)], who: usize) -> Vec<String> {
    let is_read = |message: &Message| read.iter().any(|(by, id)| *by == who && *id == message.message_id);
    let unread = all.iter().filter(|message| message.is_for(AGENTS[who]) && !is_read(message));
    unread.map(|message| message.message_id.clone()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_in_any_order_the_tables_are_the_fold_and_nothing_is_lost(
        steps in proptest::collection::vec((any::<proptest::sample::Index>(), step()), 1..40)
    ) {
        let hub = Hub::open(":memory:", config()).unwrap();
        register(&hub);
        let first = hub.run(Send::new("ana", "walrus")).unwrap();
        let mut all = vec![first];
        let mut read = Vec::new();
        for (which, step) in &steps {
            let at = which.index(all.len());
            match take(&hub, &all[at], step) {
                Ok(Some(answer)) if matches!(step, Step::Send { .. } | Step::Reply { .. }) => all.push(answer),
                Ok(Some(answer)) => {
                    if let Step::Ack { by } = step {
                        read.push((*by, answer.message_id.clone()));
                    }
                    all[at] = answer;
                }
                Ok(None) => {
                    if let Step::Read { by } = step {
                        read.push((*by, all[at].message_id.clone()));
                    }
                }
                Err(error) => prop_assert!(
                    matches!(error.code(), Code::NotAllowed | Code::NotFound | Code::Conflict), "{error:?}"
                ),
            }
        }
        for message in &all {
            prop_assert_eq!(&hub.run(Get::new(&message.message_id)).unwrap(), message);
        }
        for (who, name) in AGENTS.iter().enumerate() {
            let inbox = hub.run(Inbox { unread_only: Some(true), ..Inbox::new(name) }).unwrap();
            let unread: Vec<String> = inbox.messages.into_iter().map(|message| message.message_id).collect();
            prop_assert_eq!(unread, expected_unread(&all, &read, who));
        }
        let found = hub.run(Search { limit: Some(1_000), ..Search::new("walrus") }).unwrap().hits.len();
        prop_assert_eq!(found, all.iter().filter(|message| !message.redacted).count());
        hub.check().unwrap();
        hub.close();
    }
}

#[test]
fn what_retention_took_from_the_log_stays_in_the_tables() {
    let hub = Hub::open(":memory:", HubConfig { retain_events: 5, ..config() }).unwrap();
    register(&hub);
    let old = hub.run(Send::new("ana", "an old walrus").to(["bob"])).unwrap();
    (0..20).for_each(|i| drop(hub.run(Send::new("ana", &format!("m{i}"))).unwrap()));
    hub.tend().unwrap();
    let report = hub.check().unwrap();
    assert!(report.base_seq > old.seq && report.rows_older_than_log > 0, "{report:?}");
    let mut acknowledged = take(&hub, &old, &Step::Ack { by: 1 }).unwrap().unwrap();
    hub.check().unwrap();
    assert_eq!(hub.run(Get::new(&old.message_id)).unwrap(), acknowledged);
    acknowledged.read = Some(true);
    let inbox = hub.run(Inbox::new("bob")).unwrap();
    assert_eq!((inbox.unread, inbox.messages.last()), (20, Some(&acknowledged)));
    assert_eq!(hub.run(Search::new("walrus")).unwrap().hits.len(), 1);
    hub.check().unwrap();
}

#[test]
fn an_inbox_of_thousands_is_read_through_page_by_page() {
    let hub = Hub::open(":memory:", HubConfig { durability: Durability::Memory, ..config() }).unwrap();
    register(&hub);
    for i in 0..2_500 {
        let send = Send::new("ana", &i.to_string());
        hub.run(if i % 3 == 0 { send.to(["bob"]) } else { send }).unwrap();
    }
    let next = Inbox { unread_only: Some(true), limit: Some(700), ..Inbox::new("bob") };
    let mut seen = Vec::new();
    let mut counted = Vec::new();
    loop {
        let page = hub.run(next.clone()).unwrap();
        counted.push(page.unread);
        if page.messages.is_empty() {
            break;
        }
        let message_ids = page.messages.iter().map(|message| message.message_id.clone()).collect();
        hub.run(MarkRead { message_ids, agent_id: "bob".into(), idempotency_key: None }).unwrap();
        seen.extend(page.messages.into_iter().map(|message| message.content));
    }
    assert_eq!(seen, (0..2_500).map(|i| i.to_string()).collect::<Vec<_>>());
    assert_eq!(counted, [1_700, 1_700, 1_100, 400, 0]);
    hub.check().unwrap();
}

/// Run in a process of its own by the test below: bob answers the first question that he is asked.
#[test]
fn the_other_process() {
    let Ok(path) = std::env::var(CHILD) else { return };
    let hub = Hub::open(path, config()).unwrap();
    let inbox = hub.run(Inbox { wait_seconds: Some(30.0), ..Inbox::new("bob") }).unwrap();
    let question = &inbox.messages[0];
    let content = format!("{}: yes", question.content);
    hub.run(Send { reply_to: Some(question.message_id.clone()), ..Send::new("bob", &content) }).unwrap();
    hub.close();
}

#[test]
fn a_question_is_answered_from_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("team.db");
    let hub = Hub::open(&path, config()).unwrap();
    register(&hub);
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_other_process"])
        .env(CHILD, &path)
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let ask = Ask { wait_seconds: Some(30.0), ..Ask::new("ana", "bob", "are you there?") };
    let asked = hub.run(ask).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(asked.answer.unwrap().content, "are you there?: yes");
    assert_eq!(hub.run(List::default()).unwrap().messages.len(), 2);
    hub.check().unwrap();
}
