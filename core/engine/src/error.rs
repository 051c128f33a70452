//! One closed set of error codes, the same on every face.
//!
//! Inside, each noun has its own small enum of refusals; all of them become an [`Error`] at the door. An error names
//! the thing and the value, says what to do next, and carries machine-readable details (`field`, `value`, `limit`,
//! `current`) beside its sentence.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The result of anything that the engine does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as a word that programs may match on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// A field is missing, unknown, of the wrong type or out of its range.
    InvalidInput,
    /// Nothing of that name is here.
    NotFound,
    /// Something of that name is here already.
    AlreadyExists,
    /// A version or a state did not match; `details.current` shows what is there now.
    Conflict,
    /// The lease that was named is over, or belongs to someone else.
    LeaseLost,
    /// Who asks may not do that.
    NotAllowed,
    /// Who asks is not known.
    Unauthenticated,
    /// A limit was met; `details.limit_name` and `details.limit` say which.
    LimitExceeded,
    /// The hub cannot answer now.
    Unavailable,
    /// The disk or the file refused: full, read-only, corrupt, locked.
    Storage,
    /// A defect of the engine itself.
    Internal,
}

impl Code {
    /// Every code, in the order of the documentation.
    pub const ALL: [Code; 11] = [
        Code::InvalidInput,
        Code::NotFound,
        Code::AlreadyExists,
        Code::Conflict,
        Code::LeaseLost,
        Code::NotAllowed,
        Code::Unauthenticated,
        Code::LimitExceeded,
        Code::Unavailable,
        Code::Storage,
        Code::Internal,
    ];

    /// The code as it is written on every wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::InvalidInput => "invalid_input",
            Code::NotFound => "not_found",
            Code::AlreadyExists => "already_exists",
            Code::Conflict => "conflict",
            Code::LeaseLost => "lease_lost",
            Code::NotAllowed => "not_allowed",
            Code::Unauthenticated => "unauthenticated",
            Code::LimitExceeded => "limit_exceeded",
            Code::Unavailable => "unavailable",
            Code::Storage => "storage",
            Code::Internal => "internal",
        }
    }

    /// Whether the same call may succeed later without being changed.
    pub fn retryable(self) -> bool {
        matches!(self, Code::Unavailable | Code::Storage)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error with its code, a sentence, a hint of what to do, and details.
#[derive(Clone, PartialEq)]
pub struct Error(Box<Inner>);

#[derive(Clone, PartialEq)]
struct Inner {
    code: Code,
    message: String,
    hint: Option<String>,
    details: Map<String, Value>,
}

impl Error {
    /// An error of this code with this sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error(Box::new(Inner { code, message: message.into(), hint: None, details: Map::new() }))
    }

    /// `invalid_input`: names the field, the value that was given and what it must be.
    pub fn invalid(field: &str, value: impl Into<Value>, must: impl fmt::Display) -> Error {
        let value = shorten(value.into());
        Error::new(Code::InvalidInput, format!("{field}: {must}; got {value}"))
            .with("field", field)
            .with("value", value)
    }

    /// `not_found`: names the noun and the id.
    pub fn not_found(noun: &str, id: &str) -> Error {
        Error::new(Code::NotFound, format!("no {noun} {id:?} here")).with("noun", noun).with("id", id)
    }

    /// `already_exists`: names the noun and the id.
    pub fn already_exists(noun: &str, id: &str) -> Error {
        Error::new(Code::AlreadyExists, format!("{noun} {id:?} exists already"))
            .with("noun", noun)
            .with("id", id)
    }

    /// `conflict`: what was expected did not hold; `current` is what does.
    pub fn conflict(message: impl Into<String>, current: impl Serialize) -> Error {
        Error::new(Code::Conflict, message).with("current", json!(current))
    }

    /// `not_allowed`: who asks may not do that.
    pub fn not_allowed(message: impl Into<String>) -> Error {
        Error::new(Code::NotAllowed, message)
    }

    /// `limit_exceeded`: which limit (`bytes of a value`), its value, and what was given.
    pub fn limit(name: &str, limit: u64, got: u64) -> Error {
        Error::new(Code::LimitExceeded, format!("at most {limit} {name}; got {got}"))
            .with("limit_name", name)
            .with("limit", limit)
            .with("value", got)
    }

    /// `limit_exceeded` for a field of the input.
    pub fn field_limit(field: &str, name: &str, limit: u64, got: u64) -> Error {
        let mut error = Error::limit(name, limit, got).with("field", field);
        error.0.message.insert_str(0, &format!("{field}: "));
        error
    }

    /// `unavailable`: the hub cannot answer now.
    pub fn unavailable(message: impl Into<String>) -> Error {
        Error::new(Code::Unavailable, message)
    }

    /// `storage`: the disk or the file refused.
    pub fn storage(message: impl Into<String>) -> Error {
        Error::new(Code::Storage, message)
    }

    /// `internal`: a defect of the engine.
    pub fn internal(message: impl Into<String>) -> Error {
        Error::new(Code::Internal, message)
            .hint("this is a defect of folkmoot: please report it with this sentence")
    }

    /// Adds what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Error {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds a detail.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Error {
        self.0.details.insert(name.to_owned(), value.into());
        self
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The sentence.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do next, where there is something to say.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The machine-readable details.
    pub fn details(&self) -> &Map<String, Value> {
        &self.0.details
    }

    /// The error as it is sent: `{"code", "message", "hint", "retryable", "details"}`.
    pub fn to_json(&self) -> Value {
        json!({
            "code": self.0.code.as_str(),
            "message": self.0.message,
            "hint": self.0.hint,
            "retryable": self.0.code.retryable(),
            "details": self.0.details,
        })
    }

    /// Puts the name of an enclosing field before the field that the error names (`entries[2]` + `key`).
    pub fn within(mut self, outer: &str) -> Error {
        if let Some(Value::String(field)) = self.0.details.get("field") {
            let path = format!("{outer}.{field}");
            if let Some(rest) = self.0.message.strip_prefix(field.as_str()) {
                self.0.message = format!("{path}{rest}");
            }
            self.0.details.insert("field".to_owned(), Value::String(path));
        }
        self
    }
}

