//! What the team says to each other: the summarizer asks, whoever is asked answers from what all know.

use folkmoot::agents::{List, Status};
use folkmoot::messages::{Ask, Inbox, MarkRead, Message, Send};
use folkmoot::tasks::{Get, Task};
use folkmoot::{Code, Error};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::findings::{Answer, Findings};
use super::member::Member;
use super::planner::{self, Job};
use super::team::COUNT;
use crate::output::plural;

/// How long an answer is waited for.
const PATIENCE: f64 = 3.0;
/// How long one look into the inbox lasts.
const WAIT: f64 = 0.5;

/// What a question is about, for those who read it with a program.
#[derive(Debug, Serialize, Deserialize)]
struct About {
    /// The capability that is asked for.
    what: String,
    /// The module's number.
    number: String,
}

/// Asks whoever did this part of the module; another one who could, when they are gone or silent.
pub fn ask(member: &Member, task: &Task, job: &Job, what: &str, question: &str) -> Result<Answer, Error> {
    let about = About { what: what.to_owned(), number: job.number.clone() };
    let mut silent = Vec::new();
    while let Some(asked) = whom_to_ask(member, what, &job.number, &silent)? {
        member.uses("ask", Some(task))?;
        let answered = member.hub.run(Ask {
            task_id: Some(task.task_id.clone()),
            metadata: Some(json!(about).into()),
            wait_seconds: Some(PATIENCE),
            ..Ask::new(member.id, &asked, question)
        })?;
        if let Some(answer) = answered.answer {
            return Ok(Answer {
                question: question.to_owned(),
                silent,
                answer: Some((asked, answer.content)),
            });
        }
        silent.push(asked);
        member.check()?;
    }
    Ok(Answer { question: question.to_owned(), silent, answer: None })
}

/// Whoever did it, else anyone present who could; but none of those who were asked and did not answer.
fn whom_to_ask(
    member: &Member,
    what: &str,
    number: &str,
    silent: &[String],
) -> Result<Option<String>, Error> {
    let did = member.hub.run(Get { task_id: planner::id(what, number) })?.agent_id;
    let able = member.hub.run(List { capability: Some(what.to_owned()), ..List::default() })?.agents;
    let mut present: Vec<String> = able
        .into_iter()
        .filter(|view| view.presence.status != Status::Offline && !silent.contains(&view.agent.agent_id))
        .map(|view| view.agent.agent_id)
        .collect();
    present.sort_by_key(|agent_id| Some(agent_id) != did.as_ref());
    Ok(present.into_iter().next())
}

/// Reads the inbox and answers questions, until the demo is over.
pub fn listen(member: &Member) -> Result<(), Error> {
    while !member.is_over() {
        member.keep_trying(|| read_inbox(member))?;
    }
    Ok(())
}

fn read_inbox(member: &Member) -> Result<(), Error> {
    let inbox = Inbox { unread_only: Some(true), wait_seconds: Some(WAIT), ..Inbox::new(member.id) };
    let messages = member.hub.run(inbox)?.messages;
    for message in &messages {
        if message.message_type == "question" {
            answer(member, message)?;
        }
        member.hub.run(MarkRead {
            message_ids: vec![message.message_id.clone()],
            agent_id: member.id.to_owned(),
            idempotency_key: None,
        })?;
    }
    Ok(())
}

fn answer(member: &Member, question: &Message) -> Result<(), Error> {
    let content = match serde_json::from_str::<About>(question.metadata.text()) {
        Ok(about) => known(member, &about)?,
        Err(_) => "I can only answer questions on a module.".to_owned(),
    };
    member.uses("answer", None)?;
    let sent = member.hub.run(Send {
        reply_to: Some(question.message_id.clone()),
        message_type: Some("answer".to_owned()),
        ..Send::new(member.id, &content).to([question.sender_id.clone()])
    });
    match sent {
        // Who asked may have been killed meanwhile: that is no reason to stop working.
        Err(error) if error.code() == Code::NotFound => Ok(()),
        other => other.map(drop),
    }
}

/// What all know of a module, in a sentence.
fn known(member: &Member, about: &About) -> Result<String, Error> {
    let findings = Findings::new(&member.hub, member.id);
    if about.what == COUNT {
        let count =
            findings.tally()?.remove(&about.number).and_then(|figures| figures.count).unwrap_or_default();
        let total = count.total();
        let mostly = count.by_size().first().map_or(String::new(), |(name, _)| format!(", mostly {name}"));
        return Ok(format!("{} in {}{mostly}.", plural(total.lines, "line"), plural(total.files, "file")));
    }
    let longest = findings.inspection(&about.number)?.longest;
    if longest.is_empty() {
        return Ok("There are no functions in it.".to_owned());
    }
    let names: Vec<String> = longest
        .iter()
        .take(3)
        .map(|function| format!("{} ({} lines)", function.name, function.lines))
        .collect();
    Ok(format!("{}.", names.join(", ")))
}
