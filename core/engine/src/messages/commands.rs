//! `message.send`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::events::{Passing, RELAYED, SENT};
use super::{Attachment, Audience, Importance, Message, tables};
use crate::agents::{Agent, AgentError};
use crate::error::{Error, Result};
use crate::events::publish::Targets;
use crate::id;
use crate::json::Json;
use crate::pipeline::command::Change;
use crate::pipeline::decide::Decide;
use crate::sessions;
use crate::sessions::channels::posting::{self, Admitted, Wanted};

/// The most attachments of one message.
const MOST_ATTACHMENTS: usize = 100;
/// The longest URI of an attachment, in bytes.
const LONGEST_URI: usize = 2_048;

/// Input of `message.send`.
///
/// Whom it is for: the `recipients`, when there are any; else the session, when one is given; else everyone. A reply
/// that says neither goes where the message it answers came from: to all, to its session, or to its sender alone.
///
/// ```
/// use folkmoot_engine::{Hub, HubConfig, agents, messages};
///
/// let hub = Hub::open(":memory:", HubConfig::default())?;
/// hub.run(agents::Register::new("ana"))?;
/// let sent = hub.run(messages::Send::new("ana", "Good morning"))?;
/// assert_eq!(sent.audience, messages::Audience::All);
/// hub.close();
/// # Ok::<(), folkmoot_engine::Error>(())
/// ```
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// Its id, if the caller wants to choose it; a new UUIDv7 when left out.
    #[serde(default)]
    pub message_id: Option<String>,
    /// Who sends it: a registered agent.
    pub sender_id: String,
    /// Whom it is for: agent ids, one id, or `*` for all. None stands for the session, or for all.
    #[serde(default)]
    pub recipients: Option<Targets>,
    /// The session it is of, here or outside the hub. What is of a session of the hub is judged by its rules and read
    /// by its participants; `*` then stands for them. What is of a session elsewhere, everyone may read.
    #[serde(default)]
    pub session_id: Option<String>,
    /// The channel of that session: it must take messages of this type. What it does not keep is only handed on.
    #[serde(default)]
    pub channel: Option<String>,
    /// What is said: any text that is not empty, at most 256 KiB.
    pub content: String,
    /// `standup`, `task_assignment`, `acknowledgment`, `question`, `answer`, `status_update`, `code_review_request`,
    /// `code_review_feedback`, `completion_notification`, `human_intervention_required`, or another word. When left
    /// out: `answer` for a reply to a `question`, else `text`.
    #[serde(default)]
    pub message_type: Option<String>,
    /// The task (execution) it is about, here or outside the hub; that of the message it answers when left out.
    #[serde(default)]
    pub task_id: Option<String>,
    /// The thread to put it into; that of the message it answers, or a new one, when left out.
    #[serde(default)]
    pub thread_id: Option<String>,
    /// The message it answers.
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
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// For whom a new message is, and of what.
struct Address {
    audience: Audience,
    recipients: Vec<String>,
    session_id: Option<String>,
    channel: Option<String>,
}

impl Send {
    /// A message from this agent to all.
    pub fn new(sender_id: &str, content: &str) -> Send {
        Send { sender_id: sender_id.to_owned(), content: content.to_owned(), ..Send::default() }
    }

    /// The same message, for these agents.
    pub fn to<S: Into<String>>(self, recipients: impl IntoIterator<Item = S>) -> Send {
        Send { recipients: Some(Targets::Many(recipients.into_iter().map(Into::into).collect())), ..self }
    }

    pub(crate) fn check(&self, cx: &Decide<'_>) -> Result<()> {
        check_content(cx, &self.content)?;
        for (field, name) in [
            ("message_id", &self.message_id),
            ("session_id", &self.session_id),
            ("channel", &self.channel),
            ("message_type", &self.message_type),
            ("task_id", &self.task_id),
            ("thread_id", &self.thread_id),
            ("reply_to", &self.reply_to),
        ] {
            id::check_optional(field, name.as_deref())?;
        }
        if let (Some(channel), None) = (&self.channel, &self.session_id) {
            let must = "belongs to a session: session_id must be given too";
            return Err(Error::invalid("channel", channel.as_str(), must));
        }
        cx.check_metadata("metadata", self.metadata.as_ref())?;
        check_attachments(self.attachments.as_deref().unwrap_or_default())
    }

