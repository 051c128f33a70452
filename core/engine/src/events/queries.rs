//! Reading the log, and how the hub is.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::event::{Event, Wire};
use super::filter::Filter;
use crate::clock::Time;
use crate::core::Core;
use crate::error::Result;
use crate::hooks::HookStats;
use crate::hub::{Check, Scope};
use crate::json::Json;
use crate::lists::{self, Budget};
use crate::log;
use crate::memory::access::Viewer;
use crate::operations::Compose;
use crate::principal::Principal;

/// Events looked at before a page is given although it is not full: a narrow filter over a long log.
const MOST_LOOKED_AT: usize = 20_000;

/// Input of `event.read`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// Events after this `seq`; from the start when left out.
    #[serde(default)]
    pub after: Option<u64>,
    /// Which events.
    #[serde(default, deserialize_with = "crate::input::object")]
    pub filter: Option<Filter>,
    /// At most this many, 1 to 1,000; 100 when left out.
    #[serde(default)]
    pub limit: Option<u64>,
    /// At most this many tokens, reckoned as bytes of JSON / 4: the first that fit.
    #[serde(default)]
    pub max_tokens: Option<u64>,
}

/// A page of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventPage {
    /// The events, oldest first.
    #[schemars(with = "Vec<Wire<'static>>")]
    pub events: Vec<Json>,
    /// How many of the page were left out for `max_tokens`; reading on from `position` gives them.
    pub left_out: u64,
    /// The last `seq` that was looked at: read on with `after` this.
    pub position: u64,
    /// Whether the end of the log was reached.
    pub at_end: bool,
    /// The first and last `seq` that retention took, when it took some after `after`.
    pub gap: Option<Gap>,
}

/// What retention took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// The first `seq`.
    pub from: u64,
    /// The last `seq`.
    pub to: u64,
}

impl Compose for Read {
    type Output = EventPage;

    fn compose(self, scope: &Scope<'_>, _: &mut Check<'_>) -> Result<EventPage> {
        let filter = self.filter.unwrap_or_default();
        filter.check().map_err(|error| error.within("filter"))?;
        let limit = lists::page_size(self.limit)?;
        let budget = Budget::new(self.max_tokens)?;
        let after = self.after.unwrap_or(0);
        scope.core.storage.read_one(|reader| log::check_reached(reader.db, "after", after))?;
        read_page(scope.core, scope.by, &filter, after, limit, budget)
    }
}

/// Reads the next events that a filter wants and a principal may see.
pub(crate) fn read_page(
    core: &Arc<Core>,
    by: &Principal,
    filter: &Filter,
    after: u64,
    limit: usize,
    mut budget: Budget,
) -> Result<EventPage> {
    const STEP: usize = 500;
    let mut viewer = Viewer::new(by.clone());
    let (base, _) = core.storage.read(|reader| log::base(reader.db))?;
    let gap = (base > after).then_some(Gap { from: after + 1, to: base });
    let mut page =
        EventPage { events: Vec::new(), left_out: 0, position: after.max(base), at_end: false, gap };
    let mut read_to = page.position;
    let mut looked_at = 0;
    while page.count() < limit && looked_at < MOST_LOOKED_AT {
        let events = core.storage.read(|reader| log::read(reader.db, core.storage.hub_id, read_to, STEP))?;
        let last_step = events.len() < STEP;
        for event in events {
            if page.count() == limit {
                return Ok(page);
            }
            looked_at += 1;
            read_to = event.seq;
            if filter.matches(&event) && viewer.may_see(core, &event)? {
                if page.left_out > 0 || !budget.take(event.wire().len())? {
                    page.left_out += 1;
                    continue;
                }
                page.events.push(wire(&event));
            }
            page.position = if page.left_out == 0 { read_to } else { page.position };
        }
        if last_step {
            page.at_end = page.left_out == 0;
            break;
        }
    }
    Ok(page)
}

impl EventPage {
    /// How many events the page would have without `max_tokens`.
    fn count(&self) -> usize {
        self.events.len() + self.left_out as usize
    }
}

