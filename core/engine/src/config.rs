//! One configuration, the same keys everywhere: Rust, Python, Node, a TOML file, `FOLKMOOT_…` variables, flags.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// What a durable write waits for before it is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// The disk has it (fsync): survives loss of power. The default.
    #[default]
    Full,
    /// The operating system has it: survives a killed process.
    Normal,
    /// No promise beyond the running process.
    Memory,
}

/// How a hub behaves. Every key has a default; an unknown key is an error that names the nearest right one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HubConfig {
    /// What a durable write waits for: `full`, `normal` or `memory`.
    pub durability: Durability,
    /// Refuse every changing operation.
    pub read_only: bool,
    /// Create the file when it is not there.
    pub create: bool,

    /// Seconds without a heartbeat after which an agent is offline.
    pub presence_ttl_seconds: f64,
    /// Seconds without activity after which an active agent is idle.
    pub idle_after_seconds: f64,
    /// Seconds between two `agent.status` summaries; 0 turns them off.
    pub status_interval_seconds: f64,
    /// Leave a summary out when nothing changed since the last one.
    pub status_skip_unchanged: bool,
    /// Seconds that a claim lasts when the call does not say.
    pub lease_seconds: f64,
    /// Seconds before a failed task is tried again; doubles with each attempt, up to 300. 0 tries at once.
    pub retry_seconds: f64,
    /// Seconds that a task stays reserved for an agent that went offline, when a caller named that agent; 0 keeps it for
    /// ever. What the engine assigned is given on at once.
    pub reservation_seconds: f64,
    /// Seconds after which an open task that nobody took counts as one priority higher; 0 turns that off.
    pub ageing_seconds: f64,
    /// Milliseconds that relaxed updates may wait before they are written.
    pub flush_milliseconds: u64,
    /// How many relaxed updates may wait; past it they are folded together and counted.
    pub relaxed_queue: u64,
    /// Seconds that a call waits for its turn to write.
    pub write_timeout_seconds: f64,

    /// How many events the log keeps.
    pub retain_events: u64,
    /// Days that the log keeps an event.
    pub retain_days: f64,
    /// Minutes that relaxed events are kept.
    pub retain_pulse_minutes: f64,
    /// Keep, beside the file, the tables as of the last event that retention took, so that time travel reaches back to
    /// there. It takes as much room as the tables.
    pub retain_past: bool,
    /// Versions kept of each memory key.
    pub retain_versions: u64,
    /// How many activities the feed keeps at most.
    pub retain_activities: u64,
    /// Days that the feed keeps an activity.
    pub retain_activity_days: f64,
    /// How many of the newest activities stay however old they are.
    pub retain_activities_least: u64,
    /// Hours that an idempotency key is remembered.
    pub idempotency_hours: f64,

    /// Bytes of one value (memory, task result, payload).
    pub max_value_bytes: u64,
    /// Bytes of one message's content.
    pub max_message_bytes: u64,
    /// Bytes of one `metadata`.
    pub max_metadata_bytes: u64,
    /// Nesting of any JSON given.
    pub max_json_depth: u64,
    /// Bytes of any other text field.
    pub max_text_bytes: u64,
    /// Items of any list given in one call.
    pub max_items: u64,
    /// Subscriptions open at once in one hub.
    pub max_subscriptions: u64,
    /// Events that wait in memory for one subscriber before it reads on from the log.
    pub subscription_queue: u64,
    /// Agents known at once.
    pub max_agents: u64,
    /// Sessions active at once.
    pub max_sessions: u64,
    /// Clients connected to one session at once, when its start does not say.
    pub max_clients: u64,
    /// Participants of one session, those invited counted.
    pub max_participants: u64,
    /// Channels of one session.
    pub max_channels: u64,
}

impl Default for HubConfig {
    fn default() -> HubConfig {
        HubConfig {
            durability: Durability::Full,
            read_only: false,
            create: true,
            presence_ttl_seconds: 30.0,
            idle_after_seconds: 60.0,
            status_interval_seconds: 2.0,
            status_skip_unchanged: false,
            lease_seconds: 60.0,
            retry_seconds: 1.0,
            reservation_seconds: 300.0,
            ageing_seconds: 600.0,
            flush_milliseconds: 5,
            relaxed_queue: 100_000,
            write_timeout_seconds: 10.0,
            retain_events: 1_000_000,
            retain_days: 30.0,
            retain_pulse_minutes: 10.0,
            retain_past: true,
            retain_versions: 100,
            retain_activities: 1_000_000,
            retain_activity_days: 30.0,
            retain_activities_least: 1_000,
            idempotency_hours: 24.0,
            max_value_bytes: 1 << 20,
            max_message_bytes: 256 << 10,
            max_metadata_bytes: 64 << 10,
            max_json_depth: 64,
            max_text_bytes: 64 << 10,
            max_items: 1_000,
            max_subscriptions: 10_000,
            subscription_queue: 1_024,
            max_agents: 100_000,
            max_sessions: 10_000,
            max_clients: 10,
            max_participants: 100,
            max_channels: 100,
        }
    }
}

impl HubConfig {
    /// Reads a configuration from a JSON object.
    pub fn from_json(value: &Value) -> Result<HubConfig> {
        let Value::Object(given) = value else {
            return Err(Error::invalid("config", value.clone(), "must be an object of keys and values"));
        };
        let known = HubConfig::keys();
        for (key, value) in given {
            if !known.contains_key(key) {
                return Err(unknown_key(key, value, known.keys()));
            }
        }
        let config: HubConfig = crate::input::read_input(value.to_string().as_bytes())?;
        config.check()?;
        Ok(config)
    }

