//! Durable consumers: a named cursor that remembers what was acknowledged.

use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, params};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::Filter;
use super::queries::{EventPage, read_page};
use super::subscription::Subscription;
use crate::error::{Error, Result};
use crate::hub::{Check, Scope};
use crate::id;
use crate::lists::{self, Budget};
use crate::log;
use crate::operations::Compose;
use crate::pipeline::command::Change;
use crate::pipeline::decide::Decide;

/// Input of `consumer.open`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenConsumer {
    /// The consumer's name.
    pub name: String,
    /// Which events it hears; given again, it replaces the filter. Everything when left out the first time.
    #[serde(default, deserialize_with = "crate::input::object")]
    pub filter: Option<Filter>,
    /// Where a new consumer starts: after this `seq`; from now when left out.
    #[serde(default)]
    pub after: Option<u64>,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

/// A consumer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Consumer {
    /// Its name.
    pub name: String,
    /// Which events it hears.
    pub filter: Filter,
    /// The last `seq` it acknowledged.
    pub acked: u64,
}

fn get(db: &Connection, name: &str) -> Result<Option<Consumer>> {
    let row: Option<(String, i64)> = db
        .prepare_cached("SELECT filter, acked FROM consumer WHERE name = ?1")?
        .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    row.map(|(filter, acked)| {
        let filter = serde_json::from_str(&filter)
            .map_err(|e| Error::storage(format!("the file is damaged: a consumer cannot be read: {e}")))?;
        Ok(Consumer { name: name.to_owned(), filter, acked: acked as u64 })
    })
    .transpose()
}

fn need(db: &Connection, name: &str) -> Result<Consumer> {
    id::check_name("name", name)?;
    get(db, name)?.ok_or_else(|| Error::not_found("consumer", name).hint("open it first (consumer.open)"))
}

impl Change for OpenConsumer {
    type Output = Consumer;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Consumer> {
        const MOST: i64 = 10_000;
        id::check_name("name", &self.name)?;
        if let Some(filter) = &self.filter {
            filter.check().map_err(|error| error.within("filter"))?;
        }
        let head = log::check_reached(cx.db, "after", self.after.unwrap_or(0))?;
        let consumer = match get(cx.db, &self.name)? {
            Some(known) => Consumer { filter: self.filter.clone().unwrap_or(known.filter), ..known },
            None => {
                let count: i64 = cx.db.query_row("SELECT count(*) FROM consumer", [], |row| row.get(0))?;
                if count >= MOST {
                    return Err(Error::limit("consumers of a hub", MOST as u64, count as u64 + 1));
                }
                Consumer {
                    name: self.name.clone(),
                    filter: self.filter.clone().unwrap_or_default(),
                    acked: self.after.unwrap_or(head),
                }
            }
        };
        let filter = serde_json::to_string(&consumer.filter).map_err(|e| Error::internal(e.to_string()))?;
        cx.db.prepare_cached("INSERT OR REPLACE INTO consumer VALUES (?1, ?2, ?3, ?4)")?.execute(params![
            consumer.name,
            filter,
            consumer.acked as i64,
            cx.now.millis()
        ])?;
        Ok(consumer)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Input of `consumer.ack`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AckConsumer {
    /// The consumer.
    pub name: String,
    /// Everything up to this `seq` is done; an older one than before changes nothing.
    pub seq: u64,
    /// A repeated call with this key gets the first one's answer.
    #[serde(default)]
    pub idempotency_key: Option<String>,
}

impl Change for AckConsumer {
    type Output = Consumer;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<Consumer> {
        let mut consumer = need(cx.db, &self.name)?;
        log::check_reached(cx.db, "seq", self.seq)?;
        if self.seq > consumer.acked {
            consumer.acked = self.seq;
            cx.db
                .prepare_cached("UPDATE consumer SET acked = ?2, time = ?3 WHERE name = ?1")?
                .execute(params![self.name, self.seq as i64, cx.now.millis()])?;
        }
        Ok(consumer)
    }

    fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }
}

/// Input of `consumer.read`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadConsumer {
    /// The consumer.
    pub name: String,
    /// At most this many, 1 to 1,000; 100 when left out.
    #[serde(default)]
    pub limit: Option<u64>,
    /// Seconds to wait for the first event when there is none, at most 3,600.
    #[serde(default)]
    pub wait_seconds: Option<f64>,
    /// At most this many tokens, reckoned as bytes of JSON / 4: the first that fit.
    #[serde(default)]
    pub max_tokens: Option<u64>,
}

impl Compose for ReadConsumer {
    type Output = EventPage;

    fn compose(self, scope: &Scope<'_>, check: &mut Check<'_>) -> Result<EventPage> {
        let limit = lists::page_size(self.limit)?;
        let wait = wait_time(self.wait_seconds)?;
        let start = Instant::now();
        let consumer = scope.core.storage.read(|reader| need(reader.db, &self.name))?;
        let mut after = consumer.acked;
        let mut subscription: Option<Subscription> = None;
        loop {
            let page = read_page(
                scope.core,
                scope.by,
                &consumer.filter,
                after,
                limit,
                Budget::new(self.max_tokens)?,
            )?;
            let left = wait.saturating_sub(start.elapsed());
            if !page.events.is_empty() || page.gap.is_some() || left.is_zero() {
                return Ok(page);
            }
            if page.at_end && subscription.is_none() {
                let live =
                    Subscription::open(scope.core, consumer.filter.clone(), scope.by, Some(page.position))?;
                subscription = Some(live);
            }
            after = page.position;
            if let Some(live) = subscription.as_mut() {
                live.next_until(left, check)?;
            }
        }
    }
}

/// The longest that any call may wait.
pub(crate) fn wait_time(seconds: Option<f64>) -> Result<Duration> {
    const MOST: f64 = 3_600.0;
    match seconds.unwrap_or(0.0) {
        seconds if (0.0..=MOST).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        seconds => Err(Error::invalid("wait_seconds", seconds, format_args!("must be from 0 to {MOST}"))),
    }
}
