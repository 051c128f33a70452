//! One question to a hook, and the wait for its answer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use folkmoot_sys::sync::{Condvar, Mutex};

use super::{Point, Registered};
use crate::error::{Error, Result};
use crate::events::event::Event;
use crate::hub::Check;
use crate::json::Json;
use crate::principal::Principal;

/// How many calls of one hook may hang before no more are made.
const MOST_HANGING: u32 = 8;
/// How long a wait lasts before it is looked whether to go on.
const SLICE: Duration = Duration::from_millis(20);

/// What a hook answers.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Nothing to say: go on, it was heard.
    Nothing,
    /// The changed input, the summary, the figures.
    Value(Json),
    /// The operation is refused, for this reason.
    Refused(String),
    /// The hook failed.
    Failed(Error),
}

/// What a hook is to look at.
#[derive(Clone)]
pub(crate) struct Matter {
    /// The operation or the kind of the event.
    pub subject: Arc<str>,
    pub by: Principal,
    /// The input or the event, as JSON text.
    pub text: Arc<str>,
    pub event: Option<Arc<Event>>,
    pub depth: u32,
}

/// A question to a hook. Whoever takes it calls [`Ask::answer`]; dropped unanswered it counts as failed.
pub struct Ask {
    hook: Arc<Registered>,
    matter: Matter,
    slot: Arc<Slot>,
}

#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    answered: Condvar,
}

#[derive(Default)]
enum State {
    #[default]
    Waiting,
    Answered(Reply),
    /// Nobody waits any more.
    GivenUp,
    Over,
}

/// How a question ended.
pub(crate) enum Outcome {
    Reply(Reply),
    /// The hook failed, hung or could not be asked; whether it was for want of time.
    Failed {
        error: Error,
        timed_out: bool,
    },
    /// The caller is to stop waiting, or the hook was taken away.
    Stopped(Error),
}

impl Ask {
    /// The hook's name.
    pub fn hook(&self) -> &str {
        &self.hook.hook.name
    }

    /// Where it is called.
    pub fn point(&self) -> Point {
        self.hook.hook.point
    }

    /// The operation that is asked about, or the kind of the event; empty where there is neither.
    pub fn subject(&self) -> &str {
        &self.matter.subject
    }

    /// On whose behalf.
    pub fn by(&self) -> &Principal {
        &self.matter.by
    }

    /// The input of the operation, the event, or what is to be summarized, as JSON text.
    pub fn text(&self) -> &Arc<str> {
        &self.matter.text
    }

    /// The event, for an `after` hook.
    pub fn event(&self) -> Option<&Arc<Event>> {
        self.matter.event.as_ref()
    }

    /// How deep in hooks the function runs: give it to [`with_depth`](super::with_depth) around calls it makes.
    pub fn depth(&self) -> u32 {
        self.matter.depth
    }

    /// How long the hook may take.
    pub fn timeout(&self) -> Duration {
        self.hook.hook.timeout
    }

    /// Whether someone still waits for the answer.
    pub fn is_wanted(&self) -> bool {
        matches!(*self.slot.state.lock(), State::Waiting)
    }

    /// Answers.
    pub fn answer(self, reply: Reply) {
        self.finish(reply);
    }

    fn finish(&self, reply: Reply) {
        let mut state = self.slot.state.lock();
        match *state {
            State::Waiting => {
                *state = State::Answered(reply);
                self.slot.answered.notify_one();
            }
            State::GivenUp => {
                *state = State::Over;
                self.hook.hanging.fetch_sub(1, Ordering::AcqRel);
            }
            State::Answered(_) | State::Over => {}
        }
    }
}

impl Drop for Ask {
    fn drop(&mut self) {
        self.finish(Reply::Failed(Error::unavailable("the hook went away without an answer")));
    }
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ask({} {:?} about {})", self.point().as_str(), self.hook(), self.subject())
    }
}

/// Asks a hook and waits for its answer, at most as long as it may take; `check` may end the wait.
pub(crate) fn ask(hook: &Arc<Registered>, matter: Matter, check: &mut Check<'_>) -> Outcome {
    let failed = |error, timed_out| Outcome::Failed { error, timed_out };
    hook.counters.calls.fetch_add(1, Ordering::Relaxed);
    if hook.hook.home == Some(std::thread::current().id()) {
        let error = Error::unavailable("the hook runs on this very thread, which would wait for itself");
        return failed(error.hint("call from another thread, or through the event loop's own hub"), false);
    }
    let hanging = hook.hanging.load(Ordering::Acquire);
    if hanging >= MOST_HANGING {
        let error = Error::unavailable(format!("{hanging} earlier calls of the hook have not come back"));
        return failed(error, true);
    }
    let slot = Arc::<Slot>::default();
    let ask = Ask { hook: hook.clone(), matter, slot: slot.clone() };
    if catch_unwind(AssertUnwindSafe(|| (hook.handler)(ask))).is_err() {
        return failed(Error::internal("the hook's handler panicked"), false);
    }
    let until = Instant::now() + hook.hook.timeout;
    match slot.wait(until, &mut || hook.check_there().and_then(|()| check())) {
        Ok(Some(Reply::Failed(error))) => failed(error, false),
        Ok(Some(reply)) => Outcome::Reply(reply),
        Ok(None) => {
            slot.give_up(hook);
            let seconds = hook.hook.timeout.as_secs_f64();
            failed(Error::unavailable(format!("no answer within {seconds} seconds")), true)
        }
        Err(error) => {
            slot.give_up(hook);
            Outcome::Stopped(error)
        }
    }
}

impl Slot {
    fn wait(&self, until: Instant, check: &mut Check<'_>) -> Result<Option<Reply>> {
        let mut state = self.state.lock();
        loop {
            if let State::Answered(_) = *state
                && let State::Answered(reply) = std::mem::replace(&mut *state, State::Over)
            {
                return Ok(Some(reply));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let timed_out = self.answered.wait_for(&mut state, left.min(SLICE)).timed_out();
            if timed_out {
                drop(state);
                check()?;
                state = self.state.lock();
            }
        }
    }

    /// Nobody waits any more: what comes later is let go.
    fn give_up(&self, hook: &Registered) {
        let mut state = self.state.lock();
        if matches!(*state, State::Waiting) {
            *state = State::GivenUp;
            hook.hanging.fetch_add(1, Ordering::AcqRel);
        }
    }
}
