//! Time, handed in.
//!
//! The engine never asks the machine for the time by itself: it asks a [`Clock`], so that a test or a simulation decides
//! what time it is. There are two readings. The *wall* says what to write on an event and may jump; the *boot* clock
//! only ever runs forward and counts every span that matters (leases, waits).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Datelike, NaiveDateTime, Timelike};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment in UTC with millisecond precision; on the wire `2026-01-14T14:50:30.123Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(pub i64);

impl Time {
    /// The moment this many milliseconds after 1970-01-01T00:00:00Z.
    pub fn from_millis(millis: i64) -> Time {
        Time(millis)
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// The moment `seconds` later (or earlier, when negative); stays within the range that can be written.
    pub fn plus_seconds(self, seconds: f64) -> Time {
        Time(self.0.saturating_add((seconds * 1000.0) as i64).clamp(MIN_MILLIS, MAX_MILLIS))
    }

    /// Seconds from `earlier` to this moment; negative when this moment is the earlier one.
    pub fn seconds_since(self, earlier: Time) -> f64 {
        (self.0 - earlier.0) as f64 / 1000.0
    }

    /// Reads RFC 3339, with or without a fraction of a second and with any offset.
    pub fn parse(text: &str) -> Option<Time> {
        let millis = DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis();
        (MIN_MILLIS..=MAX_MILLIS).contains(&millis).then_some(Time(millis))
    }
}

const MIN_MILLIS: i64 = -62_135_596_800_000; // 0001-01-01
const MAX_MILLIS: i64 = 253_402_300_799_999; // 9999-12-31

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = moment(self.0);
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            at.year(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            self.0.rem_euclid(1000)
        )
    }
}

fn moment(millis: i64) -> NaiveDateTime {
    DateTime::from_timestamp_millis(millis.clamp(MIN_MILLIS, MAX_MILLIS)).unwrap_or_default().naive_utc()
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Written digit by digit: every event carries several of these.
        let at = moment(self.0);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut put = |from: usize, width: usize, mut value: u32| {
            for digit in text.iter_mut().skip(from).take(width).rev() {
                *digit = b'0' + (value % 10) as u8;
                value /= 10;
            }
        };
        put(0, 4, at.year().unsigned_abs());
        put(5, 2, at.month());
        put(8, 2, at.day());
        put(11, 2, at.hour());
        put(14, 2, at.minute());
        put(17, 2, at.second());
        put(20, 3, self.0.rem_euclid(1000) as u32);
        serializer.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Time::parse(&text).ok_or_else(|| de::Error::custom("must be a time such as 2026-01-14T14:50:30.123Z"))
    }
}

impl JsonSchema for Time {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Time".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

/// Where the engine reads the time.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock: may jump in both directions.
    fn wall(&self) -> Time;
    /// Time since some fixed start; never runs backwards and counts while the process or the machine sleeps.
    fn boot(&self) -> Duration;
}

/// The machine's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn wall(&self) -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Time(since.as_millis() as i64)
    }

    fn boot(&self) -> Duration {
        folkmoot_sys::clock::boot_time()
    }
}

/// A clock that stands still until it is moved: for tests and simulations.
#[derive(Debug)]
pub struct ManualClock {
    wall: AtomicI64,
    boot: AtomicU64,
}

impl ManualClock {
    /// A clock that stands at this moment.
    pub fn at(wall: Time) -> Arc<ManualClock> {
        Arc::new(ManualClock { wall: AtomicI64::new(wall.0), boot: AtomicU64::new(0) })
    }

    /// Moves both readings forward.
    pub fn advance(&self, by: Duration) {
        self.wall.fetch_add(by.as_millis() as i64, Ordering::SeqCst);
        self.boot.fetch_add(by.as_nanos() as u64, Ordering::SeqCst);
    }

    /// Moves the wall clock alone, as an administrator or NTP might.
    pub fn jump_wall(&self, seconds: f64) {
        self.wall.fetch_add((seconds * 1000.0) as i64, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn wall(&self) -> Time {
        Time(self.wall.load(Ordering::SeqCst))
    }

    fn boot(&self) -> Duration {
        Duration::from_nanos(self.boot.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_time_survives_the_wire_and_reads_shorter_forms() {
        for millis in [0, -1, 1_768_402_230_123, MAX_MILLIS, MIN_MILLIS] {
            let text = serde_json::to_string(&Time(millis)).unwrap();
            assert_eq!(serde_json::from_str::<Time>(&text).unwrap(), Time(millis), "{text}");
            assert_eq!(text, format!("\"{}\"", Time(millis)));
        }
        assert_eq!(Time::parse("2026-01-14T14:50:30Z"), Time::parse("2026-01-14T15:50:30.000+01:00"));
        assert_eq!(Time::parse("yesterday"), None);
    }
}
