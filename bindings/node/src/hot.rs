//! The two calls that agents make all day, without JSON on the way in.

use std::sync::Arc;

use folkmoot_engine::agents::{Status, UpdatePresence};
use folkmoot_engine::{Error, Result};
use napi::bindgen_prelude::{ToNapiValue, TypeName, ValueType};
use napi::sys;
use serde_json::Value;

/// The typed input of `presence.update`; the package has seen to it that texts are texts.
#[allow(clippy::too_many_arguments, reason = "the fields of the operation, given without JSON for speed")]
pub fn update(
    agent_id: String,
    tool_name: Option<String>,
    tokens: Option<f64>,
    event: Option<String>,
    feature_id: Option<String>,
    task_id: Option<String>,
    session_id: Option<String>,
    status: Option<String>,
) -> Result<UpdatePresence> {
    let tokens = tokens.map(|tokens| whole("tokens", tokens)).transpose()?;
    let status = status.map(self::status).transpose()?;
    Ok(UpdatePresence {
        agent_id,
        event,
        tool_name,
        tokens,
        feature_id,
        task_id,
        session_id,
        status,
        location: None,
    })
}

fn status(word: String) -> Result<Status> {
    serde_json::from_value(Value::String(word.clone()))
        .map_err(|_| Error::invalid("status", word, "must be one of active, working, idle, error, offline"))
}

/// A number of JavaScript's that counts something.
pub fn whole(field: &str, number: f64) -> Result<u64> {
    const MOST: f64 = 9_007_199_254_740_991.0;
    if number.fract() == 0.0 && (0.0..=MOST).contains(&number) {
        return Ok(number as u64);
    }
    let shown = if number.fract() == 0.0 { Value::from(number as i64) } else { Value::from(number) };
    Err(Error::invalid(field, shown, "must be a whole number from 0 to 2^53 - 1"))
}

/// Text that others hold too: copied once, into JavaScript's own.
pub struct Shared(pub Arc<str>);

impl TypeName for Shared {
    fn type_name() -> &'static str {
        "String"
    }

    fn value_type() -> ValueType {
        ValueType::String
    }
}

#[allow(unsafe_code, reason = "the trait of values that are given to JavaScript wants it")]
impl ToNapiValue for Shared {
    unsafe fn to_napi_value(env: sys::napi_env, value: Shared) -> napi::Result<sys::napi_value> {
        // SAFETY: `env` is the one that the caller was called with.
        unsafe { <&str>::to_napi_value(env, &value.0) }
    }
}
