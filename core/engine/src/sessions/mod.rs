//! Sessions: a piece of work that agents do together, with participants, channels, decisions and a shared state.
//!
//! A session is active until it is ended, with an outcome. Its participants are written down in it: only they read, hear
//! and post what is in it ([`access`]). What is said goes through its channels and is a message like any other
//! ([`channels`]). It keeps one shared document, changed by patches with an expected version ([`state`]), and the
//! decisions that were taken ([`decisions`]). What its rules do not allow is refused by the rule's name ([`rules`]).
//!
//! A `session_id` that no session of the hub has stays an open reference, as everywhere: to a session outside the hub.
//!
//! ```
//! use folkmoot_engine::{Hub, HubConfig, agents, sessions};
//!
//! let hub = Hub::open(":memory:", HubConfig::default())?;
//! for name in ["ana", "bob"] {
//!     hub.run(agents::Register::new(name))?;
//! }
//! let session = hub.run(sessions::Start::new(["ana", "bob"]))?;
//! hub.run(sessions::channels::Post::new(&session.session_id, "general", "ana", "text", "Shall we begin?"))?;
//! let history = hub.run(sessions::channels::History::new(&session.session_id, "general"))?;
//! assert_eq!(history.messages[0].content, "Shall we begin?");
//! hub.close();
//! # Ok::<(), folkmoot_engine::Error>(())
//! ```

pub(crate) mod access;
pub mod channels;
pub mod clients;
pub mod commands;
pub mod decisions;
pub mod events;
pub(crate) mod fields;
pub mod members;
pub mod queries;
pub mod rules;
pub mod state;
pub(crate) mod tables;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use clients::{Connect, Connected, Disconnect, Disconnected};
pub use commands::{End, ParticipantInput, SetRules, Start};
pub use decisions::{Decision, RecordDecision};
pub use members::{Invite, Join, Joined, Leave};
pub use queries::{Get, List, SessionCounts, SessionPage, SessionView};
pub use rules::{JoinRule, PostRule, RateRule, SessionRules};
pub use state::{GetState, PatchState, SharedState};

use crate::clock::Time;
use crate::error::Error;
use crate::events::event::Place;
use crate::json::Json;

/// The role of those who look after a session.
pub const OWNER: &str = "owner";

/// Whether a session goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SessionState {
    /// It goes on.
    Active,
    /// It is over: what is in it can be read, and no more comes into it.
    Ended,
}

impl SessionState {
    /// The state as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            SessionState::Active => "active",
            SessionState::Ended => "ended",
        }
    }
}

/// Whether someone is in a session, or was asked to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ParticipantState {
    /// Takes part. An agent that goes offline still does.
    Joined,
    /// Was invited and has not joined yet: neither reads nor posts.
    Invited,
}

/// Someone in a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionParticipant {
    /// The agent.
    pub agent_id: String,
    /// Its role in this session, which rules may speak of.
    pub role: Option<String>,
    /// `joined` or `invited`.
    pub state: ParticipantState,
    /// Who invited it; null when nobody did.
    pub invited_by: Option<String>,
    /// When it joined; null while it has not.
    pub joined_at: Option<Time>,
    /// In `session.get`: what its presence says. Left out elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<crate::agents::Status>,
}

/// What last changed a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionChange {
    /// `started`, `joined`, `role_changed`, `left`, `invited`, `rules_changed` or `ended`.
    pub what: String,
    /// On whose behalf; null for the process or an operator.
    pub by: Option<String>,
    /// The agents it is about: who joined, left or was invited.
    pub agents: Vec<String>,
    /// When.
    pub at: Time,
}

/// A session: who takes part in it, by which rules, and how it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// Its id.
    pub session_id: String,
    /// `collaboration`, `review`, `execution`, or another word.
    pub kind: String,
    /// What it is called.
    pub name: Option<String>,
    /// The team it is of, outside the hub.
    pub team_id: Option<String>,
    /// The project it is of, outside the hub.
    pub project_id: Option<String>,
    /// `active` or `ended`.
    pub state: SessionState,
    /// How it ended: any JSON value; null while it goes on.
    pub outcome: Json,
    /// Who takes part or was invited, in the order in which they came.
    pub participants: Vec<SessionParticipant>,
    /// Who may do what in it.
    pub rules: SessionRules,
    /// The most clients that may be connected to it at once.
    pub max_clients: u64,
    /// A JSON object of the user's own.
    pub metadata: Json,
    /// The agent that started it; null for the process or an operator.
    pub started_by: Option<String>,
    /// When it was started.
    pub started_at: Time,
    /// When it was ended; null while it goes on.
    pub ended_at: Option<Time>,
    /// The `seq` of the event that started it.
    pub seq: u64,
    /// What last changed it.
    pub last_change: SessionChange,
}

impl Session {
    /// The one who takes part or was invited under this id.
    pub fn participant(&self, agent_id: &str) -> Option<&SessionParticipant> {
        self.participants.iter().find(|participant| participant.agent_id == agent_id)
    }

    /// Those who take part.
    pub fn joined(&self) -> impl Iterator<Item = &SessionParticipant> {
        self.participants.iter().filter(|participant| participant.state == ParticipantState::Joined)
    }

    /// Where events of a change by `by` about these agents belong.
    pub(crate) fn place(&self, by: Option<&str>, about: &[String]) -> Place {
        Place {
            agent_id: by.map(str::to_owned),
            session_id: Some(self.session_id.clone()),
            target_agents: about.to_vec(),
            ..Place::default()
        }
    }
}

/// Why an operation on a session was refused.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// No such session.
    #[error("no session {0:?} here")]
    Unknown(String),
    /// It is over.
    #[error("session {id:?} has ended: {1}", id = .0.session_id)]
    Ended(Box<Session>, &'static str),
    /// Only participants may do that.
    #[error("agent {agent_id:?} is no participant of session {session_id:?}")]
    NotParticipant {
        /// The field that names the agent.
        field: String,
        /// The agent.
        agent_id: String,
        /// The session.
        session_id: String,
    },
    /// Only those who look after it may do that.
    #[error("agent {agent_id:?} may not {verb} session {session_id:?}: only its owners, {owners}")]
    NotOwner {
        /// The agent.
        agent_id: String,
        /// What was asked.
        verb: &'static str,
        /// The session.
        session_id: String,
        /// Who may.
        owners: String,
    },
    /// A rule does not allow it.
    #[error("rule {rule} of session {session_id:?}: {why}")]
    Rule {
        /// The rule, by its path.
        rule: String,
        /// The session.
        session_id: String,
        /// What it says, and what was asked.
        why: String,
    },
}

impl From<SessionError> for Error {
    fn from(error: SessionError) -> Error {
        let message = error.to_string();
        match error {
            SessionError::Unknown(id) => Error::not_found("session", &id)
                .with("field", "session_id")
                .hint("session.list shows which there are"),
            SessionError::Ended(session, _) => Error::conflict(message, &session)
                .with("field", "session_id")
                .hint("what is in it can still be read; start a new session to go on"),
            SessionError::NotParticipant { field, session_id, .. } => Error::not_allowed(message)
                .with("field", field)
                .with("rule", "participants")
                .with("session_id", session_id)
                .hint("join it first (session.join)"),
            SessionError::NotOwner { session_id, .. } => Error::not_allowed(message)
                .with("field", "agent_id")
                .with("rule", OWNER)
                .with("session_id", session_id),
            SessionError::Rule { rule, session_id, .. } => {
                Error::not_allowed(message).with("rule", rule).with("session_id", session_id)
            }
        }
    }
}
