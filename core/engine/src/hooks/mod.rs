//! Hooks and plug-ins: functions of the embedding program, registered by name, that the engine calls.
//!
//! A *before* hook is asked about an operation before it enters the queue: it may refuse it or change its input. An
//! *after* hook hears events, off the write path. A *summarizer* writes the summary of a thread, a *collector* gives
//! figures at an interval. All of them bind their own process only; rules that must bind everyone are declarative.
//!
//! # What a hook cannot do
//!
//! It cannot hold up the writer, another hook or the end of the hub. A hook runs on a thread of its own while its caller
//! waits, never inside a transaction; the wait ends with the hook's time-out. One that fails, panics or hangs is reported
//! (a line of the log, a `hook.failed` frame, a counter in `hub.stats`), and the call goes on as [`OnError`] says.
//!
//! # The seam for other languages
//!
//! [`Hub::hook`](crate::Hub::hook) takes a [`Hook`] and a [`Handler`]. The handler is given an [`Ask`] and must return at
//! once: it leaves the ask where the language finds it ([`Desk`] is such a place) and whoever has run the function calls
//! [`Ask::answer`]. An ask that is dropped counts as failed, one that was given up meanwhile is answered into the void. A
//! binding has three more duties: calls made inside a hook run within [`with_depth`] of the ask's
//! [`depth`](Ask::depth), so that a hook that calls itself ends; a hook that an event loop runs names the loop's thread in
//! [`Hook::home`], so that a blocking call from that very thread fails at once instead of waiting for itself; and a call
//! that would be hooked ([`Hub::hooked`](crate::Hub::hooked)) is not made while an interpreter's lock is held.

mod after;
mod ask;
mod before;
mod collect;
mod desk;
mod hub;
mod registry;
mod report;
mod summarize;

use std::sync::Arc;
use std::thread::ThreadId;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use ask::{Ask, Reply};
pub use before::{MOST_DEPTH, Request, Verdict, depth, with_depth};
pub use collect::{COLLECTED, Measure};
pub use desk::Desk;
pub use registry::HookStats;
pub use report::FAILED;

pub(crate) use before::{before, before_typed};
pub(crate) use registry::{Hooks, Registered};
pub(crate) use summarize::{Summary, summarize};

use crate::error::{Error, Result};

/// How long a hook may take when it does not say: 5 seconds.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// How long a summarizer may take when it does not say: 30 seconds.
pub const SUMMARY_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a hook is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// Before an operation: may refuse it or change its input.
    Before,
    /// After an event: observes it.
    After,
    /// Writes the summary of a thread or session.
    Summarizer,
    /// Gives figures at an interval.
    Collector,
}

impl Point {
    /// The point as a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Point::Before => "before",
            Point::After => "after",
            Point::Summarizer => "summarizer",
            Point::Collector => "collector",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Result<Point> {
        [Point::Before, Point::After, Point::Summarizer, Point::Collector]
            .into_iter()
            .find(|point| point.as_str() == word)
            .ok_or_else(|| {
                Error::invalid("point", word, "must be one of before, after, summarizer, collector")
            })
    }
}

/// What a `before` hook that fails or hangs does to the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The call goes on as if the hook had not been there. The default.
    #[default]
    Allow,
    /// The call is refused: for hooks that guard something.
    Refuse,
}

impl OnError {
    /// Reads the word.
    pub fn parse(word: &str) -> Result<OnError> {
        match word {
            "allow" => Ok(OnError::Allow),
            "refuse" => Ok(OnError::Refuse),
            _ => Err(Error::invalid("on_error", word, "must be allow or refuse")),
        }
    }
}

/// Takes what a hook is asked, and sees to it that it is answered. Must not wait.
pub type Handler = Arc<dyn Fn(Ask) + Send + Sync>;

/// A hook as it is registered.
#[derive(Debug, Clone)]
pub struct Hook {
    /// Its name, one of a kind in the process.
    pub name: String,
    /// Where it is called.
    pub point: Point,
    /// The operations (before) or the kinds of events (after), as a glob: `task.create`, `task.*`, `*`. Not looked at
    /// elsewhere.
    pub pattern: String,
    /// How long it may take; [`TIMEOUT`] by default.
    pub timeout: Duration,
    /// What a before hook that fails does to the call.
    pub on_error: OnError,
    /// How often a collector is called; 5 seconds by default.
    pub interval: Duration,
    /// The thread that runs it, when it is always the same one (an event loop): a call from there cannot wait for it.
    pub home: Option<ThreadId>,
}

impl Hook {
    /// A hook of this name, called before these operations.
    pub fn before(name: &str, operations: &str) -> Hook {
        Hook::new(name, Point::Before, operations)
    }

    /// A hook of this name, called after events of these kinds.
    pub fn after(name: &str, kinds: &str) -> Hook {
        Hook::new(name, Point::After, kinds)
    }

    /// A summarizer of this name; it may take [`SUMMARY_TIMEOUT`].
    pub fn summarizer(name: &str) -> Hook {
        Hook::new(name, Point::Summarizer, "").timeout(SUMMARY_TIMEOUT)
    }

    /// A collector of this name, called every 5 seconds.
    pub fn collector(name: &str) -> Hook {
        Hook::new(name, Point::Collector, "")
    }

    /// A hook for any point, with the defaults.
    pub fn new(name: &str, point: Point, pattern: &str) -> Hook {
        Hook {
            name: name.to_owned(),
            point,
            pattern: pattern.to_owned(),
            timeout: TIMEOUT,
            on_error: OnError::Allow,
            interval: Duration::from_secs(5),
            home: None,
        }
    }

    /// How long it may take.
    pub fn timeout(mut self, timeout: Duration) -> Hook {
        self.timeout = timeout;
        self
    }

    /// What happens to the call when the hook fails or hangs.
    pub fn on_error(mut self, on_error: OnError) -> Hook {
        self.on_error = on_error;
        self
    }

    /// How often a collector is called.
    pub fn every(mut self, interval: Duration) -> Hook {
        self.interval = interval;
        self
    }

    fn check(&self) -> Result<()> {
        const LEAST: Duration = Duration::from_millis(1);
        const MOST: Duration = Duration::from_secs(3_600);
        crate::id::check_name("name", &self.name)?;
        for (field, value) in [("timeout", self.timeout), ("interval", self.interval)] {
            if !(LEAST..=MOST).contains(&value) {
                let must = "must be from 0.001 to 3600 seconds";
                return Err(Error::invalid(field, value.as_secs_f64(), must));
            }
        }
        Ok(())
    }
}
