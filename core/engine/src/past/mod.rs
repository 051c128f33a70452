//! Time travel: the whole hub as it was at a point of its log.
//!
//! The tables are the fold of the log, so the hub at `seq` n is the fold of the events up to n. It is folded into a file
//! of its own in the folder for temporary files, and opened as a hub that only reads: the same queries, the same answers.
//! What reads the log (events, older versions, the feed) reads the hub's own, up to the point.
//!
//! # Beyond retention
//!
//! Retention takes the front of the log. Before it takes events it has them folded into the *image*, a file beside the
//! hub's with the tables as of the last event that may be taken ([`image`]). A view starts from the image instead of from
//! nothing, and is as exact. The image's own point is the oldest that there is.
//!
//! # What a view says, and what not
//!
//! Presence moves by relaxed events, which are kept for minutes. Where some that may have moved an agent are gone, its
//! presence is the last that is known and says so by `uncertain_since`. What is outside the fold is not there: read marks
//! (so no inbox), consumers. The clock of a view stands at the time of its point. Access rules are those of now, whoever
//! travels.

pub(crate) mod fold;
mod hub;
pub(crate) mod image;
mod presence;
mod view;

use std::path::PathBuf;

use folkmoot_sys::sync::Mutex;
use rusqlite::Connection;
use serde_json::Value;

use crate::clock::Time;
use crate::error::{Code, Error, Result};
use crate::hub::Hub;
use crate::operations::Operation;
use crate::pipeline::command::Class;

/// A point of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// Just after this event; 0 is the empty hub.
    Seq(u64),
    /// After the last event that had happened by this time.
    Time(Time),
}

impl At {
    /// A point as programs name it: a `seq`, or a time as text.
    ///
    /// # Errors
    ///
    /// `invalid_input` for anything else.
    pub fn read(point: &Value) -> Result<At> {
        let time = || point.as_str().and_then(Time::parse).map(At::Time);
        point.as_u64().map(At::Seq).or_else(time).ok_or_else(|| {
            let must = "must be a seq (a whole number from 0) or a time such as 2026-01-14T14:50:30.123Z";
            Error::invalid("at", point.clone(), must)
        })
    }
}

/// Operations whose answer is not in the log.
const OUTSIDE: &[&str] = &["message.inbox", "consumer.read"];

/// What a hub is that stands in the past.
pub(crate) struct Past {
    pub seq: u64,
    pub time: Time,
    /// The hub's own file.
    pub path: PathBuf,
    /// The file with the tables of the point.
    pub tables: PathBuf,
    /// Whether the search indexes are there.
    pub indexed: Mutex<bool>,
}

impl Past {
    /// Refuses what the past cannot do.
    pub fn check(&self, operation: &Operation) -> Result<()> {
        if operation.class != Class::Read {
            return Err(self.refuse(&format!("{} changes the hub", operation.name)));
        }
        if OUTSIDE.contains(&operation.name) {
            return Err(self.refuse(&format!("what {} answers is not in the log", operation.name)));
        }
        Ok(())
    }

    /// The refusal of something that only the present can do.
    pub fn refuse(&self, why: &str) -> Error {
        let seq = self.seq;
        Error::new(Code::NotAllowed, format!("{why}, and this is the hub as it was at seq {seq}"))
            .with("reason", "past")
            .with("seq", seq)
            .hint("use the hub itself")
    }

    /// Builds the search indexes when they are first asked for.
    pub fn index(&self) -> Result<()> {
        let mut indexed = self.indexed.lock();
        if !*indexed {
            let mut db = Connection::open(&self.tables)?;
            let tx = db.transaction()?;
            crate::search::index_tables(&tx)?;
            tx.commit()?;
            *indexed = true;
        }
        Ok(())
    }
}

/// The view that was asked for last, kept for the next who asks.
#[derive(Default)]
pub(crate) struct LastView(Mutex<Option<Hub>>);

impl LastView {
    /// Lets go of it.
    pub fn close(&self) {
        let view = self.0.lock().take();
        if let Some(view) = view {
            view.close();
        }
    }
}
