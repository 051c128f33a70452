//! Messages: what agents say to each other.
//!
//! A message is for some agents by name, for a session, or for all. It belongs to a thread: the one it is put into, that
//! of the message it answers, or one of its own. Its sender is stamped by the hub. What changes a message (an edit, a
//! reaction, an acknowledgement, a redaction) makes an event that carries the whole message as it then stands; what was
//! redacted is gone from the tables and the search, while the log keeps that it happened.
//!
//! An agent sees what it sent, what is for it, and what is for all or of a session. What it has read is kept
//! beside the log, for its inbox alone ([`inbox`]).
//!
//! ```
//! use folkmoot_engine::{Hub, HubConfig, agents, messages};
//!
//! let hub = Hub::open(":memory:", HubConfig::default())?;
//! hub.run(agents::Register::new("ana"))?;
//! hub.run(agents::Register::new("bob"))?;
//! let sent = hub.run(messages::Send::new("ana", "Shall we begin?").to(["bob"]))?;
//! let inbox = hub.run(messages::Inbox::new("bob"))?;
//! assert_eq!(inbox.messages[0].message_id, sent.message_id);
//! hub.close();
//! # Ok::<(), folkmoot_engine::Error>(())
//! ```

pub(crate) mod access;
pub mod ask;
pub mod changes;
pub mod commands;
pub mod events;
pub mod inbox;
pub mod queries;
pub mod search;
pub(crate) mod selection;
pub mod stats;
mod summaries;
pub(crate) mod tables;
pub mod threads;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use ask::{Ask, Asked};
pub use changes::{Acknowledge, Edit, React, Redact, Unreact};
pub use commands::Send;
pub use inbox::{Inbox, InboxPage, MarkRead, Marked};
pub use queries::{Get, List, MessagePage};
pub use search::{Found, Hit, Search};
pub use stats::{Stats, StatsOf};
pub use threads::{Digest, GetThread, Summarize, ThreadPage};

use crate::clock::Time;
use crate::error::Error;
use crate::events::event::Place;
use crate::json::Json;
use crate::principal::Principal;

/// The standard types of messages. Any other word is a type of the user's own; `text` is the default.
pub const STANDARD_TYPES: [&str; 10] = [
    "standup",
    "task_assignment",
    "acknowledgment",
    "question",
    "answer",
    "status_update",
    "code_review_request",
    "code_review_feedback",
    "completion_notification",
    "human_intervention_required",
];

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Importance {
    /// May be read at leisure.
    Low,
    /// The default.
    #[default]
    Normal,
    /// To be read before others.
    High,
    /// To be read at once.
    Urgent,
}

impl Importance {
    /// The importance as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Importance::Low => "low",
            Importance::Normal => "normal",
            Importance::High => "high",
            Importance::Urgent => "urgent",
        }
    }
}

/// For whom a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// For agents by name.
    Agents,
    /// For a session.
    Session,
    /// For everyone.
    All,
}

/// Something that goes with a message, by reference: the hub does not keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// What it is called, 1–256 bytes.
    pub name: String,
    /// Where it is, 1–2,048 bytes.
    pub uri: String,
    /// Its media type, such as `text/markdown`.
    #[serde(default)]
    pub media_type: Option<String>,
    /// Its size in bytes.
    #[serde(default)]
    pub bytes: Option<u64>,
}

/// One reaction to a message, with who gave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reaction {
    /// An emoji or a word.
    pub reaction: String,
    /// How many agents gave it.
    pub count: u64,
    /// The agents, in the order in which they gave it.
    pub agents: Vec<String>,
}

/// What last changed a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastChange {
    /// `edited`, `redacted`, `reacted`, `unreacted` or `acknowledged`.
    pub what: String,
    /// The agent that did it; null for the process or an operator.
    pub agent_id: Option<String>,
    /// When.
    pub at: Time,
    /// The reaction that was given or taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reaction: Option<String>,
}

