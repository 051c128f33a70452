//! A subscription: a cursor on the log that is also told of what is new.
//!
//! It has two ways to read. *Behind*, it reads the log page by page. *Live*, events are pushed into its bounded queue. It
//! starts behind when it wants the past, goes live when it has caught up, and falls behind again when its queue
//! overflows; so a slow subscriber costs a writer nothing and misses nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use folkmoot_sys::sync::{Condvar, Mutex};

use super::event::Event;
use super::filter::Filter;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::log;
use crate::memory::access::Viewer;
use crate::pipeline::publish::PAGE;
use crate::principal::Principal;

/// After how much silence, and after how many events for others, a subscription says how far it has come.
const POSITION_AFTER: Duration = Duration::from_secs(5);
const POSITION_EVERY: u64 = 1_000;

/// What a subscription gives.
#[derive(Debug, Clone)]
pub enum Item {
    /// An event that the filter wants and the subscriber may see.
    Event(Arc<Event>),
    /// Events that retention took before they were read, both ends included.
    Gap {
        /// The first `seq` that is missing.
        from: u64,
        /// The last one.
        to: u64,
    },
    /// Nothing for this subscriber up to here: resume after this `seq`.
    Position {
        /// The last `seq` that was looked at.
        seq: u64,
    },
}

/// The part that the publisher pushes into.
pub(crate) struct Shared {
    pub filter: Filter,
    state: Mutex<State>,
    more: Condvar,
    notify: Mutex<Option<Box<dyn Fn() + Send + Sync>>>,
    capacity: usize,
}

struct State {
    queue: VecDeque<Arc<Event>>,
    /// While behind: the last `seq` that was read from the log.
    behind: Option<u64>,
    /// Events up to here were looked at and need not be pushed.
    skip: u64,
    closed: bool,
}

impl Shared {
    /// Takes an event if it is wanted and there is room. Called under the publisher's lock, so in order.
    pub fn offer(&self, event: &Arc<Event>) {
        let frame = event.seq == 0;
        let mut state = self.state.lock();
        if state.closed
            || (!frame && (state.behind.is_some() || event.seq <= state.skip))
            || !self.filter.matches(event)
        {
            return;
        }
        if frame {
            // A frame is worth only its newest.
            let older = |queued: &Event| {
                queued.seq == 0 && queued.kind == event.kind && queued.place.subject == event.place.subject
            };
            state.queue.retain(|queued| !older(queued));
        } else if state.queue.len() >= self.capacity {
            state.behind = Some(state.skip_before_queue());
            state.queue.clear();
        } else {
            state.skip = event.seq;
        }
        if frame || state.behind.is_none() {
            state.queue.push_back(event.clone());
        }
        drop(state);
        self.wake();
    }

    /// Begins to hear live, after this `seq`, unless it wants the past.
    pub fn begin(&self, from: u64) {
        self.state.lock().skip = from;
    }

    pub fn close(&self) {
        self.state.lock().closed = true;
        self.wake();
    }

    fn wake(&self) {
        self.more.notify_one();
        if let Some(notify) = self.notify.lock().as_ref() {
            notify();
        }
    }
}

impl State {
    /// The `seq` just before the oldest event in the queue: where to read on once the queue is dropped.
    fn skip_before_queue(&self) -> u64 {
        self.queue.iter().find(|event| event.seq != 0).map_or(self.skip, |event| event.seq - 1)
    }
}

/// A cursor on the log, with a filter.
pub struct Subscription {
    core: Arc<Core>,
    shared: Arc<Shared>,
    id: u64,
    viewer: Viewer,
    /// What was read from the log and not yet given.
    page: VecDeque<Item>,
    position: u64,
    told: u64,
    told_at: Instant,
}

impl Subscription {
    pub(crate) fn open(
        core: &Arc<Core>,
        filter: Filter,
        by: &Principal,
        after: Option<u64>,
    ) -> Result<Subscription> {
        filter.check()?;
        if let Some(past) = &core.past {
            return Err(past.refuse("nothing new is to be heard"));
        }
        let shared = Arc::new(Shared {
            filter,
            state: Mutex::new(State { queue: VecDeque::new(), behind: after, skip: 0, closed: false }),
            more: Condvar::new(),
            notify: Mutex::new(None),
            capacity: core.config.subscription_queue as usize,
        });
        let (id, from) = core.publisher.add(core, &shared)?;
        let mut subscription = Subscription {
            core: core.clone(),
            shared,
            id,
            viewer: Viewer::new(by.clone()),
            page: VecDeque::new(),
            position: after.unwrap_or(from),
            told: after.unwrap_or(from),
            told_at: Instant::now(),
        };
        core.listen();
        if let Some(after) = after.filter(|after| *after > from)
            && let Err(error) = core.storage.read(|reader| log::check_reached(reader.db, "after", after))
        {
            subscription.close();
            return Err(error);
        }
        Ok(subscription)
    }

