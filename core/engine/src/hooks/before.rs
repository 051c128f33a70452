//! Asking the hooks of an operation before it runs.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::Value;

use super::ask::{Matter, Outcome, Reply, ask};
use super::report::{Failure, report};
use super::{OnError, Registered};
use crate::core::Core;
use crate::error::{Code, Error, Result};
use crate::hub::{Check, Operate};
use crate::input::read_input;
use crate::json::Json;
use crate::operations::{self, Operation};
use crate::pipeline::command::to_json;
use crate::principal::Principal;

/// How deep calls made inside `before` hooks may go.
pub const MOST_DEPTH: u32 = 4;

/// The limit that a hook meets which calls itself.
const DEPTH: &str = "depth of calls inside hooks";

thread_local! {
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// Runs something as part of a hook at this depth.
pub fn with_depth<T>(depth: u32, f: impl FnOnce() -> T) -> T {
    struct Back(u32);
    impl Drop for Back {
        fn drop(&mut self) {
            INSIDE.set(self.0);
        }
    }
    let _back = Back(INSIDE.replace(depth));
    f()
}

/// How deep in hooks this thread is.
pub fn depth() -> u32 {
    INSIDE.get()
}

/// One level deeper than this thread is, if that is allowed.
pub(super) fn deeper() -> Result<u32> {
    let depth = depth() + 1;
    if depth > MOST_DEPTH {
        return Err(Error::limit(DEPTH, MOST_DEPTH.into(), depth.into())
            .hint("a hook calls the operation that it is called for: have it leave out its own calls"));
    }
    Ok(depth)
}

/// What a `before` hook is asked about.
#[derive(Debug)]
pub struct Request<'a> {
    /// The operation.
    pub operation: &'a str,
    /// On whose behalf.
    pub by: &'a Principal,
    /// Its input. It has the form of the operation's; whether it makes sense is judged later.
    pub input: Value,
}

/// What a `before` hook says.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Go on.
    Allow,
    /// Go on with this input instead; it is checked like any other.
    Change(Value),
    /// Do not, for this reason.
    Refuse(String),
}

impl From<Verdict> for Reply {
    fn from(verdict: Verdict) -> Reply {
        match verdict {
            Verdict::Allow => Reply::Nothing,
            Verdict::Change(input) => Reply::Value(input.into()),
            Verdict::Refuse(reason) => Reply::Refused(reason),
        }
    }
}

/// An input that hooks have made.
pub(crate) struct Changed {
    pub text: Arc<str>,
    by: Vec<String>,
}

impl Changed {
    /// An error about an input that the caller did not give says who made it.
    pub fn explain(&self, error: Error) -> Error {
        match error.code() {
            Code::InvalidInput | Code::LimitExceeded => {
                let by = self.by.join(", ");
                error.with("changed_by", by.as_str()).hint(format!("the input was changed by hook {by}"))
            }
            _ => error,
        }
    }
}

/// Runs a typed operation once its hooks have been asked.
pub(crate) fn before_typed<O: Operate>(
    core: &Arc<Core>,
    by: &Principal,
    input: O,
    run: impl FnOnce(O) -> Result<O::Output>,
) -> Result<O::Output> {
    let Some(hooks) = core.hooks.before(O::NAME) else { return run(input) };
    let text = to_json(&input)?;
    match all(core, &hooks, operations::find(O::NAME)?, by, &text, &mut || Ok(()))? {
        None => run(input),
        Some(changed) => {
            read_input(changed.text.as_bytes()).and_then(run).map_err(|error| changed.explain(error))
        }
    }
}

/// Asks the hooks of an operation; answers the input that they made, if they changed it.
pub(crate) fn before(
    core: &Arc<Core>,
    operation: &'static Operation,
    by: &Principal,
    input: &[u8],
    check: &mut Check<'_>,
) -> Result<Option<Changed>> {
    match core.hooks.before(operation.name) {
        Some(hooks) => all(core, &hooks, operation, by, input, check),
        None => Ok(None),
    }
}

