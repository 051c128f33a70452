//! Python objects to JSON text, with an error that names the field and the value that has no place in JSON.

use std::fmt;

use folkmoot_engine::Error;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple};

use crate::error::to_python;

/// Deeper than any limit of the engine, and far from the end of the stack.
const DEEPEST: usize = 120;

/// The input of an operation as JSON text: a dict with names as keys.
pub fn input(given: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let mut out = Vec::with_capacity(128);
    let written = match given.cast::<PyDict>() {
        Ok(dict) => write_dict(dict, &mut out, 0),
        Err(_) => Err(Bad::new(given, "must be a dict of fields and values")),
    };
    written.map(|()| out).map_err(|bad| to_python(given.py(), &bad.error()))
}

/// Any value as JSON text.
pub fn value(given: &Bound<'_, PyAny>) -> folkmoot_engine::Result<Vec<u8>> {
    let mut out = Vec::new();
    write(given, &mut out, 0).map(|()| out).map_err(|bad| bad.error())
}

/// A value that JSON cannot hold, and the way to it, innermost first.
struct Bad {
    way: Vec<String>,
    value: String,
    must: String,
}

impl Bad {
    fn new(value: &Bound<'_, PyAny>, must: impl fmt::Display) -> Bad {
        let value =
            value.repr().map_or_else(|_| "something that has no repr".to_owned(), |text| text.to_string());
        Bad { way: Vec::new(), value, must: must.to_string() }
    }

    fn under(mut self, step: String) -> Bad {
        self.way.push(step);
        self
    }

    fn error(&self) -> Error {
        let mut field = String::new();
        for step in self.way.iter().rev() {
            if !field.is_empty() && !step.starts_with('[') {
                field.push('.');
            }
            field.push_str(step);
        }
        let field = if field.is_empty() { "input" } else { &field };
        Error::invalid(field, self.value.as_str(), &self.must)
    }
}

fn write(value: &Bound<'_, PyAny>, out: &mut Vec<u8>, depth: usize) -> Result<(), Bad> {
    if let Ok(text) = value.cast::<PyString>() {
        write_text(text, out)
    } else if let Ok(dict) = value.cast::<PyDict>() {
        write_dict(dict, out, depth)
    } else if value.is_none() {
        out.extend_from_slice(b"null");
        Ok(())
    } else if let Ok(truth) = value.cast::<PyBool>() {
        out.extend_from_slice(if truth.is_true() { b"true" } else { b"false" });
        Ok(())
    } else if let Ok(number) = value.cast::<PyInt>() {
        write_whole(number, out)
    } else if let Ok(number) = value.cast::<PyFloat>() {
        write_float(number, out)
    } else if let Ok(list) = value.cast::<PyList>() {
        write_items(value, list.iter(), out, depth)
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        write_items(value, tuple.iter(), out, depth)
    } else if let Ok(set) = value.cast::<PySet>() {
        write_items(value, set.iter(), out, depth)
    } else if let Ok(set) = value.cast::<PyFrozenSet>() {
        write_items(value, set.iter(), out, depth)
    } else {
        write_other(value, out)
    }
}

fn write_dict(dict: &Bound<'_, PyDict>, out: &mut Vec<u8>, depth: usize) -> Result<(), Bad> {
    check_depth(dict.as_any(), depth)?;
    out.push(b'{');
    let mut first = true;
    for (name, value) in dict.iter() {
        if !first {
            out.push(b',');
        }
        first = false;
        let Ok(name) = name.cast::<PyString>() else {
            return Err(Bad::new(&name, "must have text as its keys"));
        };
        write_text(name, out)?;
        out.push(b':');
        write(&value, out, depth + 1).map_err(|bad| bad.under(name.to_string()))?;
    }
    out.push(b'}');
    Ok(())
}

fn write_items<'py>(
    whole: &Bound<'py, PyAny>,
    items: impl Iterator<Item = Bound<'py, PyAny>>,
    out: &mut Vec<u8>,
    depth: usize,
) -> Result<(), Bad> {
    check_depth(whole, depth)?;
    out.push(b'[');
    for (at, item) in items.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(&item, out, depth + 1).map_err(|bad| bad.under(format!("[{at}]")))?;
    }
    out.push(b']');
    Ok(())
}

/// Also ends what holds itself.
fn check_depth(value: &Bound<'_, PyAny>, depth: usize) -> Result<(), Bad> {
    if depth < DEEPEST {
        return Ok(());
    }
    Err(Bad::new(value.get_type().as_any(), format_args!("is nested deeper than {DEEPEST}")))
}

fn write_text(text: &Bound<'_, PyString>, out: &mut Vec<u8>) -> Result<(), Bad> {
    let Ok(text) = text.to_cow() else {
        return Err(Bad::new(text.as_any(), "must be text in Unicode, without lone surrogates"));
    };
    // Writing text into memory cannot fail.
    serde_json::to_writer(out, &text).map_err(|error| Bad {
        way: Vec::new(),
        value: String::new(),
        must: error.to_string(),
    })
}

fn write_whole(number: &Bound<'_, PyInt>, out: &mut Vec<u8>) -> Result<(), Bad> {
    if let Ok(whole) = number.extract::<i64>() {
        out.extend_from_slice(whole.to_string().as_bytes());
    } else if let Ok(whole) = number.extract::<u64>() {
        out.extend_from_slice(whole.to_string().as_bytes());
    } else {
        return Err(Bad::new(number.as_any(), "must be from -2^63 to 2^64 - 1; give larger numbers as text"));
    }
    Ok(())
}

fn write_float(number: &Bound<'_, PyFloat>, out: &mut Vec<u8>) -> Result<(), Bad> {
    let value = number.value();
    if !value.is_finite() {
        return Err(Bad::new(number.as_any(), "must be a finite number"));
    }
    out.extend_from_slice(
        serde_json::Number::from_f64(value).map_or_else(String::new, |n| n.to_string()).as_bytes(),
    );
    Ok(())
}

/// A time becomes RFC 3339 in UTC, a UUID its text; anything else has no place in JSON.
fn write_other(value: &Bound<'_, PyAny>, out: &mut Vec<u8>) -> Result<(), Bad> {
    const MUST: &str = "must be None, bool, int, float, str, list, tuple, set, dict, or a datetime or UUID";
    let is = |module: &str, class: &str| {
        let class = value.py().import(module).and_then(|module| module.getattr(class));
        class.and_then(|class| value.is_instance(&class)).unwrap_or(false)
    };
    if is("uuid", "UUID") {
        return write_text(&value.str().map_err(|_| Bad::new(value, MUST))?, out);
    }
    if !is("datetime", "datetime") {
        return Err(Bad::new(value, MUST));
    }
    match utc_text(value) {
        Ok(Some(text)) => serde_json::to_writer(out, &text).map_err(|_| Bad::new(value, MUST)),
        Ok(None) => Err(Bad::new(value, "must have a time zone, as datetime.now(timezone.utc) has")),
        Err(_) => Err(Bad::new(value, "must be a time of the years 1 to 9999")),
    }
}

fn utc_text(time: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    if time.getattr("tzinfo")?.is_none() {
        return Ok(None);
    }
    let utc = time.py().import("datetime")?.getattr("timezone")?.getattr("utc")?;
    let text: String = time
        .call_method1("astimezone", (utc,))?
        .call_method1("isoformat", ("T", "milliseconds"))?
        .extract()?;
    Ok(Some(text.replace("+00:00", "Z")))
}
