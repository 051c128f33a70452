//! Asking a summarizer.

use std::sync::Arc;

use serde_json::Value;

use super::Point;
use super::ask::{Matter, Outcome, Reply, ask};
use super::before::deeper;
use super::report::{Failure, report};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::hub::Check;
use crate::principal::Principal;

/// What came of asking.
pub(crate) enum Summary {
    /// There is no summarizer.
    None,
    /// It has written this.
    Written { by: String, text: String },
    /// It failed or hung.
    Failed { by: String, why: String },
}

/// Asks the summarizer of this name, or the first one, about what `matter` writes as JSON.
pub(crate) fn summarize(
    core: &Arc<Core>,
    by: &Principal,
    name: Option<&str>,
    most_bytes: u64,
    matter: impl FnOnce() -> Result<String>,
    check: &mut Check<'_>,
) -> Result<Summary> {
    let Some(hook) = core.hooks.plug_in(Point::Summarizer, name) else {
        return match name {
            None => Ok(Summary::None),
            Some(name) => Err(Error::not_found("summarizer", name)
                .with("field", "summarizer")
                .hint("register it in this process first, or leave the field out")),
        };
    };
    let subject = "thread.summarize";
    let matter = Matter {
        subject: subject.into(),
        by: by.clone(),
        text: matter()?.into(),
        event: None,
        depth: deeper()?,
    };
    let by = hook.hook.name.clone();
    let (error, timed_out) = match ask(&hook, matter, check) {
        Outcome::Reply(Reply::Value(answer)) => match text_of(&answer.to_value(), most_bytes) {
            Ok(text) => return Ok(Summary::Written { by, text }),
            Err(error) => (error, false),
        },
        Outcome::Reply(Reply::Refused(reason)) => (Error::not_allowed(reason), false),
        Outcome::Reply(_) => (Error::unavailable("it answered nothing"), false),
        Outcome::Failed { error, timed_out } => (error, timed_out),
        Outcome::Stopped(error) if hook.check_there().is_ok() => return Err(error),
        Outcome::Stopped(error) => (error, false),
    };
    report(core, &hook, &Failure { subject, error: &error, timed_out, then: "dropped" });
    Ok(Summary::Failed { by, why: error.message().to_owned() })
}

fn text_of(answer: &Value, most_bytes: u64) -> Result<String> {
    match answer.as_str() {
        Some(text) if text.len() as u64 > most_bytes => {
            Err(Error::limit("bytes of a summary", most_bytes, text.len() as u64))
        }
        Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
        _ => Err(Error::invalid("summary", answer.clone(), "must be text that is not empty")),
    }
}
