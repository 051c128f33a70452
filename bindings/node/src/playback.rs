//! A replay: a thread reads the next stretch of the log, JavaScript keeps the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use folkmoot_engine::{Error, Item, Result};
use folkmoot_sys::sync::Mutex;
use napi_derive::napi;
use serde_json::{Value, json, value::RawValue};

use crate::bridge::Queue;

#[napi]
pub struct Playback {
    tape: Arc<Mutex<folkmoot_engine::activity::Playback>>,
    over: Arc<AtomicBool>,
    hub: folkmoot_engine::Hub,
    queue: Arc<Queue>,
}

impl Playback {
    pub fn new(
        tape: folkmoot_engine::activity::Playback,
        hub: folkmoot_engine::Hub,
        queue: Arc<Queue>,
    ) -> Playback {
        Playback { tape: Arc::new(Mutex::new(tape)), over: Arc::default(), hub, queue }
    }
}

#[napi]
impl Playback {
    /// What may be played now, at most this many items, and the seconds until the next (null at the end); they come
    /// under the ticket as JSON.
    #[napi]
    pub fn ready(&self, most: u32) -> f64 {
        let (tape, over, hub) = (self.tape.clone(), self.over.clone(), self.hub.clone());
        let ticket = self.queue.away(move || {
            let mut check = || match over.load(Ordering::Acquire) || hub.is_closed() {
                true => Err(Error::unavailable("this replay is closed").with("reason", "closed")),
                false => Ok(()),
            };
            check()?;
            let (items, left) = tape.lock().ready(most as usize, &mut check)?;
            let items = items.into_iter().map(shown).collect::<Result<Vec<_>>>()?;
            serde_json::to_vec(&(items, left.map(|left| left.as_secs_f64())))
                .map_err(|error| Error::internal(error.to_string()))
        });
        ticket as f64
    }

    /// Ends the replay.
    #[napi]
    pub fn close(&self) {
        self.over.store(true, Ordering::Release);
    }

    #[napi(getter)]
    pub fn closed(&self) -> bool {
        self.over.load(Ordering::Acquire) || self.hub.is_closed()
    }
}

/// An event as it stands, or the gap as JavaScript knows it.
fn shown(item: Item) -> Result<Box<RawValue>> {
    let raw = |text: String| RawValue::from_string(text).map_err(|error| Error::internal(error.to_string()));
    match item {
        Item::Event(event) => raw(event.wire().to_string()),
        Item::Gap { from, to } => raw(json!({"kind": "gap", "from": from, "to": to}).to_string()),
        Item::Position { .. } => raw(Value::Null.to_string()),
    }
}
