//! Collaboration rules: who may come, who may post what where, how often, and who must have looked before a decision.
//!
//! Rules are given at the start and changed by the session's owners (`session.set_rules`). They are judged inside the
//! decision, on the tables and the hub's clock as they are then, so that no two callers slip through together. A refusal
//! names the rule by its path (`post[0]`, `rate`).

use rusqlite::{Connection, OptionalExtension, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OWNER, Session, SessionError, SessionParticipant};
use crate::error::{Error, Result};
use crate::id;
use crate::pipeline::decide::Decide;

/// The most rules of a sort, and names in one.
const MOST: usize = 100;
/// The most messages that a rate may allow in its span.
const MOST_MESSAGES: u64 = 1_000;

/// Who may join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JoinRule {
    /// Every registered agent. The default.
    #[default]
    Open,
    /// Only those who were invited.
    Invited,
}

/// How often one participant may post.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateRule {
    /// At most this many messages, 1 to 1,000 …
    pub messages: u64,
    /// … in any span of this many seconds, by the hub's clock.
    pub seconds: f64,
}

/// Who may post what where. A message that a rule fits must be allowed by it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostRule {
    /// The channel it is for; everything of the session when left out.
    #[serde(default)]
    pub channel: Option<String>,
    /// The types of messages it is for; every type when left out.
    #[serde(default)]
    pub message_types: Option<Vec<String>>,
    /// Who may: agent ids, `role:<role>`, or `*`.
    pub who: Vec<String>,
}

/// The rules of a session. What is left out is not limited.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SessionRules {
    /// Who may join: `open` (every registered agent) or `invited`.
    pub join: JoinRule,
    /// The most that may take part; the hub's `max_participants` when left out.
    pub max_participants: Option<u64>,
    /// How often one participant may post.
    #[serde(deserialize_with = "crate::input::object")]
    pub rate: Option<RateRule>,
    /// Who may post what where.
    pub post: Vec<PostRule>,
    /// Who must have voted on a proposal before it becomes a decision: agent ids, or `role:<role>` for one of them.
    pub required_reviewers: Vec<String>,
}

impl SessionRules {
    /// Refuses rules that make no sense.
    pub(crate) fn check(&self, cx: &Decide<'_>) -> Result<()> {
        if let Some(most) = self.max_participants {
            let limit = cx.config.max_participants;
            if most == 0 {
                return Err(Error::invalid("rules.max_participants", most, "must be at least 1"));
            }
            if most > limit {
                let field = "rules.max_participants";
                return Err(Error::field_limit(field, "participants of a session", limit, most));
            }
        }
        if let Some(rate) = &self.rate {
            match rate.messages {
                0 => return Err(Error::invalid("rules.rate.messages", 0, "must be at least 1")),
                messages if messages > MOST_MESSAGES => {
                    let field = "rules.rate.messages";
                    return Err(Error::field_limit(field, "messages of a rate", MOST_MESSAGES, messages));
                }
                _ => cx.check_seconds("rules.rate.seconds", rate.seconds, 0.001)?,
            }
        }
        check_count("rules.post", "rules of a session", self.post.len())?;
        for (i, rule) in self.post.iter().enumerate() {
            rule.check(&format!("rules.post[{i}]"))?;
        }
        names("rules.required_reviewers", &self.required_reviewers)
    }

    /// Whether the rules give something to those who have this role: then it is given, and not taken.
    pub(crate) fn speak_of(&self, role: &str) -> bool {
        let who = self.post.iter().flat_map(|rule| &rule.who).chain(&self.required_reviewers);
        role == OWNER || who.filter_map(|name| name.strip_prefix("role:")).any(|named| named == role)
    }

    /// Refuses a message that a rule fits and does not allow.
    pub(crate) fn admit(
        &self,
        session: &Session,
        who: &SessionParticipant,
        channel: Option<&str>,
        message_type: &str,
    ) -> Result<()> {
        let refused = self
            .post
            .iter()
            .enumerate()
            .find(|(_, rule)| rule.fits(channel, message_type) && !includes(&rule.who, who));
        let Some((i, rule)) = refused else { return Ok(()) };
        let to = channel.map_or("the session".to_owned(), |channel| format!("{channel:?}"));
        let error = SessionError::Rule {
            rule: format!("post[{i}]"),
            session_id: session.session_id.clone(),
            why: format!(
                "{message_type:?} may be posted to {to} by {}; {:?} (role {:?}) may not",
                rule.who.join(", "),
                who.agent_id,
                who.role.as_deref().unwrap_or_default()
            ),
        };
        Err(Error::from(error).with("field", "agent_id").with("allowed", rule.who.clone()))
    }
}

