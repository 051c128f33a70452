//! Names and ids.
//!
//! A *name* is given by its user (agents, memory keys, consumers). An *id* is a UUIDv7 that the hub makes, or a name that
//! the caller gives. The id of an event holds the event's `seq`, so that an event is found by its id without an index.

use rand::{RngCore, SeedableRng, rngs::StdRng};
use uuid::{Builder, Uuid};

use crate::clock::Time;
use crate::error::{Error, Result};

/// The longest name, in bytes.
pub const NAME_BYTES: usize = 256;

/// Refuses what is not a name: 1–256 bytes of visible UTF-8 without control characters.
pub fn check_name(field: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.trim().is_empty() {
        return Err(Error::invalid(field, name, "must be 1 to 256 bytes of visible text"));
    }
    if name.len() > NAME_BYTES {
        return Err(Error::invalid(
            field,
            name,
            format_args!("must be at most {NAME_BYTES} bytes, is {}", name.len()),
        )
        .with("limit", NAME_BYTES));
    }
    if name.bytes().any(|b| b < 0x20 || b == 0x7f) || name.chars().any(|c| c.is_control() || is_invisible(c))
    {
        return Err(Error::invalid(field, name, "must not hold control or invisible characters"));
    }
    Ok(())
}

/// Characters that change how other text reads without being seen (bidirectional marks, zero-width, line separators).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// [`check_name`] for a field that may be left out.
pub fn check_optional(field: &str, name: Option<&str>) -> Result<()> {
    name.map_or(Ok(()), |name| check_name(field, name))
}

/// [`check_name`] for each name of a list; the error names the position.
pub fn check_names<S: AsRef<str>>(field: &str, names: &[S]) -> Result<()> {
    names.iter().enumerate().try_for_each(|(i, name)| check_name(&format!("{field}[{i}]"), name.as_ref()))
}

/// Where ids and randomness come from.
pub trait Ids: Send + 'static {
    /// A new id for something made at this time.
    fn next(&mut self, now: Time) -> String;
    /// A number below `bound` (0 when `bound` is 0).
    fn below(&mut self, bound: u64) -> u64;
}

/// Ids from a seeded or a truly random generator.
pub struct RandomIds(StdRng);

impl RandomIds {
    /// Seeded by the operating system.
    pub fn from_os() -> RandomIds {
        RandomIds(StdRng::from_os_rng())
    }

    /// The same ids for the same seed.
    pub fn seeded(seed: u64) -> RandomIds {
        RandomIds(StdRng::seed_from_u64(seed))
    }
}

impl Ids for RandomIds {
    fn next(&mut self, now: Time) -> String {
        let mut random = [0u8; 10];
        self.0.fill_bytes(&mut random);
        Builder::from_unix_timestamp_millis(now.millis().max(0) as u64, &random).into_uuid().to_string()
    }

    fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.0.next_u64() % bound }
    }
}

/// The id of event `seq` in the hub with this identity: a UUIDv8 of 48 bits of the hub and 62 bits of `seq`.
pub fn event_id(hub: [u8; 6], seq: u64) -> Uuid {
    let [a, b, c, d, e, f] = hub;
    let mut bytes = [0u8; 16];
    let tail = seq.to_be_bytes();
    bytes.iter_mut().zip([a, b, c, d, e, f, 0, 0].into_iter().chain(tail)).for_each(|(to, from)| *to = from);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// The `seq` in an event id, when the id was made by the hub with this identity.
pub fn event_seq(hub: [u8; 6], id: &str) -> Option<u64> {
    let id = Uuid::parse_str(id).ok()?;
    let low = id.as_u128() as u64 & ((1 << 62) - 1);
    (event_id(hub, low) == id).then_some(low)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_event_id_gives_its_seq_back_to_its_own_hub_only() {
        let hub = [1, 2, 3, 4, 5, 6];
        for seq in [1, 42, u32::MAX as u64 + 7, (1 << 53) - 1] {
            let id = event_id(hub, seq).to_string();
            assert_eq!(event_seq(hub, &id), Some(seq));
            assert_eq!(event_seq([9; 6], &id), None);
        }
        assert_eq!(event_seq(hub, "not an id"), None);
    }

    #[test]
    fn names_are_visible_text_of_bounded_length() {
        for good in ["claude-1", "plans/q3", "Ünïcode ☂", &"x".repeat(256)] {
            check_name("name", good).unwrap();
        }
        for bad in ["", "   ", "a\nb", "a\0b", "a\u{202e}b", &"x".repeat(257), "tab\t"] {
            let error = check_name("name", bad).unwrap_err();
            assert_eq!(error.code(), crate::Code::InvalidInput, "{bad:?}");
            assert_eq!(error.details()["field"], "name");
        }
    }
}