    /// Calls `notify` whenever something may have come; for event loops.
    pub fn on_ready(&self, notify: impl Fn() + Send + Sync + 'static) {
        *self.shared.notify.lock() = Some(Box::new(notify));
    }

    /// The last `seq` that this subscription has given or passed over: resume with `after` this.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Waits for the next item; `None` when the time is up.
    ///
    /// # Errors
    ///
    /// `unavailable` once the hub or the subscription is closed; `storage` when the log cannot be read.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Item>> {
        self.next_until(timeout, &mut || Ok(()))
    }

    /// Like [`Subscription::next`]; asks `check` several times a second whether to go on.
    pub fn next_until(
        &mut self,
        timeout: Duration,
        check: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Option<Item>> {
        const SLICE: Duration = Duration::from_millis(50);
        let start = Instant::now();
        loop {
            if let Some(item) = self.try_next()? {
                return Ok(Some(item));
            }
            let left = timeout.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            check()?;
            let mut state = self.shared.state.lock();
            if state.queue.is_empty() && state.behind.is_none() && !state.closed {
                self.shared.more.wait_for(&mut state, left.min(SLICE));
            }
        }
    }

    /// The next item if there is one now.
    pub fn try_next(&mut self) -> Result<Option<Item>> {
        loop {
            if let Some(item) = self.page.pop_front() {
                return Ok(Some(self.give(item)));
            }
            let (event, behind, closed) = {
                let mut state = self.shared.state.lock();
                (state.queue.pop_front(), state.behind, state.closed)
            };
            match event {
                Some(event) if event.seq == 0 => return Ok(Some(Item::Event(event))),
                Some(event) if self.viewer.may_see(&self.core, &event)? => {
                    return Ok(Some(self.give(Item::Event(event))));
                }
                Some(_) => continue,
                None => {}
            }
            if closed {
                return Err(Error::unavailable("this subscription is closed"));
            }
            match behind {
                Some(after) => self.read_log(after)?,
                None => return Ok(self.position_item()),
            }
        }
    }

    fn give(&mut self, item: Item) -> Item {
        self.position = match &item {
            Item::Event(event) => event.seq.max(self.position),
            Item::Gap { to, .. } => *to,
            Item::Position { seq } => *seq,
        };
        self.told = self.position;
        self.told_at = Instant::now();
        item
    }

    fn position_item(&mut self) -> Option<Item> {
        let last = self.core.publisher.last();
        if self.told_at.elapsed() < POSITION_AFTER && last < self.told + POSITION_EVERY {
            return None;
        }
        self.told_at = Instant::now();
        // What was pushed since the queue was found empty is given first.
        let state = self.shared.state.lock();
        if last <= self.told || state.behind.is_some() || !state.queue.is_empty() {
            return None;
        }
        drop(state);
        Some(self.give(Item::Position { seq: last }))
    }

    /// Reads a page of the log; goes live when there is no more.
    fn read_log(&mut self, after: u64) -> Result<()> {
        let hub = self.core.storage.hub_id;
        let (base, events) = self.core.storage.read(|reader| {
            Ok((
                log::base(reader.db)?.0,
                log::read(reader.db, hub, after.max(log::base(reader.db)?.0), PAGE)?,
            ))
        })?;
        if base > after {
            self.page.push_back(Item::Gap { from: after + 1, to: base });
        }
        let mut read_to = after.max(base);
        let full = events.len() == PAGE;
        for event in events {
            read_to = event.seq;
            if self.shared.filter.matches(&event) {
                let event = Arc::new(event);
                if self.viewer.may_see(&self.core, &event)? {
                    self.page.push_back(Item::Event(event));
                }
            }
        }
        self.position = if self.page.is_empty() { read_to } else { self.position };
        if full {
            self.shared.state.lock().behind = Some(read_to);
            return Ok(());
        }
        let shared = &self.shared;
        let live = self.core.publisher.go_live(read_to, || {
            let mut state = shared.state.lock();
            state.behind = None;
            state.skip = read_to;
        });
        if !live {
            self.shared.state.lock().behind = Some(read_to);
        }
        Ok(())
    }

    /// Ends the subscription; a waiting `next` returns at once.
    pub fn close(&mut self) {
        self.shared.close();
        self.core.publisher.remove(self.id, &self.shared.filter);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.close();
    }
}
