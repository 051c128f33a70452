//! What happens to a message after it was sent: edit, redact, react, acknowledge.
//!
//! Each makes one event with the whole message as it then stands. A repeated call that would change nothing answers the
//! message and makes no event.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::commands::{check_content, no_metadata};
use super::events::{ACKNOWLEDGED, EDITED, REACTED, REDACTED};
use super::{LastChange, Message, MessageError, Reaction, inbox, tables};
use crate::error::{Error, Result};
use crate::id;
use crate::pipeline::command::Change;
use crate::pipeline::decide::Decide;
use crate::principal::Principal;

/// The longest reaction, in bytes.
const LONGEST_REACTION: usize = 64;

/// Input of `message.edit`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The message.
    pub message_id: String,
    /// Who edits: its sender. An operator may edit any message, and so may the process when it names nobody.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// The new content: any text that is not empty, at most 256 KiB.
    pub content: String,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Input of `message.redact`.
///
/// The content, its metadata and attachments are gone from the message, from lists and from the search. The log keeps
/// that it happened; what was said before stays in the older events until retention takes them.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redact {
    /// The message.
    pub message_id: String,
    /// Who takes it back: its sender. An operator may redact any message, and so may the process when it names nobody.
    #[serde(default)]
    pub agent_id: Option<String>,
    /// Why.
    #[serde(default)]
    pub reason: Option<String>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Input of `message.react`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct React {
    /// The message, which the agent must be able to see.
    pub message_id: String,
    /// Who reacts: a registered agent.
    pub agent_id: String,
    /// An emoji or a word, 1–64 bytes.
    pub reaction: String,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Input of `message.unreact`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unreact {
    /// The message.
    pub message_id: String,
    /// Whose reaction is taken back.
    pub agent_id: String,
    /// The reaction.
    pub reaction: String,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// Input of `message.ack`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// The message.
    pub message_id: String,
    /// Who acknowledges: one of those it is for. The message counts as read by that agent, too.
    pub agent_id: String,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// The message as it stands, whoever may see it.
fn stored(cx: &Decide<'_>, message_id: &str) -> Result<Message> {
    id::check_name("message_id", message_id)?;
    let found = tables::visible(cx.db, None, message_id)?;
    found.ok_or_else(|| MessageError::Unknown(message_id.to_owned()).into())
}

/// The message that only its sender, or someone trusted, may change; and who does.
fn owned(
    cx: &Decide<'_>,
    verb: &'static str,
    message_id: &str,
    agent_id: Option<&str>,
) -> Result<(Message, Principal)> {
    let by = cx.acting("agent_id", agent_id)?;
    let message = stored(cx, message_id)?;
    if by.agent_id().is_some_and(|agent_id| agent_id != message.sender_id) {
        let Message { message_id, sender_id, .. } = message;
        return Err(MessageError::NotSender { who: by, verb, message_id, sender_id }.into());
    }
    Ok((message, by))
}

/// The message that an agent reacts to: one that it can see.
fn seen(cx: &Decide<'_>, message_id: &str, agent_id: &str) -> Result<Message> {
    id::check_name("message_id", message_id)?;
    id::check_name("agent_id", agent_id)?;
    let by = cx.acting("agent_id", Some(agent_id))?;
    tables::registered(cx.db, "agent_id", agent_id)?;
    let found = tables::visible(cx.db, by.agent_id(), message_id)?;
    found.ok_or_else(|| MessageError::Unknown(message_id.to_owned()).into())
}

/// Proposes the event of a change and answers the message.
fn emit(
    cx: &mut Decide<'_>,
    kind: &'static str,
    what: &str,
    agent_id: Option<&str>,
    reaction: Option<&str>,
    message: Message,
) -> Message {
    let change = LastChange {
        what: what.to_owned(),
        agent_id: agent_id.map(str::to_owned),
        at: cx.now,
        reaction: reaction.map(str::to_owned),
    };
    let message = Message { last_change: Some(change), ..message };
    cx.emit(kind, message.place(), message.clone());
    message
}

impl Change for Edit {
    type Output = Message;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Message> {
        check_content(cx, &self.content)?;
        let (message, by) = owned(cx, "edit", &self.message_id, self.agent_id.as_deref())?;
        if message.redacted {
            return Err(MessageError::Redacted { verb: "edited", current: Box::new(message) }.into());
        }
        let edited = Message { content: self.content.clone(), edited_at: Some(cx.now), ..message };
        Ok(emit(cx, EDITED, "edited", by.agent_id(), None, edited))
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

impl Change for Redact {
    type Output = Message;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Message> {
        if let Some(reason) = &self.reason {
            cx.check_text("reason", reason)?;
        }
        let (message, by) = owned(cx, "redact", &self.message_id, self.agent_id.as_deref())?;
        if message.redacted {
            return Ok(message);
        }
        let redacted = Message {
            content: String::new(),
            metadata: no_metadata(),
            attachments: Vec::new(),
            redacted: true,
            redacted_at: Some(cx.now),
            redaction_reason: self.reason.clone(),
            ..message
        };
        Ok(emit(cx, REDACTED, "redacted", by.agent_id(), None, redacted))
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Refuses what is no emoji or word. Unlike in a name, emoji may be joined by a zero-width joiner.
fn check_reaction(reaction: &str) -> Result<()> {
    if reaction.len() > LONGEST_REACTION {
        let (most, got) = (LONGEST_REACTION as u64, reaction.len() as u64);
        return Err(Error::field_limit("reaction", "bytes of a reaction", most, got));
    }
    id::check_name("reaction", &reaction.replace('\u{200d}', ""))
}

impl Change for React {
    type Output = Message;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Message> {
        check_reaction(&self.reaction)?;
        let mut message = seen(cx, &self.message_id, &self.agent_id)?;
        if message.redacted {
            return Err(MessageError::Redacted { verb: "reacted to", current: Box::new(message) }.into());
        }
        let given: u64 = message.reactions.iter().map(|reaction| reaction.count).sum();
        let at = message.reactions.iter().position(|known| known.reaction == self.reaction);
        match at.and_then(|at| message.reactions.get_mut(at)) {
            Some(known) if known.agents.contains(&self.agent_id) => return Ok(message),
            _ if given >= cx.config.max_items => {
                let most = cx.config.max_items;
                return Err(Error::field_limit("reaction", "reactions of a message", most, given + 1));
            }
            Some(known) => {
                known.agents.push(self.agent_id.clone());
                known.count += 1;
            }
            None => message.reactions.push(Reaction {
                reaction: self.reaction.clone(),
                count: 1,
                agents: vec![self.agent_id.clone()],
            }),
        }
        Ok(emit(cx, REACTED, "reacted", Some(&self.agent_id), Some(&self.reaction), message))
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

impl Change for Unreact {
    type Output = Message;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Message> {
        check_reaction(&self.reaction)?;
        let mut message = seen(cx, &self.message_id, &self.agent_id)?;
        let Some(known) = message
            .reactions
            .iter_mut()
            .find(|known| known.reaction == self.reaction && known.agents.contains(&self.agent_id))
        else {
            return Ok(message);
        };
        known.agents.retain(|agent_id| *agent_id != self.agent_id);
        known.count = known.agents.len() as u64;
        message.reactions.retain(|known| known.count > 0);
        Ok(emit(cx, REACTED, "unreacted", Some(&self.agent_id), Some(&self.reaction), message))
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

impl Change for Acknowledge {
    type Output = Message;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Message> {
        id::check_name("agent_id", &self.agent_id)?;
        cx.by.may_act_as("agent_id", &self.agent_id)?;
        tables::registered(cx.db, "agent_id", &self.agent_id)?;
        let mut message = stored(cx, &self.message_id)?;
        let seen = tables::visible_seq(cx.db, Some(&self.agent_id), &self.message_id)?.is_some();
        if !seen || !message.is_for(&self.agent_id) {
            let (agent_id, message_id) = (self.agent_id.clone(), message.message_id);
            return Err(MessageError::NotRecipient { agent_id, message_id }.into());
        }
        if message.acknowledged_by.contains(&self.agent_id) {
            return Ok(message);
        }
        let (most, known) = (cx.config.max_items, message.acknowledged_by.len() as u64);
        if known >= most {
            return Err(Error::field_limit("agent_id", "acknowledgements of a message", most, known + 1));
        }
        message.acknowledged_by.push(self.agent_id.clone());
        inbox::mark(cx, &self.agent_id, &[message.seq])?;
        Ok(emit(cx, ACKNOWLEDGED, "acknowledged", Some(&self.agent_id), None, message))
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}