fn all(
    core: &Arc<Core>,
    hooks: &[Arc<Registered>],
    operation: &'static Operation,
    by: &Principal,
    input: &[u8],
    check: &mut Check<'_>,
) -> Result<Option<Changed>> {
    // What has not even the form of an input is refused before anyone is bothered with it.
    (operation.check)(input)?;
    let depth = deeper()?;
    let given = std::str::from_utf8(input).map_err(|_| Error::internal("an input is not UTF-8"))?;
    let mut text: Arc<str> = given.into();
    let mut changed_by = Vec::new();
    for hook in hooks {
        let matter =
            Matter { subject: operation.name.into(), by: by.clone(), text: text.clone(), event: None, depth };
        if let Some(input) = one(core, hook, operation, matter, check)? {
            text = input;
            changed_by.push(hook.hook.name.clone());
        }
    }
    Ok((!changed_by.is_empty()).then_some(Changed { text, by: changed_by }))
}

/// Asks one hook; answers the input that it made, if it changed it.
fn one(
    core: &Arc<Core>,
    hook: &Arc<Registered>,
    operation: &'static Operation,
    matter: Matter,
    check: &mut Check<'_>,
) -> Result<Option<Arc<str>>> {
    let name = hook.hook.name.as_str();
    match ask(hook, matter, check) {
        Outcome::Reply(Reply::Value(input)) => {
            hook.counters.changed.fetch_add(1, Ordering::Relaxed);
            changed(core, hook, operation, &input).map(Some)
        }
        Outcome::Reply(Reply::Refused(reason)) => {
            hook.counters.refused.fetch_add(1, Ordering::Relaxed);
            Err(Error::not_allowed(format!("hook {name:?} refused {}: {reason}", operation.name))
                .with("hook", name)
                .with("operation", operation.name)
                .with("reason", reason))
        }
        Outcome::Reply(_) => Ok(None),
        // Taken away while it was asked: as if it had not been there. Anything else ends the call.
        Outcome::Stopped(error) => {
            if hook.check_there().is_err() {
                Ok(None)
            } else {
                Err(error)
            }
        }
        Outcome::Failed { error, timed_out } => failed(core, hook, operation, error, timed_out),
    }
}

fn changed(
    core: &Arc<Core>,
    hook: &Arc<Registered>,
    operation: &'static Operation,
    input: &Json,
) -> Result<Arc<str>> {
    let name = hook.hook.name.as_str();
    (operation.check)(input.text().as_bytes()).map_err(|error| {
        let failure = Failure { subject: operation.name, error: &error, timed_out: false, then: "refused" };
        report(core, hook, &failure);
        error.with("changed_by", name).hint(format!("the input was changed by hook {name}"))
    })?;
    Ok(input.text().into())
}

fn failed(
    core: &Arc<Core>,
    hook: &Arc<Registered>,
    operation: &'static Operation,
    error: Error,
    timed_out: bool,
) -> Result<Option<Arc<str>>> {
    // A hook that calls itself is stopped as a whole: were it let pass, each level would do the work once more.
    let too_deep = error.code() == Code::LimitExceeded
        && error.details().get("limit_name").and_then(Value::as_str) == Some(DEPTH);
    let refuses = too_deep || hook.hook.on_error == OnError::Refuse;
    let then = if refuses { "refused" } else { "allowed" };
    report(core, hook, &Failure { subject: operation.name, error: &error, timed_out, then });
    if too_deep {
        return Err(error);
    }
    if !refuses {
        return Ok(None);
    }
    let (name, what) = (hook.hook.name.as_str(), if timed_out { "timed out" } else { "failed" });
    let message =
        format!("hook {name:?} {what}, and {} is refused without it: {}", operation.name, error.message());
    Err(Error::not_allowed(message)
        .with("hook", name)
        .with("operation", operation.name)
        .with("reason", what)
        .hint("mend the hook; `hook.failed` and the log say more"))
}
