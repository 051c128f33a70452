//! A command: an operation's input on its way through the pipeline.
//!
//! The input struct *is* the operation. [`Change`] says how it decides; [`Query`] how it reads. [`Pending`] carries one
//! through the queue without its types, and keeps the answer for the caller, who encodes it outside the lock.

use std::any::Any;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::decide::Decide;
use crate::error::{Error, Result};
use crate::principal::Principal;
use crate::storage::Reader;

/// How a change is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// After commit at the hub's level of durability.
    Durable,
    /// After commit, without waiting for the disk.
    Shared,
    /// At once; written some milliseconds later.
    Relaxed,
    /// Nothing changes.
    Read,
}

impl Class {
    /// The class as a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Durable => "durable",
            Class::Shared => "shared",
            Class::Relaxed => "relaxed",
            Class::Read => "read",
        }
    }
}

/// An operation that changes something. The struct is its input.
pub trait Change: DeserializeOwned + Serialize + JsonSchema + Send + 'static {
    /// What it answers.
    type Output: Serialize + DeserializeOwned + JsonSchema + Send + 'static;

    /// Looks at the state and proposes events, or refuses. Must not refuse once it has proposed.
    fn decide(&self, cx: &mut Decide<'_>) -> Result<Self::Output>;

    /// The key under which a repeated call gets the first one's answer.
    fn idempotency_key(&self) -> Option<&str> {
        None
    }
}

/// An operation that only reads. The struct is its input.
pub trait Query: DeserializeOwned + Serialize + JsonSchema + Send + 'static {
    /// What it answers.
    type Output: Serialize + DeserializeOwned + JsonSchema + Send + 'static;

    /// Reads the answer from one snapshot.
    fn read(&self, cx: &Reader<'_>, by: &Principal) -> Result<Self::Output>;
}

/// A change without its types, as the queue holds it.
pub(crate) trait Command: Send {
    fn decide(&mut self, cx: &mut Decide<'_>) -> Result<()>;
    fn idempotency_key(&self) -> Option<&str>;
    /// The input as JSON, to tell whether the same key came with other input.
    fn input_json(&self) -> Result<Vec<u8>>;
    /// The answer as JSON.
    fn answer_json(&self) -> Result<Vec<u8>>;
    /// Takes the data of the event that says the same as the answer, so that it is not encoded a second time.
    fn answer_is(&mut self, data: &str);
    /// Takes over the answer that an earlier call with the same key got.
    fn restore(&mut self, answer: &str) -> Result<()>;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// A change with its input and, once decided, its answer.
pub(crate) struct Pending<C: Change> {
    input: C,
    output: Option<C::Output>,
    /// The answer as JSON, when the caller wants that and it is there already.
    text: Option<String>,
    wants_text: bool,
}

impl<C: Change> Pending<C> {
    pub(crate) fn new(input: C) -> Pending<C> {
        Pending { input, output: None, text: None, wants_text: false }
    }

    /// For a caller who asks for the answer as JSON.
    pub(crate) fn for_json(input: C) -> Pending<C> {
        Pending { wants_text: true, ..Pending::new(input) }
    }

    pub(crate) fn into_output(self) -> Result<C::Output> {
        self.output.ok_or_else(|| Error::internal("a command ended without an answer"))
    }
}

impl<C: Change> Command for Pending<C> {
    fn decide(&mut self, cx: &mut Decide<'_>) -> Result<()> {
        self.output = Some(self.input.decide(cx)?);
        Ok(())
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.input.idempotency_key()
    }

    fn input_json(&self) -> Result<Vec<u8>> {
        to_json(&self.input)
    }

    fn answer_json(&self) -> Result<Vec<u8>> {
        match (&self.text, &self.output) {
            (Some(text), _) => Ok(text.clone().into_bytes()),
            (None, Some(output)) => to_json(output),
            (None, None) => Err(Error::internal("a command ended without an answer")),
        }
    }

    fn answer_is(&mut self, data: &str) {
        if self.wants_text {
            self.text = Some(data.to_owned());
        }
    }

    fn restore(&mut self, answer: &str) -> Result<()> {
        let output = serde_json::from_str(answer)
            .map_err(|e| Error::storage(format!("a remembered answer cannot be read: {e}")))?;
        self.output = Some(output);
        Ok(())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|e| Error::internal(format!("an answer could not be written: {e}")))
}
