//! How a figure leaves this program, and how times become figures.

use std::time::Duration;

use serde_json::{Map, Value, json};

/// One figure; what else is known about it goes into `more`.
pub fn print(peer: &str, metric: &str, value: f64, unit: &str, more: Value) {
    let mut fields = Map::new();
    fields.insert("peer".into(), json!(peer));
    fields.insert("metric".into(), json!(metric));
    fields.insert("value".into(), rounded(value));
    fields.insert("unit".into(), json!(unit));
    if let Value::Object(more) = more {
        fields.extend(more);
    }
    println!("{}", Value::Object(fields));
}

/// Three decimals: more would be noise.
pub fn rounded(value: f64) -> Value {
    json!((value * 1_000.0).round() / 1_000.0)
}

/// The duration below which the share `part` of all lies, in microseconds.
pub fn percentile_us(times: &mut [Duration], part: f64) -> f64 {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    let index = ((times.len() as f64 * part) as usize).min(last);
    times.get(index).map_or(0.0, |time| time.as_secs_f64() * 1e6)
}