/// Runs something of the engine's on behalf of another language: a panic becomes `internal`.
pub fn caught<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let said = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no words");
        Err(Error::internal(format!("the engine stopped in the middle of a call: {said}")))
    })
}

/// Keeps a quoted value short enough to read: an error is no place for a megabyte.
fn shorten(value: Value) -> Value {
    const LONGEST: usize = 120;
    match value {
        Value::String(text) if text.chars().count() > LONGEST => {
            let head: String = text.chars().take(LONGEST).collect();
            Value::String(format!("{head}… ({} bytes)", text.len()))
        }
        Value::Array(_) | Value::Object(_) => {
            let text = value.to_string();
            if text.chars().count() > LONGEST { shorten(Value::String(text)) } else { value }
        }
        other => other,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.message)?;
        match &self.0.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self}")?;
        if !self.0.details.is_empty() {
            write!(f, " {}", Value::Object(self.0.details.clone()))?;
        }
        f.write_str(")")
    }
}

impl std::error::Error for Error {}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Error {
        use rusqlite::ErrorCode as E;
        let Some(code) = error.sqlite_error_code() else {
            return Error::storage(format!("the file could not be read as expected: {error}"));
        };
        match code {
            E::DiskFull => Error::storage("the disk is full; nothing of this call was kept")
                .hint("free some space and call again; reading goes on meanwhile"),
            E::ReadOnly => Error::storage("the file is read-only")
                .hint("check the permissions of the file and its folder"),
            E::DatabaseBusy | E::DatabaseLocked => {
                Error::unavailable("another program holds the file locked")
                    .hint("close other SQLite tools on this file, then call again")
            }
            E::NotADatabase => Error::storage("the file is not a folkmoot hub").hint("choose another path"),
            E::DatabaseCorrupt => Error::storage(format!("the file is damaged: {error}"))
                .hint("run `folkmoot check` on it and restore the newest backup"),
            E::CannotOpen => Error::storage(format!("the file cannot be opened: {error}"))
                .hint("check that its folder exists and may be written to"),
            E::TooBig => {
                Error::new(Code::LimitExceeded, "a stored value would have more than 1000000000 bytes")
            }
            _ => Error::storage(format!("the file or the disk refused: {error}")),
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        use std::io::ErrorKind as K;
        match error.kind() {
            K::StorageFull => Error::storage("the disk is full").hint("free some space and call again"),
            K::PermissionDenied => Error::storage(format!("the file may not be used: {error}")).hint(
                "check who owns the file, its sidecar (its name and `-moot`) and their folder; who only reads must be \
                 allowed to write there, too",
            ),
            _ => Error::storage(format!("the file system refused: {error}")),
        }
    }
}
