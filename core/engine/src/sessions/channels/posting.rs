//! The one check of what is posted to a session, whichever operation posts it.

use std::collections::HashSet;

use rusqlite::Connection;

use super::{Channel, ChannelType, channel_name, type_name};
use crate::error::{Error, Result};
use crate::messages::Message;
use crate::messages::tables::channel_audience;
use crate::pipeline::decide::Decide;
use crate::sessions::rules::Rate;
use crate::sessions::{Session, SessionError, SessionParticipant, access, decisions, tables};

/// What is about to be posted.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub sender_id: &'a str,
    pub channel: Option<&'a str>,
    /// Its type, or what it would be by default, and whether the caller said so.
    pub message_type: &'a str,
    pub recipients: &'a [String],
    pub reply_to: Option<&'a str>,
}

/// What a session has let in.
pub(crate) struct Admitted {
    pub session: Session,
    /// The channel's own name; none outside the channels.
    pub channel: Option<String>,
    pub message_type: String,
    /// Whether it is kept.
    pub kept: bool,
    /// Whether it is recorded as a decision of the session.
    pub decides: bool,
}

/// Judges a message by the rules of its session; `None` when the hub does not know the session.
pub(crate) fn admit(cx: &Decide<'_>, session_id: &str, wanted: Wanted<'_>) -> Result<Option<Admitted>> {
    if tables::get(cx.db, session_id)?.is_none() {
        return Ok(None);
    }
    let session = access::active(cx.db, session_id, "nothing can be posted to it any more")?;
    let who = access::participant(&session, "sender_id", wanted.sender_id)?;
    for (i, agent_id) in wanted.recipients.iter().enumerate() {
        access::participant(&session, &format!("recipients[{i}]"), agent_id)?;
    }
    let message_type = match wanted.channel {
        Some(_) => type_name(wanted.message_type),
        None => wanted.message_type,
    };
    let channel = wanted.channel.map(|name| find(cx.db, &session, name)).transpose()?;
    if let Some(channel) = &channel {
        may_post(&session, channel, who, message_type)?;
    }
    let name = channel.as_ref().map(|channel| channel.channel.as_str());
    session.rules.admit(&session, who, name, message_type)?;
    let consensus = channel.as_ref().is_some_and(|channel| channel.kind == ChannelType::Consensus);
    let kept = channel.as_ref().is_none_or(|channel| channel.keeps(message_type));
    let decides = consensus && kept && message_type == "decision";
    if decides && !session.rules.required_reviewers.is_empty() {
        decisions::reviewed(cx, &session, "reply_to", wanted.reply_to)?;
    }
    // The rate is looked at last here, and counted by the caller once nothing else can be refused.
    Rate::check(cx, &session, wanted.sender_id)?;
    let channel = channel.map(|channel| channel.channel);
    Ok(Some(Admitted { message_type: message_type.to_owned(), session, channel, kept, decides }))
}

/// Counts an admitted message. Call it once nothing can be refused any more.
pub(crate) fn count(cx: &Decide<'_>, admitted: &Admitted, sender_id: &str) -> Result<()> {
    match Rate::check(cx, &admitted.session, sender_id)? {
        Some(rate) => rate.count(cx.db),
        None => Ok(()),
    }
}

/// The channel of this name, or of the name that it stands for.
pub(crate) fn find(db: &Connection, session: &Session, name: &str) -> Result<Channel> {
    crate::id::check_name("channel", name)?;
    if let Some(channel) = tables::channel(db, &session.session_id, channel_name(name))? {
        return Ok(channel);
    }
    let known = tables::channels(db, &session.session_id)?;
    let names: Vec<&str> = known.iter().map(|channel| channel.channel.as_str()).collect();
    Err(Error::not_found("channel", name)
        .with("field", "channel")
        .with("session_id", session.session_id.as_str())
        .hint(format!("the session has {}; make more with channel.create", names.join(", "))))
}

fn may_post(
    session: &Session,
    channel: &Channel,
    who: &SessionParticipant,
    message_type: &str,
) -> Result<()> {
    let refused = |rule: &str, why: String| {
        Error::from(SessionError::Rule { rule: rule.to_owned(), session_id: session.session_id.clone(), why })
            .with("channel", channel.channel.as_str())
    };
    if !channel.takes(message_type) {
        let types = channel.message_types.join(", ");
        return Err(refused(
            "message_types",
            format!("channel {:?} takes {types}; got {message_type:?}", channel.channel),
        )
        .with("field", "message_type")
        .with("allowed", channel.message_types.clone())
        .with("value", message_type));
    }
    match &channel.roles {
        Some(roles) if !roles.iter().any(|role| who.role.as_ref() == Some(role)) => Err(refused(
            "roles",
            format!(
                "{} may post to channel {:?}; agent {:?} has role {:?}",
                roles.join(", "),
                channel.channel,
                who.agent_id,
                who.role.as_deref().unwrap_or_default()
            ),
        )
        .with("field", "agent_id")
        .with("allowed", roles.clone())),
        _ => Ok(()),
    }
}

/// Whether a message of this type in this channel is kept; true where that is not known.
pub(crate) fn keeps(db: &Connection, session_id: &str, channel: &str, message_type: &str) -> Result<bool> {
    let channel = tables::channel(db, session_id, channel_name(channel))?;
    Ok(channel.is_none_or(|channel| channel.keeps(type_name(message_type))))
}

/// Those who have voted on a proposal.
pub(crate) fn voters(db: &Connection, proposal: &Message) -> Result<HashSet<String>> {
    let (Some(session_id), Some(channel)) = (&proposal.session_id, &proposal.channel) else {
        return Ok(HashSet::new());
    };
    let mut statement = db.prepare_cached(
        "SELECT m.sender_id FROM delivery d CROSS JOIN message m ON m.seq = d.seq
         WHERE d.audience = ?1 AND d.seq > ?2 AND m.type = 'vote' AND m.body ->> '$.reply_to' = ?3",
    )?;
    let audience = channel_audience(session_id, channel);
    let rows = statement
        .query_map(rusqlite::params![audience, proposal.seq as i64, proposal.message_id], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
