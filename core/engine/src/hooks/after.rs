//! Hooks that hear events.
//!
//! Each has a subscription and a thread of its own, so a slow one falls behind alone: it reads on from the log and misses
//! nothing. Its events come in order, one at a time; the next is given once it has answered or its time is over.

use std::sync::Arc;
use std::time::Duration;

use super::Registered;
use super::ask::{Matter, Outcome, ask};
use super::report::{Failure, report};
use crate::core::Core;
use crate::error::Result;
use crate::events::event::Event;
use crate::events::filter::Filter;
use crate::events::subscription::{Item, Subscription};
use crate::principal::Principal;

/// Begins to hear, from now on.
pub(crate) fn listen(core: &Arc<Core>, hook: &Arc<Registered>) -> Result<()> {
    let filter = Filter::kinds([hook.hook.pattern.as_str()]);
    let subscription = Subscription::open(core, filter, &Principal::Process, None)?;
    let hook = hook.clone();
    core.spawn("after", move |core| serve(&core, &hook, subscription))
}

fn serve(core: &Arc<Core>, hook: &Arc<Registered>, mut events: Subscription) {
    const LONG: Duration = Duration::from_secs(3_600);
    while !core.is_closed() {
        match events.next_until(LONG, &mut || hook.check_there()) {
            Ok(Some(Item::Event(event))) => tell(core, hook, event),
            Ok(Some(Item::Gap { from, to })) => {
                tracing::warn!(hook = hook.hook.name, from, to, "a hook missed events that retention took");
            }
            Ok(Some(Item::Position { .. }) | None) => {}
            Err(_) if hook.check_there().is_err() || core.is_closed() => return,
            Err(error) => {
                tracing::warn!(hook = hook.hook.name, %error, "events could not be read for a hook; trying again");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

fn tell(core: &Arc<Core>, hook: &Arc<Registered>, event: Arc<Event>) {
    let matter = Matter {
        subject: event.kind.as_ref().into(),
        by: event.principal.clone(),
        text: event.wire(),
        event: Some(event.clone()),
        depth: 0,
    };
    if let Outcome::Failed { error, timed_out } = ask(hook, matter, &mut || Ok(())) {
        report(core, hook, &Failure { subject: &event.kind, error: &error, timed_out, then: "dropped" });
    }
}
