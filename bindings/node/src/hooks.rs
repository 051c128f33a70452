//! Hooks whose functions are JavaScript's: questions wait at a desk until the thread of JavaScript takes them.

use std::sync::Arc;
use std::time::Duration;

use folkmoot_engine::hooks::{Ask, Desk as Engines, Hook, OnError, Point, Reply};
use folkmoot_engine::json::Json;
use folkmoot_engine::{Error, Hub, Result};
use folkmoot_sys::sync::Mutex;
use napi_derive::napi;
use serde_json::Value;

use crate::bridge::Queue;
use crate::hot::Shared;

/// Where the questions to the hooks of one hub wait.
#[napi]
pub struct Desk {
    desk: Arc<Engines>,
    ticket: u64,
}

impl Desk {
    pub fn new(queue: &Arc<Queue>) -> Desk {
        let ticket = queue.ticket();
        let ringing = Arc::downgrade(queue);
        let desk = Engines::with_bell(move || {
            if let Some(queue) = ringing.upgrade() {
                queue.ring(ticket);
            }
        });
        queue.note_desk(&desk);
        Desk { desk, ticket }
    }
}

#[napi]
impl Desk {
    /// Under which the bridge says that a question waits.
    #[napi(getter)]
    pub fn ticket(&self) -> f64 {
        self.ticket as f64
    }

    /// The questions that wait now.
    #[napi]
    pub fn take(&self) -> Vec<Asked> {
        self.desk.take().into_iter().map(Asked::new).collect()
    }

    /// Takes no more questions; those that wait count as failed.
    #[napi]
    pub fn close(&self) {
        self.desk.close();
    }
}

/// A question to a hook. Dropped unanswered it counts as failed.
#[napi]
pub struct Asked {
    ask: Mutex<Option<Ask>>,
    hook: String,
    point: Point,
    subject: String,
    principal: String,
    depth: u32,
    timeout: Duration,
    text: Arc<str>,
}

impl Asked {
    fn new(ask: Ask) -> Asked {
        Asked {
            hook: ask.hook().to_owned(),
            point: ask.point(),
            subject: ask.subject().to_owned(),
            principal: ask.by().stored(),
            depth: ask.depth(),
            timeout: ask.timeout(),
            text: ask.text().clone(),
            ask: Mutex::new(Some(ask)),
        }
    }

    fn give(&self, reply: Reply) {
        let ask = self.ask.lock().take();
        if let Some(ask) = ask {
            ask.answer(reply);
        }
    }
}

#[napi]
impl Asked {
    #[napi(getter)]
    pub fn hook(&self) -> String {
        self.hook.clone()
    }

    #[napi(getter)]
    pub fn point(&self) -> &'static str {
        self.point.as_str()
    }

    /// The operation or the kind of the event.
    #[napi(getter)]
    pub fn subject(&self) -> String {
        self.subject.clone()
    }

    #[napi(getter)]
    pub fn principal(&self) -> String {
        self.principal.clone()
    }

    #[napi(getter)]
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// How many seconds the function may take.
    #[napi(getter)]
    pub fn timeout(&self) -> f64 {
        self.timeout.as_secs_f64()
    }

    /// The input, the event or the messages, as JSON.
    #[napi(getter)]
    pub fn matter(&self) -> Shared {
        Shared(self.text.clone())
    }

    /// Answers with what the function returned, as JSON; nothing stands for nothing to say.
    #[napi]
    pub fn answer(&self, value: Option<String>) {
        self.give(match value.map(Json::from_text) {
            None => Reply::Nothing,
            Some(Ok(value)) => Reply::Value(value),
            Some(Err(error)) => Reply::Failed(error),
        });
    }

    /// Refuses the operation.
    #[napi]
    pub fn refuse(&self, reason: String) {
        self.give(Reply::Refused(reason));
    }

    /// Says that the function failed. Of an error of the engine's the details say which limit it met.
    #[napi]
    pub fn fail(&self, message: String, details: Option<String>) {
        let limit = details.and_then(|details| limit_of(&details));
        self.give(Reply::Failed(limit.unwrap_or_else(|| Error::unavailable(message))));
    }
}

fn limit_of(details: &str) -> Option<Error> {
    let details: Value = serde_json::from_str(details).ok()?;
    let number = |name: &str| details.get(name)?.as_u64();
    Some(Error::limit(details.get("limit_name")?.as_str()?, number("limit")?, number("value")?))
}

/// Registers a hook whose questions are left at a desk.
#[allow(clippy::too_many_arguments, reason = "the fields of a hook")]
pub fn register(
    hub: &Hub,
    desk: &Desk,
    name: &str,
    point: &str,
    pattern: &str,
    timeout: f64,
    interval: f64,
    on_error: &str,
) -> Result<()> {
    let home = Some(std::thread::current().id());
    let hook = Hook { home, ..Hook::new(name, Point::parse(point)?, pattern) }
        .timeout(seconds("timeout", timeout)?)
        .on_error(OnError::parse(on_error)?)
        .every(seconds("interval", interval)?);
    hub.hook(hook, desk.desk.handler())
}

fn seconds(field: &str, given: f64) -> Result<Duration> {
    Duration::try_from_secs_f64(given)
        .map_err(|_| Error::invalid(field, given, "must be from 0.001 to 3600 seconds"))
}
