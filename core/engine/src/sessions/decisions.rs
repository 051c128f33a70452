//! Decision points: what was decided, by whom, why, and from what it came.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::channels::{self, DECISIONS};
use super::events::DECISION_RECORDED;
use super::rules::{includes, names};
use super::{Session, SessionError, access, tables};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::json::Json;
use crate::messages::Message;
use crate::pipeline::command::Change;
use crate::pipeline::decide::Decide;

/// A decision that was taken in a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// Its id.
    pub decision_id: String,
    /// The session.
    pub session_id: String,
    /// What was decided.
    pub decision: String,
    /// Why.
    pub rationale: Option<String>,
    /// What else was thought of: texts, or JSON values of the user's own.
    pub alternatives: Vec<Json>,
    /// Who recorded it; null for the process or an operator.
    pub agent_id: Option<String>,
    /// The proposal it comes from, a message of the session.
    pub proposal_id: Option<String>,
    /// Ids of activities, votes or messages that led there.
    pub links: Vec<String>,
    /// When it was recorded.
    pub recorded_at: Time,
}

/// Input of `session.record_decision`.
///
/// Where the session's rules say who may post a `decision` to the channel `decisions`, the same may record one; where
/// they name required reviewers, `proposal_id` must name a proposal on which each of them has voted.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordDecision {
    /// The session.
    pub session_id: String,
    /// Who decided: a participant.
    pub agent_id: String,
    /// What was decided: any text that is not empty, at most 64 KiB.
    pub decision: String,
    /// Why.
    #[serde(default)]
    pub rationale: Option<String>,
    /// What else was thought of: texts, or JSON values of your own; at most 100.
    #[serde(default)]
    pub alternatives: Option<Vec<Json>>,
    /// The proposal it comes from: a message of type `proposal` in this session.
    #[serde(default)]
    pub proposal_id: Option<String>,
    /// Ids of activities, votes or messages that led there; at most 100.
    #[serde(default)]
    pub links: Option<Vec<String>>,
    /// Its id, if the caller wants to choose it; a new UUIDv7 when left out.
    #[serde(default)]
    pub decision_id: Option<String>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl RecordDecision {
    fn check(&self, cx: &Decide<'_>) -> Result<()> {
        if self.decision.trim().is_empty() {
            return Err(Error::invalid("decision", self.decision.as_str(), "must not be empty"));
        }
        cx.check_text("decision", &self.decision)?;
        if let Some(rationale) = &self.rationale {
            cx.check_text("rationale", rationale)?;
        }
        crate::id::check_optional("proposal_id", self.proposal_id.as_deref())?;
        names("links", self.links.as_deref().unwrap_or_default())?;
        let alternatives = self.alternatives.as_deref().unwrap_or_default();
        if alternatives.len() > 100 {
            let got = alternatives.len() as u64;
            return Err(Error::field_limit("alternatives", "alternatives of a decision", 100, got));
        }
        let (bytes, depth) = (cx.config.max_text_bytes, cx.config.max_json_depth);
        alternatives.iter().enumerate().try_for_each(|(i, alternative)| {
            alternative.check(&format!("alternatives[{i}]"), "bytes of an alternative", bytes, depth)
        })
    }
}

impl Change for RecordDecision {
    type Output = Decision;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Decision> {
        self.check(cx)?;
        let (session, by) = access::within(
            cx,
            &self.session_id,
            Some(&self.agent_id),
            "no decision can be recorded in it any more",
        )?;
        if by.agent_id().is_some() {
            let who = access::participant(&session, "agent_id", &self.agent_id)?;
            session.rules.admit(&session, who, Some(DECISIONS), "decision")?;
        }
        reviewed(cx, &session, "proposal_id", self.proposal_id.as_deref())?;
        if let Some(id) = &self.decision_id
            && tables::decision_exists(cx.db, &self.session_id, id)?
        {
            return Err(Error::already_exists("decision", id).with("field", "decision_id"));
        }
        let decision = Decision {
            decision_id: cx.id_or_new("decision_id", self.decision_id.as_deref())?,
            session_id: self.session_id.clone(),
            decision: self.decision.clone(),
            rationale: self.rationale.clone(),
            alternatives: self.alternatives.clone().unwrap_or_default(),
            agent_id: Some(self.agent_id.clone()),
            proposal_id: self.proposal_id.clone(),
            links: self.links.clone().unwrap_or_default(),
            recorded_at: cx.now,
        };
        cx.emit(DECISION_RECORDED, session.place(Some(&self.agent_id), &[]), decision.clone());
        Ok(decision)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Refuses a decision whose proposal is not there, or that required reviewers have not voted on.
///
/// A vote is a message of type `vote` that answers the proposal; what it says is not judged. Who changes their mind votes
/// again.
pub(crate) fn reviewed(
    cx: &Decide<'_>,
    session: &Session,
    field: &str,
    proposal_id: Option<&str>,
) -> Result<()> {
    let required = &session.rules.required_reviewers;
    let refused = |why: String| {
        Error::from(SessionError::Rule {
            rule: "required_reviewers".to_owned(),
            session_id: session.session_id.clone(),
            why,
        })
        .with("field", field)
    };
    let Some(proposal_id) = proposal_id else {
        if required.is_empty() {
            return Ok(());
        }
        return Err(refused(format!(
            "a decision must come from a proposal that {} voted on",
            required.join(", ")
        )));
    };
    let proposal = crate::messages::tables::visible(cx.db, None, proposal_id)?.filter(|message| {
        message.session_id.as_deref() == Some(&session.session_id) && message.message_type == "proposal"
    });
    let Some(proposal) = proposal else {
        return Err(Error::not_found("proposal", proposal_id).with("field", field));
    };
    if required.is_empty() {
        return Ok(());
    }
    let voters = channels::posting::voters(cx.db, &proposal)?;
    let missing: Vec<String> = required
        .iter()
        .filter(|name| {
            let one = std::slice::from_ref(*name);
            !session.joined().any(|who| includes(one, who) && voters.contains(&who.agent_id))
        })
        .cloned()
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(refused(format!("{} must vote on proposal {proposal_id:?} first", missing.join(", ")))
        .with("missing", missing)
        .hint("a vote is a message of type vote whose reply_to is the proposal"))
}

/// Records what a `decision` on a channel of consensus says. Rationale, alternatives and links come from its metadata.
pub(crate) fn record_message(
    cx: &mut Decide<'_>,
    session: &Session,
    message: &Message,
    proposal_id: Option<String>,
) {
    let metadata = message.metadata.to_value();
    let list = |name: &str| metadata.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut links = vec![message.message_id.clone()];
    links.extend(list("links").iter().filter_map(Value::as_str).map(str::to_owned));
    let decision = Decision {
        decision_id: message.message_id.clone(),
        session_id: session.session_id.clone(),
        decision: message.content.clone(),
        rationale: metadata.get("rationale").and_then(Value::as_str).map(str::to_owned),
        alternatives: list("alternatives").into_iter().map(Json::from).collect(),
        agent_id: Some(message.sender_id.clone()),
        proposal_id,
        links,
        recorded_at: cx.now,
    };
    cx.emit(DECISION_RECORDED, session.place(Some(&message.sender_id), &[]), decision);
}