    /// Reads a configuration from TOML text.
    ///
    /// ```
    /// let config = folkmoot_engine::HubConfig::from_toml("durability = \"normal\"\nlease_seconds = 30")?;
    /// assert_eq!(config.lease_seconds, 30.0);
    /// let wrong = folkmoot_engine::HubConfig::from_toml("lease_secs = 30").unwrap_err();
    /// assert!(wrong.hint_text().unwrap().contains("lease_seconds"));
    /// # Ok::<(), folkmoot_engine::Error>(())
    /// ```
    pub fn from_toml(text: &str) -> Result<HubConfig> {
        let table: Map<String, Value> = toml::from_str(text)
            .map_err(|e| Error::invalid("config", Value::Null, format_args!("is not TOML: {e}")))?;
        HubConfig::from_json(&Value::Object(table))
    }

    /// Lays `FOLKMOOT_…` variables over this configuration (`FOLKMOOT_LEASE_SECONDS=30`).
    ///
    /// Variables that name no key are an error, so that a misspelt one is noticed. Names that start with
    /// `FOLKMOOT_CLI_` or `FOLKMOOT_TEST_` are not looked at.
    pub fn with_env(&self, vars: impl Iterator<Item = (String, String)>) -> Result<HubConfig> {
        let mut whole = serde_json::to_value(self).unwrap_or_default();
        let keys = HubConfig::keys();
        for (name, text) in vars {
            let Some(rest) = name.strip_prefix("FOLKMOOT_") else { continue };
            if rest.starts_with("CLI_") || rest.starts_with("TEST_") {
                continue;
            }
            let key = rest.to_lowercase();
            let Some(default) = keys.get(&key) else {
                return Err(unknown_key(&key, &Value::String(text), keys.keys()).with("variable", name));
            };
            let value = match default {
                Value::String(_) => Value::String(text),
                _ => serde_json::from_str(&text).unwrap_or(Value::String(text)),
            };
            if let Value::Object(fields) = &mut whole {
                fields.insert(key, value);
            }
        }
        HubConfig::from_json(&whole)
    }

    /// The configuration that a program was given: keys of a JSON object over the environment over TOML text, each where
    /// it is wanted.
    pub fn layered(toml: Option<&str>, environment: bool, given: &[u8]) -> Result<HubConfig> {
        let base = toml.map_or_else(|| Ok(HubConfig::default()), HubConfig::from_toml)?;
        let base = if environment { base.with_env(std::env::vars())? } else { base };
        let mut whole = serde_json::to_value(base).unwrap_or_default();
        let given = crate::input::read_input::<crate::json::Json>(given)?.to_value();
        if let (Some(whole), Some(given)) = (whole.as_object_mut(), given.as_object()) {
            whole.extend(given.clone());
        }
        HubConfig::from_json(&whole)
    }

    /// Every key with its default.
    pub fn keys() -> BTreeMap<String, Value> {
        match serde_json::to_value(HubConfig::default()) {
            Ok(Value::Object(fields)) => fields.into_iter().collect(),
            _ => BTreeMap::new(),
        }
    }

    /// Refuses figures that make no sense.
    pub fn check(&self) -> Result<()> {
        for (field, value, least) in [
            ("presence_ttl_seconds", self.presence_ttl_seconds, 0.05),
            ("idle_after_seconds", self.idle_after_seconds, 0.05),
            ("status_interval_seconds", self.status_interval_seconds, 0.0),
            ("lease_seconds", self.lease_seconds, 0.05),
            ("retry_seconds", self.retry_seconds, 0.0),
            ("reservation_seconds", self.reservation_seconds, 0.0),
            ("ageing_seconds", self.ageing_seconds, 0.0),
            ("write_timeout_seconds", self.write_timeout_seconds, 0.01),
            ("retain_days", self.retain_days, 0.0),
            ("retain_pulse_minutes", self.retain_pulse_minutes, 0.0),
            ("retain_activity_days", self.retain_activity_days, 0.0),
            ("idempotency_hours", self.idempotency_hours, 0.0),
        ] {
            if !(value.is_finite() && value >= least && value <= 1e9) {
                return Err(Error::invalid(field, value, format_args!("must be from {least} to 1000000000")));
            }
        }
        for (field, value, least) in [
            ("retain_events", self.retain_events, 1),
            ("retain_versions", self.retain_versions, 1),
            ("retain_activities", self.retain_activities, 1),
            ("relaxed_queue", self.relaxed_queue, 1),
            ("subscription_queue", self.subscription_queue, 1),
            ("max_items", self.max_items, 1),
            ("max_clients", self.max_clients, 1),
            ("max_participants", self.max_participants, 1),
            ("max_channels", self.max_channels, 4),
            ("max_json_depth", self.max_json_depth, 1),
        ] {
            if value < least {
                return Err(Error::invalid(field, value, format_args!("must be at least {least}")));
            }
        }
        if self.max_json_depth > 100 {
            return Err(Error::invalid("max_json_depth", self.max_json_depth, "must be at most 100"));
        }
        if self.flush_milliseconds > 10 {
            return Err(Error::invalid("flush_milliseconds", self.flush_milliseconds, "must be at most 10"));
        }
        Ok(())
    }
}

fn unknown_key<'a>(key: &str, value: &Value, known: impl Iterator<Item = &'a String>) -> Error {
    let nearest = known
        .map(|name| (strsim::jaro_winkler(key, name), name))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let error = Error::invalid(key, value.clone(), "is not a configuration key");
    match nearest {
        Some((_, name)) => error.hint(format!("did you mean {name:?}?")).with("nearest", name.clone()),
        None => error.hint("the keys are listed in docs/reference/config.md"),
    }
}
