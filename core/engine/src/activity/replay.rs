//! Replay: the log of a span or a session as it happened, at its own pace or another.
//!
//! [`Playback`] gives each durable event when its turn has come, by the hub's clock; [`Replay`] answers the same page by
//! page, with the seconds after which each is to be played, for those who keep time themselves. What is played is what
//! the log holds when it begins; what retention has taken is a gap. Relaxed events are not played.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::index;
use crate::clock::Time;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::events::event::{Event, Wire};
use crate::events::filter::Filter;
use crate::events::queries::{Gap, wire};
use crate::events::subscription::Item;
use crate::hub::{Check, Scope};
use crate::json::Json;
use crate::lists;
use crate::log::{self, Stretch};
use crate::memory::access::Viewer;
use crate::operations::Compose;
use crate::principal::Principal;

/// Events read from the log at once.
const PAGE: usize = 200;
/// How long a playback sleeps before it looks whether it should go on.
const SLICE: Duration = Duration::from_millis(20);

/// How fast a replay goes: a multiple of the pace at which it happened, or without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Speed(f64);

impl Speed {
    /// As it happened.
    pub const AS_IT_HAPPENED: Speed = Speed(1.0);
    /// As fast as possible.
    pub const MAX: Speed = Speed(0.0);

    /// So many times as fast; 0 stands for no waiting.
    pub fn times(factor: f64) -> Speed {
        Speed(factor)
    }

    fn check(self) -> Result<()> {
        let Speed(factor) = self;
        if factor == 0.0 || (0.001..=1_000_000.0).contains(&factor) {
            return Ok(());
        }
        Err(Error::invalid("speed", factor, "must be \"max\", 0, or from 0.001 to 1000000"))
    }

    /// The span from the beginning after which something is played.
    fn scaled(self, seconds: f64) -> f64 {
        if self.0 == 0.0 { 0.0 } else { seconds / self.0 }
    }
}

impl std::str::FromStr for Speed {
    type Err = Error;

    fn from_str(text: &str) -> Result<Speed> {
        let speed = match text.trim() {
            "max" => Some(Speed::MAX),
            number => number.parse().ok().map(Speed),
        };
        let speed = speed.ok_or_else(|| Error::invalid("speed", text, "must be a number or \"max\""))?;
        speed.check()?;
        Ok(speed)
    }
}

impl<'de> Deserialize<'de> for Speed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Speed, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Speed;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number or \"max\"")
            }
            fn visit_f64<E: de::Error>(self, factor: f64) -> Result<Speed, E> {
                Ok(Speed(factor))
            }
            fn visit_u64<E: de::Error>(self, factor: u64) -> Result<Speed, E> {
                Ok(Speed(factor as f64))
            }
            fn visit_i64<E: de::Error>(self, factor: i64) -> Result<Speed, E> {
                Ok(Speed(factor as f64))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Speed, E> {
                match text {
                    "max" => Ok(Speed::MAX),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Speed {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Speed".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "number" }, { "type": "string", "enum": ["max"] }] })
    }
}

/// Input of `activity.replay`. Everything that is given must fit; left out, it is the whole log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// Only what happened in this session.
    #[serde(default)]
    pub session_id: Option<String>,
    /// Only what happened at this time or later.
    #[serde(default)]
    pub since: Option<Time>,
    /// Only what happened before this time.
    #[serde(default)]
    pub until: Option<Time>,
    /// How many times as fast as it happened, 0.001 to 1,000,000; 0 or `max` for no waiting; 1 when left out.
    #[serde(default)]
    pub speed: Option<Speed>,
    /// Which events; all when left out.
    #[serde(default, deserialize_with = "crate::input::object")]
    pub filter: Option<Filter>,
    /// Events of this page, 1 to 1,000; 100 when left out. A playback has no pages.
    #[serde(default)]
    pub limit: Option<u64>,
    /// The `next_cursor` of the page before.
    #[serde(default)]
    pub cursor: Option<String>,
}

/// A page of a replay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReplayPage {
    /// The events in their order, each with its turn.
    pub events: Vec<Played>,
    /// The first and last `seq` that retention took, when the span may have held some of them; on the first page only.
    pub gap: Option<Gap>,
    /// Give this as `cursor` for the next page; null at the end.
    pub next_cursor: Option<String>,
}

