//! Saying that a hook failed: a line of the log, a frame for whoever listens, a counter.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;

use super::Registered;
use crate::core::Core;
use crate::error::Error;
use crate::events::event::Event;

/// The kind of the frame that says that a hook failed. It has no `seq` and stays in its process.
pub const FAILED: &str = "hook.failed";

/// How a hook failed.
pub(crate) struct Failure<'a> {
    /// The operation or the kind of the event.
    pub subject: &'a str,
    pub error: &'a Error,
    pub timed_out: bool,
    /// What became of what it was asked about: `allowed`, `refused`, `dropped`.
    pub then: &'a str,
}

pub(crate) fn report(core: &Core, hook: &Arc<Registered>, failure: &Failure<'_>) {
    let (name, point) = (hook.hook.name.as_str(), hook.hook.point);
    hook.counters.failed.fetch_add(1, Ordering::Relaxed);
    if failure.timed_out {
        hook.counters.timed_out.fetch_add(1, Ordering::Relaxed);
    }
    let (error, about, then) = (failure.error, failure.subject, failure.then);
    tracing::warn!(hook = name, point = point.as_str(), about, then, %error, "a hook failed");
    if about == FAILED {
        return; // it would hear of this, and fail again
    }
    let data = json!({
        "hook": name,
        "point": point,
        "about": about,
        "error": error.to_json(),
        "timed_out": failure.timed_out,
        "then": then,
    });
    core.publisher.announce(&Arc::new(Event::frame(core, FAILED, Some(name), data)));
}