impl PostRule {
    fn check(&self, field: &str) -> Result<()> {
        id::check_optional(&format!("{field}.channel"), self.channel.as_deref())?;
        if let Some(types) = &self.message_types {
            names(&format!("{field}.message_types"), types)?;
        }
        names(&format!("{field}.who"), &self.who)
    }

    fn fits(&self, channel: Option<&str>, message_type: &str) -> bool {
        self.channel.as_deref().is_none_or(|own| Some(own) == channel)
            && self.message_types.as_ref().is_none_or(|types| types.iter().any(|own| own == message_type))
    }
}

/// Whether a list of agent ids and `role:<role>` names this participant.
pub(crate) fn includes(names: &[String], who: &SessionParticipant) -> bool {
    names.iter().any(|name| match name.strip_prefix("role:") {
        Some(role) => who.role.as_deref() == Some(role),
        None => name == "*" || *name == who.agent_id,
    })
}

fn check_count(field: &str, what: &str, count: usize) -> Result<()> {
    if count > MOST {
        return Err(Error::field_limit(field, what, MOST as u64, count as u64));
    }
    Ok(())
}

/// Refuses a list that is too long or holds what is no name.
pub(crate) fn names(field: &str, names: &[String]) -> Result<()> {
    check_count(field, "names in a rule", names.len())?;
    id::check_names(field, names)
}

/// What one participant has posted within the span of the rate. Outside the fold.
pub(crate) struct Rate<'a> {
    session_id: &'a str,
    agent_id: &'a str,
    times: Vec<i64>,
}

impl<'a> Rate<'a> {
    /// Refuses one message more than the rule allows; `None` when there is no rule.
    pub fn check(cx: &Decide<'_>, session: &'a Session, agent_id: &'a str) -> Result<Option<Rate<'a>>> {
        let Some(rule) = &session.rules.rate else { return Ok(None) };
        let now = cx.now.millis();
        let begin = now - (rule.seconds * 1_000.0).ceil() as i64;
        let mut times = posted(cx.db, &session.session_id, agent_id)?;
        // A clock that was set back leaves times that are still to come: they count for nothing.
        times.retain(|at| (begin + 1..=now).contains(at));
        if times.len() as u64 >= rule.messages {
            let free_at = times.first().map_or(now, |at| at + (now - begin));
            let name = format!("messages of a participant in {} seconds", rule.seconds);
            return Err(Error::limit(&name, rule.messages, times.len() as u64 + 1)
                .with("rule", "rate")
                .with("session_id", session.session_id.as_str())
                .with("retry_after_seconds", (free_at - now) as f64 / 1_000.0)
                .hint("wait a little; the rules of the session say how often one may post"));
        }
        times.push(now);
        Ok(Some(Rate { session_id: &session.session_id, agent_id, times }))
    }

    /// Counts the message. Call it once nothing can be refused any more.
    pub fn count(self, db: &Connection) -> Result<()> {
        let times: Vec<u8> = self.times.iter().flat_map(|at| at.to_le_bytes()).collect();
        db.prepare_cached("INSERT OR REPLACE INTO session_rate VALUES (?1, ?2, ?3)")?.execute(params![
            self.session_id,
            self.agent_id,
            times
        ])?;
        Ok(())
    }
}

fn posted(db: &Connection, session_id: &str, agent_id: &str) -> Result<Vec<i64>> {
    let times: Option<Vec<u8>> = db
        .prepare_cached("SELECT times FROM session_rate WHERE session_id = ?1 AND agent_id = ?2")?
        .query_row([session_id, agent_id], |row| row.get(0))
        .optional()?;
    let times = times.unwrap_or_default();
    Ok(times.chunks_exact(8).filter_map(|bytes| bytes.try_into().ok().map(i64::from_le_bytes)).collect())
}
