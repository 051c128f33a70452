//! The activity feed: what agents do, on one page.
//!
//! An activity is *recorded* by whoever does something worth knowing, and is open until it is completed with a result, an
//! outcome and so a duration. What the engine itself does (a task assigned, a memory written, a message sent) shows in
//! the same feed without anyone recording it: it is a view over the log ([`kinds`]), never a second event. The feed is
//! found through indexes that follow behind the log ([`index`]), so that no write pays for it.
//!
//! ```
//! use folkmoot_engine::{Hub, HubConfig, activity, agents};
//!
//! let hub = Hub::open(":memory:", HubConfig::default())?;
//! hub.run(agents::Register::new("ana"))?;
//! let begun = hub.run(activity::Record::new("ana", "council_debate"))?;
//! let ended = hub.run(activity::Complete::new(&begun.activity_id))?;
//! assert!(ended.duration_seconds.is_some());
//! let feed = hub.run(activity::Feed::default())?;
//! let types: Vec<_> = feed.activities.iter().map(|entry| entry.activity_type.as_str()).collect();
//! assert_eq!(types, ["council_debate", "agent_started"]);
//! hub.close();
//! # Ok::<(), folkmoot_engine::Error>(())
//! ```

pub mod commands;
pub mod events;
pub mod export;
pub mod filter;
pub mod follow;
pub(crate) mod forget;
pub(crate) mod index;
pub mod kinds;
pub mod queries;
pub mod replay;
pub(crate) mod rows;
pub(crate) mod selection;
pub mod stats;
pub(crate) mod tables;
pub(crate) mod view;
pub(crate) mod words;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use commands::{Complete, Record};
pub use export::{Export, Exported, Format};
pub use filter::ActivityFilter;
pub use follow::{Follow, FollowItem};
pub use queries::{ActivityPage, Feed, Status};
pub use replay::{Playback, Replay, ReplayPage};
pub use stats::{ActivityStats, Stats};

use crate::clock::Time;
use crate::error::Error;
use crate::events::event::Place;
use crate::json::Json;

/// An agent began its work.
pub const AGENT_STARTED: &str = "agent_started";
/// An agent ended its work.
pub const AGENT_COMPLETED: &str = "agent_completed";
/// Something was written to shared memory.
pub const MEMORY_WRITE: &str = "memory_write";
/// Something was read from shared memory.
pub const MEMORY_READ: &str = "memory_read";
/// Agents debate.
pub const COUNCIL_DEBATE: &str = "council_debate";
/// What was debated is brought together.
pub const COUNCIL_SYNTHESIS: &str = "council_synthesis";
/// Something was decided.
pub const COUNCIL_DECISION: &str = "council_decision";
/// A task was given to an agent.
pub const TASK_ASSIGNED: &str = "task_assigned";
/// A task is done.
pub const TASK_COMPLETED: &str = "task_completed";
/// A message was sent.
pub const MESSAGE_SENT: &str = "message_sent";
/// A collaboration began.
pub const COLLABORATION_STARTED: &str = "collaboration_started";
/// A collaboration ended.
pub const COLLABORATION_ENDED: &str = "collaboration_ended";

/// The standard types of activities. Any other word is a type of the user's own.
pub const STANDARD_TYPES: [&str; 12] = [
    AGENT_STARTED,
    AGENT_COMPLETED,
    MEMORY_WRITE,
    MEMORY_READ,
    COUNCIL_DEBATE,
    COUNCIL_SYNTHESIS,
    COUNCIL_DECISION,
    TASK_ASSIGNED,
    TASK_COMPLETED,
    MESSAGE_SENT,
    COLLABORATION_STARTED,
    COLLABORATION_ENDED,
];

/// How an activity ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should. The default.
    #[default]
    Ok,
    /// With an error.
    Failed,
    /// It was called off.
    Cancelled,
}

impl Outcome {
    /// The outcome as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::Failed => "failed",
            Outcome::Cancelled => "cancelled",
        }
    }
}

/// One entry of the feed: recorded by someone, or shown for an event of the engine's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Activity {
    /// Its id; that of the event for what the engine did.
    pub activity_id: String,
    /// The `seq` of the event that began it: its place in the order of the hub.
    pub seq: u64,
    /// Who did it; null when the process itself did.
    pub agent_id: Option<String>,
    /// The department it was done for: as recorded, else the agent's own.
    pub department: Option<String>,
    /// One of [`STANDARD_TYPES`], or another word.
    pub activity_type: String,
    /// A JSON object: the user's own, or what the event was about.
    pub metadata: Json,
    /// Other agents that it concerns.
    pub related_agents: Vec<String>,
    /// The session it was done in, here or outside the hub.
    pub session_id: Option<String>,
    /// The task it is about, here or outside the hub.
    pub task_id: Option<String>,
    /// When it began.
    pub timestamp: Time,
    /// Whether it goes on. What the engine did never does.
    pub open: bool,
    /// When it was completed.
    pub completed_at: Option<Time>,
    /// `ok`, `failed` or `cancelled`; null while it is open, and where nothing is known.
    pub outcome: Option<Outcome>,
    /// What came out; any JSON.
    pub result: Json,
    /// Seconds that it took; null while it is open, and for what has no duration.
    pub duration_seconds: Option<f64>,
    /// The kind of the event that it shows; null for what was recorded.
    pub event_kind: Option<String>,
}

impl Activity {
    /// Where its events belong.
    pub(crate) fn place(&self) -> Place {
        Place {
            agent_id: self.agent_id.clone(),
            session_id: self.session_id.clone(),
            task_id: self.task_id.clone(),
            target_agents: self.related_agents.clone(),
            ..Place::default()
        }
    }

    /// Milliseconds that it took.
    pub(crate) fn took_ms(&self) -> Option<i64> {
        self.duration_seconds.map(|seconds| (seconds * 1_000.0).round() as i64)
    }
}

/// Why an activity operation was refused.
#[derive(Debug, thiserror::Error)]
pub enum ActivityError {
    /// No such recorded activity.
    #[error("no activity {0:?} here")]
    Unknown(String),
    /// Only its agent, an operator or the process may complete it.
    #[error("{who} may not complete activity {activity_id:?}: only its agent, {agent_id:?}, or an operator")]
    NotYours {
        /// On whose behalf.
        who: String,
        /// The activity.
        activity_id: String,
        /// Whose it is.
        agent_id: String,
    },
    /// It is completed already.
    #[error("activity {:?} is completed already", current.activity_id)]
    Completed {
        /// The activity as it stands.
        current: Box<Activity>,
    },
}

impl From<ActivityError> for Error {
    fn from(error: ActivityError) -> Error {
        let message = error.to_string();
        match error {
            ActivityError::Unknown(id) => Error::not_found("activity", &id)
                .with("field", "activity_id")
                .hint("give the activity_id that activity.record answered; retention may have taken it"),
            ActivityError::NotYours { activity_id, .. } => {
                Error::not_allowed(message).with("activity_id", activity_id)
            }
            ActivityError::Completed { current } => Error::conflict(message, current)
                .with("field", "activity_id")
                .hint("record a new activity for what was done since"),
        }
    }
}
