//! A cursor on the log: Node is told when there may be something, and takes what there is.

use std::sync::Arc;

use folkmoot_engine::{Error, Item, Result};
use folkmoot_sys::sync::Mutex;
use napi::bindgen_prelude::Either3;
use napi_derive::napi;

use crate::bridge::Queue;
use crate::{guarded, hot};

/// An event as its JSON; the two ends of a gap; the number of a position.
type Given = Either3<hot::Shared, Vec<f64>, f64>;

#[napi]
pub struct Subscription {
    /// Taken out when it is closed.
    live: Mutex<Option<folkmoot_engine::Subscription>>,
    hub: folkmoot_engine::Hub,
    ticket: u64,
}

impl Subscription {
    pub fn new(
        live: folkmoot_engine::Subscription,
        hub: folkmoot_engine::Hub,
        queue: &Arc<Queue>,
    ) -> Subscription {
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
                items.push(given(item));
            }
            Ok(items)
        })
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

fn given(item: Item) -> Given {
    match item {
        Item::Event(event) => Either3::A(hot::Shared(event.wire())),
        Item::Gap { from, to } => Either3::B(vec![from as f64, to as f64]),
        Item::Position { seq } => Either3::C(seq as f64),
    }
}
