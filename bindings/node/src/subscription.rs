//! A cursor on the log, the feed or a task: Node is told when there may be something, and takes what there is.

use std::sync::Arc;

use folkmoot_engine::activity::{Follow, FollowItem};
use folkmoot_engine::tasks::Execution;
use folkmoot_engine::{Error, Item, Result};
use folkmoot_sys::sync::Mutex;
use napi::bindgen_prelude::Either3;
use napi_derive::napi;
use serde::Serialize;

use crate::bridge::Queue;
use crate::{guarded, hot};

/// An event, an activity or what a task tells as its JSON; the two ends of a gap; the number of a position.
pub type Given = Either3<hot::Shared, Vec<f64>, f64>;

/// What is read from.
pub enum Source {
    Events(folkmoot_engine::Subscription),
    Activities(Box<Follow>),
    Execution(Box<Execution>),
}

impl Source {
    fn try_next(&mut self) -> Result<Option<Given>> {
        Ok(match self {
            Source::Events(live) => live.try_next()?.map(given),
            Source::Activities(live) => live.try_next()?.map(followed).transpose()?,
            Source::Execution(live) => live.try_next()?.map(|update| record(&update)).transpose()?,
        })
    }

    fn position(&self) -> u64 {
        match self {
            Source::Events(live) => live.position(),
            Source::Activities(live) => live.position(),
            Source::Execution(live) => live.position(),
        }
    }

    fn on_ready(&self, notify: impl Fn() + Send + Sync + 'static) {
        match self {
            Source::Events(live) => live.on_ready(notify),
            Source::Activities(live) => live.on_ready(notify),
            Source::Execution(live) => live.on_ready(notify),
        }
    }
}

#[napi]
pub struct Subscription {
    /// Taken out when it is closed.
    live: Mutex<Option<Source>>,
    hub: folkmoot_engine::Hub,
    ticket: u64,
}

impl Subscription {
    pub fn new(live: Source, hub: folkmoot_engine::Hub, queue: &Arc<Queue>) -> Subscription {
        let (queue, ticket) = (queue.clone(), queue.ticket());
        live.on_ready(move || queue.ring(ticket));
        Subscription { live: Mutex::new(Some(live)), hub, ticket }
    }
}

#[napi]
impl Subscription {
    /// Under which the bridge says that there may be something.
    #[napi(getter)]
    pub fn ticket(&self) -> f64 {
        self.ticket as f64
    }

    /// What is there now, at most this many items. It may read a page of the log, which takes about as long as reading
    /// its JSON does.
    #[napi]
    pub fn take(&self, most: u32) -> napi::Result<Vec<Given>> {
        guarded(|| {
            let mut live = self.live.lock();
            let Some(live) = live.as_mut().filter(|_| !self.hub.is_closed()) else {
                return Err(Error::unavailable("this subscription is closed")
                    .with("reason", "closed")
                    .hint("subscribe again; `after` its last position goes on where it ended"));
            };
            let mut items = Vec::new();
            while items.len() < most as usize
                && let Some(item) = live.try_next()?
            {
                items.push(item);
            }
            Ok(items)
        })
    }

    /// The last `seq` that was taken or passed over.
    #[napi(getter)]
    pub fn position(&self) -> f64 {
        self.live.lock().as_ref().map_or(0.0, |live| live.position() as f64)
    }

    /// Whether a task that is followed has ended and its end was taken.
    #[napi(getter)]
    pub fn ended(&self) -> bool {
        matches!(self.live.lock().as_ref(), Some(Source::Execution(live)) if live.is_over())
    }

    #[napi(getter)]
    pub fn closed(&self) -> bool {
        self.hub.is_closed() || self.live.lock().is_none()
    }

    /// Ends it.
    #[napi]
    pub fn close(&self) -> napi::Result<()> {
        guarded(|| -> Result<()> {
            drop(self.live.lock().take());
            Ok(())
        })
    }
}

/// An item of events as JavaScript gets it.
pub fn given(item: Item) -> Given {
    match item {
        Item::Event(event) => Either3::A(hot::Shared(event.wire())),
        Item::Gap { from, to } => Either3::B(vec![from as f64, to as f64]),
        Item::Position { seq } => Either3::C(seq as f64),
    }
}

fn followed(item: FollowItem) -> Result<Given> {
    Ok(match item {
        FollowItem::Activity(activity) => record(&activity)?,
        FollowItem::Gap { from, to } => given(Item::Gap { from, to }),
        FollowItem::Position { seq } => given(Item::Position { seq }),
    })
}

fn record(value: &impl Serialize) -> Result<Given> {
    let text = serde_json::to_string(value).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Either3::A(hot::Shared(text.into())))
}