/// An event with its turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Played {
    /// Seconds from the first event of the replay, at the speed that was asked for.
    pub after_seconds: f64,
    /// The event.
    #[schemars(with = "Wire<'static>")]
    pub event: Json,
}

impl Compose for Replay {
    type Output = ReplayPage;

    fn compose(self, scope: &Scope<'_>, check: &mut Check<'_>) -> Result<ReplayPage> {
        let size = lists::page_size(self.limit)?;
        let speed = self.speed.unwrap_or(Speed::AS_IT_HAPPENED);
        let mut tape = Tape::open(scope.core, scope.by, &self)?;
        let gap = tape.gap.take();
        let turns = tape.turns(size, check)?;
        let played = |(seconds, event): &(f64, Event)| Played {
            after_seconds: speed.scaled(*seconds),
            event: wire(event),
        };
        let next_cursor = (!tape.ended).then(|| tape.place.cursor());
        Ok(ReplayPage { events: turns.iter().map(played).collect(), gap, next_cursor })
    }
}

/// How far a replay has come.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Place {
    after: u64,
    upto: u64,
    /// When the first event happened.
    start: Option<i64>,
    /// Milliseconds from there to the latest event so far: a clock that was set back does not turn the order around.
    furthest: i64,
}

impl Place {
    fn cursor(&self) -> String {
        let start = self.start.map(|start| start.to_string()).unwrap_or_default();
        lists::cursor(&format!("{} {} {} {start}", self.after, self.upto, self.furthest))
    }

    fn read(cursor: &str) -> Result<Place> {
        let bad = || Error::invalid("cursor", cursor, "must be the next_cursor of an earlier answer");
        let place = lists::place(cursor)?;
        let parts: Vec<&str> = place.split(' ').collect();
        let [after, upto, furthest, start] = parts.as_slice() else { return Err(bad()) };
        Ok(Place {
            after: after.parse().map_err(|_| bad())?,
            upto: upto.parse().map_err(|_| bad())?,
            furthest: furthest.parse().map_err(|_| bad())?,
            start: if start.is_empty() { None } else { Some(start.parse().map_err(|_| bad())?) },
        })
    }
}

/// The events of a replay, read page by page.
struct Tape {
    core: Arc<Core>,
    viewer: Viewer,
    replay: Replay,
    filter: Filter,
    place: Place,
    gap: Option<Gap>,
    ended: bool,
}

impl Tape {
    fn open(core: &Arc<Core>, by: &Principal, replay: &Replay) -> Result<Tape> {
        replay.speed.unwrap_or(Speed::AS_IT_HAPPENED).check()?;
        crate::id::check_optional("session_id", replay.session_id.as_deref())?;
        let filter = replay.filter.clone().unwrap_or_default();
        filter.check().map_err(|error| error.within("filter"))?;
        let (place, gap) = match &replay.cursor {
            Some(cursor) => (Place::read(cursor)?, None),
            None => beginning(core, replay.since)?,
        };
        let viewer = Viewer::new(by.clone());
        Ok(Tape { core: core.clone(), viewer, replay: replay.clone(), filter, place, gap, ended: false })
    }

    /// The next events, each with its seconds from the first, at most `size`; none at the end.
    fn turns(&mut self, size: usize, check: &mut Check<'_>) -> Result<Vec<(f64, Event)>> {
        let mut turns = Vec::new();
        while turns.len() < size && !self.ended {
            check()?;
            let hub = self.core.storage.hub_id;
            let stretch = Stretch {
                after: self.place.after,
                upto: self.place.upto,
                session_id: self.replay.session_id.as_deref(),
                since: self.replay.since,
                until: self.replay.until,
            };
            let events =
                self.core.storage.read(|reader| log::read_stretch(reader.db, hub, &stretch, PAGE))?;
            let last_page = events.len() < PAGE;
            for event in events {
                if turns.len() == size {
                    return Ok(turns);
                }
                self.place.after = event.seq;
                if self.filter.matches(&event) && self.viewer.may_see(&self.core, &event)? {
                    turns.push((self.seconds(event.time), event));
                }
            }
            self.ended = last_page;
        }
        Ok(turns)
    }

