//! Channels: the streams of messages of a session, each with its own rules.
//!
//! Four are made with every session; participants make more. What is posted to a channel is a message like any other,
//! with the same ids, threads, reactions and search: `channel.post` and `message.send` with a `channel` are one path with
//! one check ([`posting`]). A channel says which types of messages it takes and which roles may post; every participant
//! reads it.
//!
//! What is posted to a channel that is not persistent, and what says where someone's cursor or selection is, is handed on
//! to those who listen and kept for minutes only: a relaxed event (`message.relayed`) without a row behind it. It waits
//! for no disk, and has no history, search or reactions.

pub mod commands;
pub(crate) mod posting;
pub mod queries;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use commands::{Create, Post};
pub use queries::{ChannelList, History, HistoryPage, List};

use super::Session;
use crate::clock::Time;

/// The channel of decisions that every session has.
pub const DECISIONS: &str = "decisions";

/// What a channel is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelType {
    /// Said to everyone: `text`, `file`, `notification`.
    Broadcast,
    /// Reports of a fixed form: `task_update`, `resource_request`, `status_change`.
    Structured,
    /// Work on a text: `edit`, `cursor`, `selection`, `comment`. Cursors and selections are relaxed.
    #[serde(alias = "code_edit")]
    Document,
    /// Deciding together: `proposal`, `vote`, `decision`. A decision is recorded in the session.
    #[serde(alias = "decision_proposal")]
    Consensus,
}

impl ChannelType {
    /// The types of messages that such a channel takes when it does not say.
    pub fn message_types(self) -> &'static [&'static str] {
        match self {
            ChannelType::Broadcast => &["text", "file", "notification"],
            ChannelType::Structured => &["task_update", "resource_request", "status_change"],
            ChannelType::Document => &["edit", "cursor", "selection", "comment"],
            ChannelType::Consensus => &["proposal", "vote", "decision"],
        }
    }
}

/// A channel of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Channel {
    /// Its name in the session.
    pub channel: String,
    /// The session.
    pub session_id: String,
    /// `broadcast`, `structured`, `document` or `consensus`.
    #[serde(rename = "type")]
    pub kind: ChannelType,
    /// The types of messages that it takes; `*` stands for every type.
    pub message_types: Vec<String>,
    /// Whether what is posted is kept. Cursors and selections of a `document` channel never are.
    pub persistent: bool,
    /// The roles that may post; null when every participant may. Every participant reads.
    pub roles: Option<Vec<String>>,
    /// The agent that made it; null for those made with the session, and for the process or an operator.
    pub created_by: Option<String>,
    /// When it was made.
    pub created_at: Time,
}

impl Channel {
    /// Whether a message of this type is kept.
    pub(crate) fn keeps(&self, message_type: &str) -> bool {
        let passing = self.kind == ChannelType::Document && matches!(message_type, "cursor" | "selection");
        self.persistent && !passing
    }

    /// Whether it takes messages of this type.
    pub(crate) fn takes(&self, message_type: &str) -> bool {
        self.message_types.iter().any(|own| own == "*" || own == message_type)
    }
}

/// The channels that are made with every session.
pub(crate) fn defaults(session: &Session) -> Vec<Channel> {
    [
        ("general", ChannelType::Broadcast),
        ("coordination", ChannelType::Structured),
        ("code", ChannelType::Document),
        (DECISIONS, ChannelType::Consensus),
    ]
    .into_iter()
    .map(|(channel, kind)| Channel {
        channel: channel.to_owned(),
        session_id: session.session_id.clone(),
        kind,
        message_types: kind.message_types().iter().map(|name| (*name).to_owned()).collect(),
        persistent: true,
        roles: None,
        created_by: None,
        created_at: session.started_at,
    })
    .collect()
}

/// The name that another name stands for: `code_edit` for the channel `code`, `decision_proposal` for `decisions`.
pub(crate) fn channel_name(name: &str) -> &str {
    match name {
        "code_edit" => "code",
        "decision_proposal" => DECISIONS,
        name => name,
    }
}

/// The type of message that another word stands for: `code_edit` for `edit`, `decision_proposal` for `proposal`.
pub(crate) fn type_name(name: &str) -> &str {
    match name {
        "code_edit" => "edit",
        "decision_proposal" => "proposal",
        name => name,
    }
}
