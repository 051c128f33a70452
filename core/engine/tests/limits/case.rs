//! One limit: a call that just fits, and one that is past it.

use folkmoot_engine::Code;
use serde_json::{Value, json};

use super::stage::{self, call, furnish, is_of_input, seen};

/// A limit of a field.
pub struct Case {
    /// Keys of the configuration that differ from their defaults.
    pub config: Vec<(&'static str, u64)>,
    /// Calls that come first.
    pub before: Vec<(&'static str, Value)>,
    pub call: &'static str,
    pub field: &'static str,
    pub fits: Value,
    pub past: Value,
    pub code: Code,
    pub says: String,
    /// The task `x` is claimed, and the token at this place of the input is the claim's.
    pub held: Option<&'static str>,
}

/// A limit of the field, whose value is put into the input in turn. Past it the call is refused with `limit_exceeded`.
pub fn limit(
    call: &'static str,
    input: Value,
    field: &'static str,
    fits: impl Into<Value>,
    past: impl Into<Value>,
) -> Case {
    let with = |value: Value| {
        let mut input = input.clone();
        put(&mut input, field, value);
        input
    };
    Case {
        config: Vec::new(),
        before: Vec::new(),
        call,
        field,
        fits: with(fits.into()),
        past: with(past.into()),
        code: Code::LimitExceeded,
        says: String::new(),
        held: None,
    }
}

/// A range that the field must lie in. Outside the call is refused with `invalid_input`, which says the range.
pub fn range(
    call: &'static str,
    input: Value,
    field: &'static str,
    fits: impl Into<Value>,
    past: impl Into<Value>,
    says: &str,
) -> Case {
    Case { code: Code::InvalidInput, says: says.to_owned(), ..limit(call, input, field, fits, past) }
}

/// Puts a value at a path such as `entries[0].value`; what is on the way must be there, but for a list of the value alone.
fn put(input: &mut Value, path: &str, value: Value) {
    if let Some(list) = path.strip_suffix("[0]").filter(|list| input.get(list).is_none()) {
        return put(input, list, json!([value]));
    }
    let pointer: String =
        path.split(['.', '[']).map(|part| format!("/{}", part.trim_end_matches(']'))).collect();
    let (inside, last) = pointer.rsplit_once('/').unwrap();
    match input.pointer_mut(inside) {
        Some(Value::Array(list)) => list[last.parse::<usize>().unwrap()] = value,
        Some(Value::Object(fields)) => drop(fields.insert(last.to_owned(), value)),
        _ => panic!("nowhere to put {path} in {input}"),
    }
}

impl Case {
    /// With this key of the configuration.
    pub fn with(mut self, key: &'static str, value: u64) -> Case {
        self.config.push((key, value));
        self
    }

    /// After this call.
    pub fn after(mut self, call: &'static str, input: Value) -> Case {
        self.before.push((call, input));
        self
    }

    /// While `x` holds the task `x`, whose token goes to this place of the input.
    pub fn held(mut self, token: &'static str) -> Case {
        self.held = Some(token);
        self
    }

    /// With these inputs as a whole: the field that the refusal names is not one of them.
    pub fn of(mut self, fits: Value, past: Value) -> Case {
        (self.fits, self.past) = (fits, past);
        self
    }

    /// The refusal's words for the limit (`limit_name`), when it is one.
    pub fn try_out(&self) -> Result<Refused, String> {
        let hub = stage::open(&self.config);
        let token = furnish(&hub, self.held.is_some());
        for (name, input) in &self.before {
            call(&hub, name, input).map_err(|error| format!("{name} before it: {error:?}"))?;
        }
        let with_token = |input: &Value| {
            let mut input = input.clone();
            if let Some(place) = self.held {
                put(&mut input, place, json!(token));
            }
            input
        };
        let before = seen(&hub);
        let error = match call(&hub, self.call, &with_token(&self.past)) {
            Ok(answer) => return Err(format!("past it answered {answer}")),
            Err(error) => error,
        };
        let after = seen(&hub);
        if before != after {
            return Err(format!("the refusal changed something: {before} became {after}"));
        }
        let details = error.details();
        let wants_limit = self.code == Code::LimitExceeded;
        if error.code() != self.code
            || stage::field(&error) != self.field
            || !error.message().starts_with(&format!("{}: ", self.field))
            || !error.message().contains(&self.says)
            || !details.contains_key("value")
            || (wants_limit && !(details.contains_key("limit") && details.contains_key("limit_name")))
        {
            return Err(format!("past it was refused with {error:?}"));
        }
        match call(&hub, self.call, &with_token(&self.fits)) {
            Err(error) if is_of_input(&error) => {
                return Err(format!("what just fits was refused: {error:?}"));
            }
            _ => {}
        }
        hub.check().map_err(|error| error.to_string())?;
        hub.close();
        let name = details.get("limit_name").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Refused { limit_name: name, message: error.message().to_owned() })
    }
}

/// How a case was refused.
pub struct Refused {
    pub limit_name: String,
    pub message: String,
}