    fn seconds(&mut self, time: Time) -> f64 {
        let start = *self.place.start.get_or_insert(time.millis());
        self.place.furthest = self.place.furthest.max(time.millis() - start);
        self.place.furthest as f64 / 1_000.0
    }
}

/// Where a replay begins and ends, and what retention took of it.
fn beginning(core: &Core, since: Option<Time>) -> Result<(Place, Option<Gap>)> {
    let (base, upto, oldest) = core.storage.read(|reader| {
        let base = log::base(reader.db)?.0;
        let first = log::read_durable(reader.db, core.storage.hub_id, (base, u64::MAX), false, 1)?;
        Ok((base, index::head(reader.db)?, first.first().map(|event| event.time)))
    })?;
    let spared = since.is_some_and(|since| oldest.is_some_and(|oldest| since > oldest));
    let gap = (base > 0 && !spared).then_some(Gap { from: 1, to: base });
    Ok((Place { after: base, upto, start: None, furthest: 0 }, gap))
}

/// A replay that keeps time: an iterator over events (and a gap, where retention took some), each given when its turn has
/// come by the hub's clock.
///
/// ```
/// use folkmoot_engine::activity::replay::{Replay, Speed};
/// use folkmoot_engine::{Hub, HubConfig, Item, agents};
///
/// let hub = Hub::open(":memory:", HubConfig::default())?;
/// hub.run(agents::Register::new("ana"))?;
/// for item in hub.replay(Replay { speed: Some(Speed::MAX), ..Replay::default() })? {
///     if let Item::Event(event) = item? {
///         assert_eq!(event.kind, "agent.joined");
///     }
/// }
/// hub.close();
/// # Ok::<(), folkmoot_engine::Error>(())
/// ```
pub struct Playback {
    tape: Tape,
    speed: Speed,
    turns: VecDeque<(f64, Item)>,
    /// The boot clock when the first event was given.
    begun: Option<Duration>,
}

impl Playback {
    pub(crate) fn open(core: &Arc<Core>, by: &Principal, replay: &Replay) -> Result<Playback> {
        let mut tape = Tape::open(core, by, replay)?;
        let gap = tape.gap.take().map(|gap| (0.0, Item::Gap { from: gap.from, to: gap.to }));
        let speed = replay.speed.unwrap_or(Speed::AS_IT_HAPPENED);
        Ok(Playback { tape, speed, turns: gap.into_iter().collect(), begun: None })
    }

    /// Waits for the next item's turn; `None` at the end. Asks `check` several times a second whether to go on.
    ///
    /// # Errors
    ///
    /// `unavailable` once the hub is closed; what `check` answers; `storage` when the log cannot be read.
    pub fn next_until(&mut self, check: &mut Check<'_>) -> Result<Option<Item>> {
        loop {
            let (now, left) = self.ready(1, check)?;
            if let Some(item) = now.into_iter().next() {
                return Ok(Some(item));
            }
            let Some(left) = left else { return Ok(None) };
            check()?;
            std::thread::sleep(left.min(SLICE));
        }
    }

    /// What may be played now, at most this many items, and how long until the next; no time at the end.
    pub fn ready(&mut self, most: usize, check: &mut Check<'_>) -> Result<(Vec<Item>, Option<Duration>)> {
        let mut items = Vec::new();
        loop {
            self.tape.core.check_usable()?;
            if self.turns.is_empty() {
                let turns = self.tape.turns(PAGE, check)?;
                self.turns.extend(turns.into_iter().map(|(at, event)| (at, Item::Event(Arc::new(event)))));
            }
            let Some((seconds, _)) = self.turns.front() else { return Ok((items, None)) };
            let now = self.tape.core.seams.clock.boot();
            let at = Duration::try_from_secs_f64(self.speed.scaled(*seconds)).unwrap_or(Duration::MAX);
            let due = self.begun.get_or_insert(now).saturating_add(at);
            if items.len() == most || now < due {
                return Ok((items, Some(due.saturating_sub(now))));
            }
            items.extend(self.turns.pop_front().map(|(_, item)| item));
        }
    }
}

impl Iterator for Playback {
    type Item = Result<Item>;

    fn next(&mut self) -> Option<Result<Item>> {
        self.next_until(&mut || Ok(())).transpose()
    }
}