    /// The agents that the call names, each once; `None` when it names nobody, `*` alone when it names everyone.
    fn named(&self, cx: &Decide<'_>) -> Result<Option<Vec<String>>> {
        let Some(targets) = &self.recipients else { return Ok(None) };
        let ids = targets.ids("recipients")?;
        cx.check_count("recipients", ids.len())?;
        if ids.iter().any(|id| id == "*") {
            return Ok(Some(vec!["*".to_owned()]));
        }
        let mut seen = std::collections::HashSet::new();
        let mut named = Vec::with_capacity(ids.len());
        for (i, agent_id) in ids.iter().enumerate() {
            if !seen.insert(agent_id) {
                continue;
            }
            if !crate::agents::tables::exists(cx.db, agent_id)? {
                let error = Error::from(AgentError::Unknown(agent_id.clone()));
                return Err(error.with("field", format!("recipients[{i}]")));
            }
            named.push(agent_id.clone());
        }
        Ok(Some(named).filter(|named| !named.is_empty()))
    }

    fn address(&self, cx: &Decide<'_>, parent: Option<&Message>) -> Result<Address> {
        let (session_id, channel) = (self.session_id.clone(), self.channel.clone());
        let address = |audience, recipients| Address { audience, recipients, session_id, channel };
        let named = self.named(cx)?;
        Ok(match (named, &self.session_id, parent) {
            (Some(all), ..) if all.iter().any(|id| id == "*") => address(Audience::All, Vec::new()),
            (Some(named), ..) => address(Audience::Agents, named),
            (None, Some(_), _) => address(Audience::Session, Vec::new()),
            (None, None, Some(parent)) => back(parent, &self.sender_id),
            (None, None, None) => address(Audience::All, Vec::new()),
        })
    }
}

/// Where a reply goes that does not say it: where the message it answers came from.
fn back(parent: &Message, sender_id: &str) -> Address {
    let recipients = match parent.audience {
        Audience::Agents if parent.sender_id == sender_id => parent.named().to_vec(),
        Audience::Agents => vec![parent.sender_id.clone()],
        Audience::Session | Audience::All => Vec::new(),
    };
    Address {
        audience: parent.audience,
        recipients,
        session_id: parent.session_id.clone(),
        channel: parent.channel.clone(),
    }
}

/// Refuses content that is empty or too long.
pub(crate) fn check_content(cx: &Decide<'_>, content: &str) -> Result<()> {
    let (most, bytes) = (cx.config.max_message_bytes, content.len() as u64);
    if bytes > most {
        return Err(Error::field_limit("content", "bytes of a message", most, bytes));
    }
    if content.is_empty() {
        return Err(Error::invalid("content", content, "must not be empty"));
    }
    if content.contains('\0') {
        return Err(Error::invalid("content", content, "must not hold a NUL character"));
    }
    Ok(())
}

fn check_attachments(attachments: &[Attachment]) -> Result<()> {
    if attachments.len() > MOST_ATTACHMENTS {
        let (most, got) = (MOST_ATTACHMENTS as u64, attachments.len() as u64);
        return Err(Error::field_limit("attachments", "attachments of a message", most, got));
    }
    for (i, attachment) in attachments.iter().enumerate() {
        id::check_name(&format!("attachments[{i}].name"), &attachment.name)?;
        id::check_optional(&format!("attachments[{i}].media_type"), attachment.media_type.as_deref())?;
        let (field, uri) = (format!("attachments[{i}].uri"), attachment.uri.as_str());
        if uri.trim().is_empty() || uri.chars().any(char::is_control) {
            return Err(Error::invalid(&field, uri, "must be visible text"));
        }
        if uri.len() > LONGEST_URI {
            let (most, got) = (LONGEST_URI as u64, uri.len() as u64);
            return Err(Error::field_limit(&field, "bytes of a URI", most, got));
        }
    }
    Ok(())
}

