//! The team's session: who takes part, and the one thing that it decides together.
//!
//! The planner starts it and everyone joins. Once all is known the editor asks which module deserves a closer look; each
//! votes by what its own work has shown, and says why. The editor counts the votes and records the decision. Who was
//! killed does not vote, and nobody waits for them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use folkmoot::agents::Status;
use folkmoot::messages::Message;
use folkmoot::sessions::channels::{History, Post};
use folkmoot::sessions::{Decision, End, Get, Join, OWNER, RecordDecision, Start};
use folkmoot::{Error, Filter, Item};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::findings::Findings;
use super::member::Member;
use super::team::{EDIT, PLAN, Role};
use super::votes;

/// The session of the survey.
pub const SESSION: &str = "survey";
/// Where proposals are made and voted on.
const DECISIONS: &str = "decisions";
/// How long the editor waits for the votes of those who are there.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long one look lasts.
const WAIT: Duration = Duration::from_millis(200);

/// For which module someone votes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vote {
    /// The module's number.
    pub number: String,
    /// The module's name.
    pub module: String,
    /// Why this one.
    pub because: String,
}

/// Starts the session and says what lies ahead.
pub fn open(member: &Member, words: &str) -> Result<(), Error> {
    member.hub.run(Start {
        session_id: Some(SESSION.to_owned()),
        name: Some("The survey".to_owned()),
        agent_id: Some(member.id.to_owned()),
        ..Start::new([member.id])
    })?;
    member.hub.run(Post::new(SESSION, "general", member.id, "text", words)).map(drop)
}

/// Joins, as soon as there is something to join.
pub fn join(member: &Member, role: &Role) -> Result<(), Error> {
    if role.can.contains(&PLAN) {
        return Ok(());
    }
    let filter = Filter { session_id: Some(SESSION.to_owned()), ..Filter::kinds(["session.started"]) };
    let mut started = member.hub.subscribe(filter, Some(0))?;
    while !matches!(started.next(WAIT)?, Some(Item::Event(_))) {
        member.check()?;
    }
    let role = role.can.contains(&EDIT).then(|| OWNER.to_owned());
    let join =
        Join { session_id: SESSION.to_owned(), agent_id: member.id.to_owned(), role, idempotency_key: None };
    member.keep_trying(|| member.hub.run(join.clone()).map(drop))
}

/// Listens to the session and votes on what is proposed, until the demo is over.
pub fn attend(member: &Member, role: &Role) -> Result<(), Error> {
    let filter = Filter { session_id: Some(SESSION.to_owned()), ..Filter::kinds(["message.sent"]) };
    let mut messages = member.hub.subscribe(filter, None)?;
    while !member.is_over() {
        let Some(Item::Event(event)) = messages.next(WAIT)? else { continue };
        let message: Message = serde_json::from_str(event.data.text())
            .map_err(|error| Error::internal(format!("a message cannot be read: {error}")))?;
        if message.message_type == "proposal" {
            let findings = Findings::new(&member.hub, member.id);
            let vote = votes::choose(&findings, role)?;
            member.uses("vote", None)?;
            member.keep_trying(|| cast(member, &message, vote.as_ref()))?;
        }
    }
    Ok(())
}

/// Asks the team which module deserves a closer look; records what it decides. Nothing when nobody has a vote.
pub fn decide(member: &Member) -> Result<Option<Decision>, Error> {
    let question = "Which module deserves a closer look?";
    let proposal = member.hub.run(Post::new(SESSION, DECISIONS, member.id, "proposal", question))?;
    let votes = gather(member, &proposal)?;
    let cast = || votes.iter().filter_map(|(who, vote)| Some((who, vote.as_ref()?)));
    let Some((chosen, tally)) = votes::count(cast().map(|(_, vote)| vote)) else { return Ok(None) };
    let reasons: Vec<String> = cast()
        .filter(|(_, vote)| vote.number == chosen.number)
        .map(|(who, vote)| format!("{who}: {}", vote.because))
        .collect();
    let others = tally.iter().filter(|(module, _)| **module != chosen.module);
    let recorded = member.hub.run(RecordDecision {
        session_id: SESSION.to_owned(),
        agent_id: member.id.to_owned(),
        decision: format!("{} deserves a closer look", chosen.module),
        rationale: Some(reasons.join("; ")),
        alternatives: Some(
            others.map(|(module, votes)| json!({"module": module, "votes": votes}).into()).collect(),
        ),
        proposal_id: Some(proposal.message_id),
        ..RecordDecision::default()
    })?;
    Ok(Some(recorded))
}

/// Waits until everyone who is there has voted, or too long.
fn gather(member: &Member, proposal: &Message) -> Result<BTreeMap<String, Option<Vote>>, Error> {
    let start = Instant::now();
    let filter = Filter { session_id: Some(SESSION.to_owned()), ..Filter::kinds(["message.sent"]) };
    let mut heard = member.hub.subscribe(filter, Some(proposal.seq))?;
    loop {
        let votes = votes_on(member, proposal)?;
        let view = member.hub.run(Get { session_id: SESSION.to_owned(), ..Get::default() })?;
        let waiting = view.session.joined().any(|one| {
            let there = one.status.is_some_and(|status| status != Status::Offline);
            there && one.agent_id != member.id && !votes.contains_key(&one.agent_id)
        });
        if !waiting || start.elapsed() > PATIENCE {
            return Ok(votes);
        }
        member.check()?;
        heard.next(WAIT)?;
    }
}

/// Who has voted, and for what; nothing for those without a preference.
fn votes_on(member: &Member, proposal: &Message) -> Result<BTreeMap<String, Option<Vote>>, Error> {
    let history = History { after: Some(proposal.seq), ..History::new(SESSION, DECISIONS) };
    let messages = member.hub.run(history)?.messages;
    let on_it = messages.into_iter().filter(|message| {
        message.message_type == "vote" && message.reply_to.as_ref() == Some(&proposal.message_id)
    });
    let read = |message: Message| (message.sender_id, serde_json::from_str(message.metadata.text()).ok());
    Ok(on_it.map(read).collect())
}

/// Ends the session: what it was about is done.
pub fn close(member: &Member, decision: Option<&Decision>) -> Result<(), Error> {
    let decided = decision.map(|decision| decision.decision.as_str());
    member.hub.run(End {
        session_id: SESSION.to_owned(),
        outcome: Some(json!({ "decided": decided }).into()),
        agent_id: Some(member.id.to_owned()),
        idempotency_key: None,
    })?;
    Ok(())
}

/// Votes on a proposal, or says that there is no preference.
fn cast(member: &Member, proposal: &Message, vote: Option<&Vote>) -> Result<(), Error> {
    let words = match vote {
        Some(vote) => format!("{}: {}", vote.module, vote.because),
        None => "no preference".to_owned(),
    };
    member.hub.run(Post {
        metadata: vote.map(|vote| json!(vote).into()),
        reply_to: Some(proposal.message_id.clone()),
        ..Post::new(SESSION, DECISIONS, member.id, "vote", &words)
    })?;
    Ok(())
}