/// An event as it is sent.
pub(crate) fn wire(event: &Event) -> Json {
    Json::from_text(event.wire().as_ref().to_owned()).unwrap_or_default()
}

/// Input of `hub.status`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HubStatus {}

/// How the hub is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatusOf {
    /// The version of folkmoot.
    pub version: String,
    /// The file.
    pub path: String,
    /// The schema of the file.
    pub format: i64,
    /// The newest `seq`.
    pub seq: u64,
    /// The last `seq` that retention took.
    pub base_seq: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// What a durable write waits for.
    pub durability: crate::config::Durability,
    /// Subscriptions in this process.
    pub subscriptions: u64,
    /// Relaxed updates that were folded together since this process opened the hub.
    pub coalesced: u64,
    /// The time of the hub's clock.
    pub time: Time,
}

impl Compose for HubStatus {
    type Output = StatusOf;

    fn compose(self, scope: &Scope<'_>, _: &mut Check<'_>) -> Result<StatusOf> {
        let core = scope.core;
        let (head, base) = core.storage.read(|reader| Ok((log::head(reader.db)?, log::base(reader.db)?)))?;
        let path = core.past.as_ref().map_or(&core.storage.path, |past| &past.path);
        Ok(StatusOf {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            path: path.display().to_string(),
            format: crate::storage::schema::FORMAT,
            seq: head.seq,
            base_seq: base.0,
            file_bytes: std::fs::metadata(&core.storage.path).map(|meta| meta.len()).unwrap_or(0),
            durability: core.config.durability,
            subscriptions: core.publisher.count() as u64,
            coalesced: core.relaxed.coalesced.load(std::sync::atomic::Ordering::Relaxed),
            time: core.seams.clock.wall(),
        })
    }
}

/// Input of `hub.stats`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HubStats {}

/// How much of everything there is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Stats {
    /// Agents by status.
    pub agents: BTreeMap<String, u64>,
    /// Tasks by status.
    pub tasks: BTreeMap<String, u64>,
    /// Sessions by state.
    pub sessions: BTreeMap<String, u64>,
    /// Messages.
    pub messages: u64,
    /// Keys of memory that are there.
    pub memory_keys: u64,
    /// Durable events in the log, by kind.
    pub events: BTreeMap<String, u64>,
    /// The time of the newest durable event.
    pub last_event_at: Option<Time>,
    /// The hooks of the process that was asked, by name.
    #[serde(default)]
    pub hooks: Vec<HookStats>,
}

impl Compose for HubStats {
    type Output = Stats;

    fn compose(self, scope: &Scope<'_>, _: &mut Check<'_>) -> Result<Stats> {
        scope.core.storage.read(|reader| {
            let db = reader.db;
            let counts = |sql: &str| -> Result<BTreeMap<String, u64>> {
                let mut statement = db.prepare_cached(sql)?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            };
            let one = |sql: &str| -> Result<u64> {
                Ok(db.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0))? as u64)
            };
            let last: Option<i64> = db
                .prepare_cached("SELECT (SELECT time FROM event ORDER BY seq DESC LIMIT 1)")?
                .query_row([], |row| row.get(0))?;
            Ok(Stats {
                agents: counts("SELECT status, count(*) FROM presence GROUP BY status")?,
                tasks: counts("SELECT status, count(*) FROM task GROUP BY status")?,
                sessions: counts("SELECT state, count(*) FROM session GROUP BY state")?,
                messages: one("SELECT count(*) FROM message")?,
                memory_keys: one("SELECT count(*) FROM memory m WHERE gone = 0
                     AND version = (SELECT max(version) FROM memory WHERE key = m.key)")?,
                events: counts("SELECT kind, count(*) FROM event GROUP BY kind")?,
                last_event_at: last.map(Time::from_millis),
                hooks: scope.core.hooks.stats(),
            })
        })
    }
}

/// The data of an event as a value, for those who want to look inside.
pub fn data_of(event: &Event) -> Value {
    event.data.to_value()
}
