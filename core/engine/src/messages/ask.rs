//! `message.ask`: a question and its answer as one call.

use std::time::Instant;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::events::SENT;
use super::{Attachment, Importance, Message, Send};
use crate::error::Result;
use crate::events::consumers::wait_time;
use crate::events::event::Event;
use crate::events::filter::Filter;
use crate::events::publish::Targets;
use crate::events::subscription::{Item, Subscription};
use crate::hub::{Check, Scope};
use crate::json::Json;
use crate::operations::Compose;
use crate::pipeline::command::Class;

/// Seconds to wait for an answer when the call does not say.
const WAIT_SECONDS: f64 = 30.0;

/// Input of `message.ask`: that of `message.send`, and how long to wait.
///
/// An answer is a message of someone else whose `reply_to` is the question. Called again with the same
/// `idempotency_key`, it asks nothing anew and waits on for the first one's answer.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The question's id, if the caller wants to choose it; a new UUIDv7 when left out.
    #[serde(default)]
    pub message_id: Option<String>,
    /// Who asks: a registered agent.
    pub sender_id: String,
    /// Who is asked: agent ids, one id, or `*` for all. None stands for the session, or for all.
    #[serde(default)]
    pub recipients: Option<Targets>,
    /// The session it is of, here or outside the hub.
    #[serde(default)]
    pub session_id: Option<String>,
    /// The channel of that session.
    #[serde(default)]
    pub channel: Option<String>,
    /// What is asked: any text that is not empty, at most 256 KiB.
    pub content: String,
    /// `question` when left out.
    #[serde(default)]
    pub message_type: Option<String>,
    /// The task (execution) it is about.
    #[serde(default)]
    pub task_id: Option<String>,
    /// The thread to put it into.
    #[serde(default)]
    pub thread_id: Option<String>,
    /// The message it answers itself.
    #[serde(default)]
    pub reply_to: Option<String>,
    /// `low`, `normal`, `high` or `urgent`; `normal` when left out.
    #[serde(default)]
    pub importance: Option<Importance>,
    /// Whether its recipients are asked to acknowledge it; false when left out.
    #[serde(default)]
    pub ack_required: Option<bool>,
    /// A JSON object, at most 64 KiB.
    #[serde(default)]
    pub metadata: Option<Json>,
    /// What goes with it, by reference: at most 100.
    #[serde(default)]
    pub attachments: Option<Vec<Attachment>>,
    /// Seconds to wait for the answer, 0 to 3,600; 30 when left out.
    #[serde(default)]
    pub wait_seconds: Option<f64>,
    /// A repeated call with this key asks the same question.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Answer of `message.ask`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// The question as it was sent.
    pub question: Message,
    /// The first answer; null when the time was up. One that comes later is in the inbox.
    pub answer: Option<Message>,
}

impl Ask {
    /// A question from this agent to another one.
    pub fn new(sender_id: &str, recipient: &str, content: &str) -> Ask {
        Ask {
            sender_id: sender_id.to_owned(),
            recipients: Some(Targets::One(recipient.to_owned())),
            content: content.to_owned(),
            ..Ask::default()
        }
    }

    fn question(self) -> Send {
        Send {
            message_id: self.message_id,
            sender_id: self.sender_id,
            recipients: self.recipients,
            session_id: self.session_id,
            channel: self.channel,
            content: self.content,
            message_type: Some(self.message_type.unwrap_or_else(|| "question".to_owned())),
            task_id: self.task_id,
            thread_id: self.thread_id,
            reply_to: self.reply_to,
            importance: self.importance,
            ack_required: self.ack_required,
            metadata: self.metadata,
            attachments: self.attachments,
            idempotency_key: self.idempotency_key,
        }
    }
}

impl Compose for Ask {
    type Output = Asked;

    fn compose(self, scope: &Scope<'_>, check: &mut Check<'_>) -> Result<Asked> {
        let wait = wait_time(self.wait_seconds.or(Some(WAIT_SECONDS)))?;
        let start = Instant::now();
        let question = scope.core.change("message.ask", Class::Durable, scope.by, self.question())?;
        let filter = Filter { correlation_id: Some(question.message_id.clone()), ..Filter::kinds([SENT]) };
        // The log is read from the question on, so an answer that is quicker than the subscription is not missed.
        let mut answers = Subscription::open(scope.core, filter, scope.by, Some(question.seq))?;
        loop {
            let left = wait.saturating_sub(start.elapsed());
            match answers.next_until(left, check)? {
                Some(Item::Event(event)) => {
                    if let Some(answer) = answer_in(&event, &question) {
                        return Ok(Asked { question, answer: Some(answer) });
                    }
                }
                Some(Item::Gap { .. } | Item::Position { .. }) => {}
                None => return Ok(Asked { question, answer: None }),
            }
        }
    }
}

/// The answer that an event carries: someone else's message that replies to the question.
fn answer_in(event: &Event, question: &Message) -> Option<Message> {
    let message: Message = serde_json::from_str(event.data.text()).ok()?;
    let answers = message.reply_to.as_ref() == Some(&question.message_id);
    (answers && message.sender_id != question.sender_id).then_some(message)
}