impl Change for Send {
    type Output = Message;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Message> {
        self.check(cx)?;
        id::check_name("sender_id", &self.sender_id)?;
        cx.by.may_act_as("sender_id", &self.sender_id)?;
        let sender = tables::registered(cx.db, "sender_id", &self.sender_id)?;
        let parent = match &self.reply_to {
            Some(id) => Some(tables::visible(cx.db, Some(&self.sender_id), id)?.ok_or_else(|| {
                Error::from(super::MessageError::Unknown(id.clone())).with("field", "reply_to")
            })?),
            None => None,
        };
        let mut address = self.address(cx, parent.as_ref())?;
        let admitted = self.admit(cx, &mut address, parent.as_ref())?;
        let recipient = match address.recipients.as_slice() {
            [one] => crate::agents::tables::profile(cx.db, one)?,
            _ => None,
        };
        if let Some(id) = &self.message_id
            && tables::exists(cx.db, id)?
        {
            return Err(Error::already_exists("message", id).with("field", "message_id"));
        }
        let proposal = parent.as_ref().filter(|parent| parent.message_type == "proposal");
        let proposal = proposal.map(|parent| parent.message_id.clone());
        let mut message = self.message(cx, sender, address, recipient, parent)?;
        let mut place = message.place();
        if let Some(task_id) = &message.task_id {
            place.subject = crate::tasks::tree::root(cx.db, task_id)?;
        }
        let Some(admitted) = admitted else {
            cx.emit(SENT, place, message.clone());
            return Ok(message);
        };
        message.message_type.clone_from(&admitted.message_type);
        posting::count(cx, &admitted, &self.sender_id)?;
        match admitted.kept {
            true => cx.emit(SENT, place, message.clone()),
            false => cx.emit_relaxed(RELAYED, place, Passing(message.clone())),
        };
        if admitted.decides {
            sessions::decisions::record_message(cx, &admitted.session, &message, proposal);
        }
        Ok(message)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

impl Send {
    /// Has the session of the message judge it, when the hub knows it.
    fn admit(
        &self,
        cx: &Decide<'_>,
        address: &mut Address,
        parent: Option<&Message>,
    ) -> Result<Option<Admitted>> {
        let Some(session_id) = &address.session_id else { return Ok(None) };
        let message_type = self.type_or_default(parent);
        let wanted = Wanted {
            sender_id: &self.sender_id,
            channel: address.channel.as_deref(),
            message_type: &message_type,
            recipients: &address.recipients,
            reply_to: self.reply_to.as_deref(),
        };
        let Some(admitted) = posting::admit(cx, session_id, wanted)? else { return Ok(None) };
        address.channel.clone_from(&admitted.channel);
        if address.audience == Audience::All {
            address.audience = Audience::Session;
        }
        Ok(Some(admitted))
    }

    fn type_or_default(&self, parent: Option<&Message>) -> String {
        let by_default = match parent {
            Some(parent) if parent.message_type == "question" => "answer",
            _ => "text",
        };
        self.message_type.clone().unwrap_or_else(|| by_default.to_owned())
    }

    fn message(
        &self,
        cx: &mut Decide<'_>,
        sender: Agent,
        address: Address,
        recipient: Option<Agent>,
        parent: Option<Message>,
    ) -> Result<Message> {
        let message_id = cx.id_or_new("message_id", self.message_id.as_deref())?;
        let message_type = self.type_or_default(parent.as_ref());
        let (parent_thread, parent_task) =
            parent.map_or((None, None), |parent| (Some(parent.conversation_thread_id), parent.task_id));
        let several = address.recipients.len() > 1;
        Ok(Message {
            seq: cx.upcoming_seq(),
            conversation_thread_id: self
                .thread_id
                .clone()
                .or(parent_thread)
                .unwrap_or_else(|| message_id.clone()),
            message_id,
            reply_to: self.reply_to.clone(),
            message_type,
            content: self.content.clone(),
            importance: self.importance.unwrap_or_default(),
            ack_required: self.ack_required.unwrap_or(false),
            sender_id: sender.agent_id,
            sender_role: sender.role,
            sender_name: Some(sender.name),
            sender_specialization: sender.specialization,
            audience: address.audience,
            recipient_id: if several { None } else { address.recipients.first().cloned() },
            recipient_role: recipient.as_ref().and_then(|agent| agent.role.clone()),
            recipient_name: recipient.as_ref().map(|agent| agent.name.clone()),
            recipient_specialization: recipient.and_then(|agent| agent.specialization),
            recipients: several.then_some(address.recipients),
            session_id: address.session_id,
            channel: address.channel,
            task_id: self.task_id.clone().or(parent_task),
            metadata: self.metadata.clone().unwrap_or_else(no_metadata),
            attachments: self.attachments.clone().unwrap_or_default(),
            timestamp: cx.now,
            edited_at: None,
            redacted: false,
            redacted_at: None,
            redaction_reason: None,
            reactions: Vec::new(),
            acknowledged_by: Vec::new(),
            last_change: None,
            read: None,
        })
    }
}

/// `{}`: metadata where none was given.
pub(crate) fn no_metadata() -> Json {
    Json::from(serde_json::json!({}))
}
