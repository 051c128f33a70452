//! Making a channel, and posting to one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Channel, ChannelType, channel_name, posting};
use crate::error::{Error, Result};
use crate::hub::{Check, Scope};
use crate::id;
use crate::json::Json;
use crate::messages::{Attachment, Message, Send};
use crate::operations::Compose;
use crate::pipeline::command::{Change, Class};
use crate::pipeline::decide::Decide;
use crate::sessions::events::CHANNEL_CREATED;
use crate::sessions::rules::names;
use crate::sessions::{access, tables};

/// Input of `channel.create`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// The session.
    pub session_id: String,
    /// Its name in the session.
    pub channel: String,
    /// `broadcast`, `structured`, `document` or `consensus`.
    #[serde(rename = "type")]
    pub kind: ChannelType,
    /// The types of messages that it takes, `*` for every type; those of its type when left out.
    #[serde(default)]
    pub message_types: Option<Vec<String>>,
    /// Whether what is posted is kept; true when left out. What is not kept is handed on to those who listen, and no more.
    #[serde(default)]
    pub persistent: Option<bool>,
    /// The roles that may post; every participant when left out.
    #[serde(default)]
    pub roles: Option<Vec<String>>,
    /// Who makes it: a participant; nobody in particular when left out.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Create {
    fn check(&self) -> Result<()> {
        id::check_name("channel", &self.channel)?;
        if let Some(types) = &self.message_types {
            if types.is_empty() {
                let must = "must name at least one type, or \"*\" for every type";
                return Err(Error::invalid("message_types", serde_json::json!([]), must));
            }
            names("message_types", types)?;
        }
        names("roles", self.roles.as_deref().unwrap_or_default())
    }
}

impl Change for Create {
    type Output = Channel;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Channel> {
        self.check()?;
        let wanted = "no channel can be made in it any more";
        let (session, by) = access::within(cx, &self.session_id, self.agent_id.as_deref(), wanted)?;
        let name = channel_name(&self.channel);
        let known = tables::channels(cx.db, &self.session_id)?;
        if known.iter().any(|channel| channel.channel == name) {
            return Err(Error::already_exists("channel", &self.channel).with("field", "channel"));
        }
        let (most, count) = (cx.config.max_channels, known.len() as u64 + 1);
        if count > most {
            return Err(Error::limit("channels of a session", most, count));
        }
        let given = self
            .message_types
            .as_ref()
            .map(|types| types.iter().map(|name| super::type_name(name)).collect());
        let types: Vec<&str> = given.unwrap_or_else(|| self.kind.message_types().to_vec());
        let channel = Channel {
            channel: self.channel.clone(),
            session_id: self.session_id.clone(),
            kind: self.kind,
            message_types: types.into_iter().map(str::to_owned).collect(),
            persistent: self.persistent.unwrap_or(true),
            roles: self.roles.clone(),
            created_by: by.agent_id().map(str::to_owned),
            created_at: cx.now,
        };
        cx.emit(CHANNEL_CREATED, session.place(by.agent_id(), &[]), channel.clone());
        Ok(channel)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Input of `channel.post`: a message to a channel. It is `message.send` with a session and a channel, no more and no
/// less.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Post {
    /// The session.
    pub session_id: String,
    /// The channel. `code_edit` stands for `code`, `decision_proposal` for `decisions`.
    pub channel: String,
    /// Who posts: a participant.
    pub agent_id: String,
    /// A type that the channel takes. `code_edit` stands for `edit`, `decision_proposal` for `proposal`.
    pub message_type: String,
    /// What is said: any text that is not empty, at most 256 KiB.
    pub content: String,
    /// A JSON object, at most 64 KiB.
    #[serde(default)]
    pub metadata: Option<Json>,
    /// The message it answers: of a vote or a decision, the proposal.
    #[serde(default)]
    pub reply_to: Option<String>,
    /// The thread to put it into; that of the message it answers, or a new one, when left out.
    #[serde(default)]
    pub thread_id: Option<String>,
    /// The task (execution) it is about.
    #[serde(default)]
    pub task_id: Option<String>,
    /// What goes with it, by reference: at most 100.
    #[serde(default)]
    pub attachments: Option<Vec<Attachment>>,
    /// Its id, if the caller wants to choose it; a new UUIDv7 when left out.
    #[serde(default)]
    pub message_id: Option<String>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Post {
    /// A message to this channel.
    pub fn new(session_id: &str, channel: &str, agent_id: &str, message_type: &str, content: &str) -> Post {
        Post {
            session_id: session_id.to_owned(),
            channel: channel.to_owned(),
            agent_id: agent_id.to_owned(),
            message_type: message_type.to_owned(),
            content: content.to_owned(),
            ..Post::default()
        }
    }

    fn send(self) -> Send {
        Send {
            message_id: self.message_id,
            sender_id: self.agent_id,
            session_id: Some(self.session_id),
            channel: Some(self.channel),
            content: self.content,
            message_type: Some(self.message_type),
            task_id: self.task_id,
            thread_id: self.thread_id,
            reply_to: self.reply_to,
            metadata: self.metadata,
            attachments: self.attachments,
            idempotency_key: self.idempotency_key,
            ..Send::default()
        }
    }
}

/// The message of a post. Its session must be one that the hub knows.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
struct Posted(Send);

impl Change for Posted {
    type Output = Message;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Message> {
        self.0.check(cx)?;
        id::check_name("agent_id", &self.0.sender_id)?;
        cx.by.may_act_as("agent_id", &self.0.sender_id)?;
        access::known(cx.db, self.0.session_id.as_deref().unwrap_or_default())?;
        self.0.decide(cx).map_err(|error| match error.details().get("field") {
            Some(field) if field == "sender_id" => error.with("field", "agent_id"),
            _ => error,
        })
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.0.idempotency_key.as_deref()
    }
}

impl Compose for Post {
    type Output = Message;

    fn compose(self, scope: &Scope<'_>, _: &mut Check<'_>) -> Result<Message> {
        let core = scope.core;
        let (session_id, channel, message_type) = (&self.session_id, &self.channel, &self.message_type);
        // What is not kept need not wait for the disk. This look only spares the wait: the decision looks for itself.
        let kept =
            core.storage.read(|reader| posting::keeps(reader.db, session_id, channel, message_type))?;
        let class = if kept { Class::Durable } else { Class::Shared };
        core.change(scope.op.name, class, scope.by, Posted(self.send()))
    }
}
