//! Following the feed live, from any point: a subscription whose events become activities.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::filter::{ActivityFilter, Judge};
use super::{Activity, tables, view};
use crate::core::Core;
use crate::error::Result;
use crate::events::event::Event;
use crate::events::subscription::{Item, Subscription};
use crate::principal::Principal;

/// What a follower of the feed gets.
#[derive(Debug, Clone)]
pub enum FollowItem {
    /// An activity that began, was completed, or that the engine did. One that was recorded comes twice under the same
    /// `activity_id`: open, and later completed.
    Activity(Box<Activity>),
    /// Events that retention took before they were read, both ends included.
    Gap {
        /// The first `seq` that is missing.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// Nothing for this follower up to here: resume after this `seq`.
    Position {
        /// The last `seq` that was looked at.
        seq: u64,
    },
}

/// A cursor on the feed, with a filter.
pub struct Follow {
    core: Arc<Core>,
    events: Subscription,
    judge: Judge,
}

impl Follow {
    pub(crate) fn open(
        core: &Arc<Core>,
        filter: ActivityFilter,
        by: &Principal,
        after: Option<u64>,
    ) -> Result<Follow> {
        let of_events = filter.of_events();
        let judge = Judge::new(filter)?;
        Ok(Follow { core: core.clone(), events: Subscription::open(core, of_events, by, after)?, judge })
    }

    /// Calls `notify` whenever something may have come; for event loops.
    pub fn on_ready(&self, notify: impl Fn() + Send + Sync + 'static) {
        self.events.on_ready(notify);
    }

    /// The last `seq` that was given or passed over: follow again with `after` this.
    pub fn position(&self) -> u64 {
        self.events.position()
    }

    /// Waits for the next item; `None` when the time is up.
    ///
    /// # Errors
    ///
    /// `unavailable` once the hub or the follower is closed; `storage` when the log cannot be read.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<FollowItem>> {
        self.next_until(timeout, &mut || Ok(()))
    }

    /// Like [`Follow::next`]; asks `check` several times a second whether to go on.
    pub fn next_until(
        &mut self,
        timeout: Duration,
        check: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Option<FollowItem>> {
        let start = Instant::now();
        loop {
            let left = timeout.saturating_sub(start.elapsed());
            let Some(item) = self.events.next_until(left, check)? else { return Ok(None) };
            if let Some(wanted) = self.wanted(item)? {
                return Ok(Some(wanted));
            }
            check()?;
        }
    }

    /// The next item if there is one now.
    pub fn try_next(&mut self) -> Result<Option<FollowItem>> {
        while let Some(item) = self.events.try_next()? {
            if let Some(wanted) = self.wanted(item)? {
                return Ok(Some(wanted));
            }
        }
        Ok(None)
    }

    /// Ends it; a waiting `next` returns at once.
    pub fn close(&mut self) {
        self.events.close();
    }

    fn wanted(&self, item: Item) -> Result<Option<FollowItem>> {
        Ok(match item {
            Item::Event(event) => self.entry(&event)?.map(|entry| FollowItem::Activity(Box::new(entry))),
            Item::Gap { from, to } => Some(FollowItem::Gap { from, to }),
            Item::Position { seq } => Some(FollowItem::Position { seq }),
        })
    }

    fn entry(&self, event: &Event) -> Result<Option<Activity>> {
        let department = |id: &str| self.core.storage.read_one(|reader| tables::department(reader.db, id));
        let Some(activity) = view::of_event(event, department)? else { return Ok(None) };
        Ok(self.judge.wants(&activity)?.then_some(activity))
    }
}