/// A message with both its sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// Its id.
    pub message_id: String,
    /// The `seq` of the event that sent it: its place in the order of the hub.
    pub seq: u64,
    /// The thread it belongs to.
    pub conversation_thread_id: String,
    /// The message it answers.
    pub reply_to: Option<String>,
    /// One of [`STANDARD_TYPES`], or another word.
    pub message_type: String,
    /// What is said; empty once redacted.
    pub content: String,
    /// How much it matters.
    pub importance: Importance,
    /// Whether its recipients are asked to acknowledge it.
    pub ack_required: bool,
    /// Who sent it.
    pub sender_id: String,
    /// The sender's role when it was sent.
    pub sender_role: Option<String>,
    /// The sender's name.
    pub sender_name: Option<String>,
    /// The sender's specialization.
    pub sender_specialization: Option<String>,
    /// For whom it is: `agents`, `session` or `all`.
    pub audience: Audience,
    /// Its recipient, when there is exactly one.
    pub recipient_id: Option<String>,
    /// The one recipient's role.
    pub recipient_role: Option<String>,
    /// The one recipient's name.
    pub recipient_name: Option<String>,
    /// The one recipient's specialization.
    pub recipient_specialization: Option<String>,
    /// Its recipients, when there are several; else null.
    pub recipients: Option<Vec<String>>,
    /// The session it is of, here or outside the hub.
    pub session_id: Option<String>,
    /// The channel of the session.
    pub channel: Option<String>,
    /// The task (execution) it is about.
    pub task_id: Option<String>,
    /// A JSON object of the user's own.
    pub metadata: Json,
    /// What goes with it, by reference.
    pub attachments: Vec<Attachment>,
    /// When it was sent.
    pub timestamp: Time,
    /// When its content was last edited.
    pub edited_at: Option<Time>,
    /// Whether its content was taken back.
    pub redacted: bool,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redacted_at: Option<Time>,
    /// Why it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redaction_reason: Option<String>,
    /// Reactions, in the order in which they were first given.
    pub reactions: Vec<Reaction>,
    /// The agents that acknowledged it, in that order.
    pub acknowledged_by: Vec<String>,
    /// What last changed it; left out while nothing has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_change: Option<LastChange>,
    /// In an inbox: whether its owner has read it. Left out elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<bool>,
}

impl Message {
    /// The agents it is for by name.
    pub fn named(&self) -> &[String] {
        match (&self.recipients, &self.recipient_id) {
            (Some(several), _) => several,
            (None, Some(one)) => std::slice::from_ref(one),
            (None, None) => &[],
        }
    }

    /// Whether this agent is one of those it is for. Its sender never is.
    pub fn is_for(&self, agent_id: &str) -> bool {
        self.sender_id != agent_id
            && match self.audience {
                Audience::Agents => self.named().iter().any(|id| id == agent_id),
                Audience::Session | Audience::All => true,
            }
    }

    /// Where its events belong. What ties a question to its answers is the question's id.
    pub(crate) fn place(&self) -> Place {
        Place {
            agent_id: Some(self.sender_id.clone()),
            session_id: self.session_id.clone(),
            task_id: self.task_id.clone(),
            target_agents: match self.audience {
                Audience::All => vec!["*".to_owned()],
                Audience::Agents | Audience::Session => self.named().to_vec(),
            },
            correlation_id: Some(self.reply_to.clone().unwrap_or_else(|| self.message_id.clone())),
            subject: None,
        }
    }
}

/// Why a message operation was refused.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// No such message, or none that who asks may see.
    #[error("no message {0:?} here")]
    Unknown(String),
    /// No such thread, or none of which who asks may see anything.
    #[error("no thread {0:?} here")]
    UnknownThread(String),
    /// Only its sender, an operator or the process may change it.
    #[error("{who} may not {verb} message {message_id:?}: only its sender, {sender_id:?}, or an operator")]
    NotSender {
        /// On whose behalf.
        who: Principal,
        /// `edit` or `redact`.
        verb: &'static str,
        /// The message.
        message_id: String,
        /// Who sent it.
        sender_id: String,
    },
    /// Only those it is for may acknowledge it.
    #[error("agent {agent_id:?} may not acknowledge message {message_id:?}: it is not for that agent")]
    NotRecipient {
        /// The agent.
        agent_id: String,
        /// The message.
        message_id: String,
    },
    /// Its content was taken back: there is nothing left to change.
    #[error("message {:?} is redacted: it cannot be {verb}", current.message_id)]
    Redacted {
        /// What was asked, as a participle.
        verb: &'static str,
        /// The message as it stands.
        current: Box<Message>,
    },
}

impl From<MessageError> for Error {
    fn from(error: MessageError) -> Error {
        let message = error.to_string();
        match error {
            MessageError::Unknown(id) => Error::not_found("message", &id)
                .with("field", "message_id")
                .hint("message.list shows which there are"),
            MessageError::UnknownThread(id) => Error::not_found("thread", &id).with("field", "thread_id"),
            MessageError::NotSender { message_id, sender_id, .. } => {
                Error::not_allowed(message).with("message_id", message_id).with("sender_id", sender_id)
            }
            MessageError::NotRecipient { message_id, .. } => Error::not_allowed(message)
                .with("field", "agent_id")
                .with("message_id", message_id)
                .hint("only those a message is for acknowledge it; anyone who sees it may react"),
            MessageError::Redacted { current, .. } => {
                Error::conflict(message, current).hint("send a new message instead")
            }
        }
    }
}
