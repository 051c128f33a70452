//! Collectors: figures of the program's own, asked for at an interval and handed to whoever listens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Registered;
use super::ask::{Matter, Outcome, Reply, ask};
use super::report::{Failure, report};
use crate::clock::Time;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::events::event::Event;
use crate::id;
use crate::input::read_input;
use crate::principal::Principal;

/// The kind of the frame that carries the figures of a collector. It has no `seq` and stays in its process.
pub const COLLECTED: &str = "metric.collected";

/// The most figures that a collector gives at once.
const MOST: u64 = 1_000;

/// One figure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// What is measured: `orders_per_minute`.
    pub name: String,
    /// How much.
    pub value: f64,
    /// What tells it from others of its name.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Where it comes from; the collector's name when left out.
    #[serde(default)]
    pub source: Option<String>,
    /// When it was so; when it was collected, if left out.
    #[serde(default)]
    pub time: Option<Time>,
}

impl Measure {
    /// A figure of now.
    pub fn new(name: &str, value: f64) -> Measure {
        Measure { name: name.to_owned(), value, ..Measure::default() }
    }
}

/// What a collector answers.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    points: Vec<Measure>,
}

/// Begins to collect, at once.
pub(crate) fn start(core: &Arc<Core>, hook: &Arc<Registered>) -> Result<()> {
    let hook = hook.clone();
    core.spawn("collect", move |core| serve(&core, &hook))
}

fn serve(core: &Arc<Core>, hook: &Arc<Registered>) {
    let there = || hook.check_there().is_ok() && !core.is_closed();
    while there() {
        let next = Instant::now() + hook.hook.interval;
        if let Err((error, timed_out)) = collect(core, hook) {
            report(core, hook, &Failure { subject: COLLECTED, error: &error, timed_out, then: "dropped" });
        }
        while there() && Instant::now() < next {
            std::thread::sleep(Duration::from_millis(50).min(next.saturating_duration_since(Instant::now())));
        }
    }
}

fn collect(core: &Arc<Core>, hook: &Arc<Registered>) -> Result<(), (Error, bool)> {
    let matter = Matter {
        subject: COLLECTED.into(),
        by: Principal::Process,
        text: "{}".into(),
        event: None,
        depth: 0,
    };
    match ask(hook, matter, &mut || Ok(())) {
        Outcome::Reply(Reply::Value(points)) => {
            let name = hook.hook.name.as_str();
            let points =
                read(name, core.seams.clock.wall(), points.text()).map_err(|error| (error, false))?;
            let data = json!({ "collector": name, "points": points });
            core.publisher.announce(&Arc::new(Event::frame(core, COLLECTED, Some(name), data)));
            Ok(())
        }
        Outcome::Reply(_) | Outcome::Stopped(_) => Ok(()),
        Outcome::Failed { error, timed_out } => Err((error, timed_out)),
    }
}

/// Reads figures and fills in what was left out.
fn read(collector: &str, now: Time, points: &str) -> Result<Vec<Measure>> {
    let answer: Answer = read_input(format!("{{\"points\":{points}}}").as_bytes())?;
    let count = answer.points.len() as u64;
    if count > MOST {
        return Err(Error::field_limit("points", "figures of a collector", MOST, count));
    }
    let mut points = answer.points;
    for (at, point) in points.iter_mut().enumerate() {
        id::check_name(&format!("points[{at}].name"), &point.name)?;
        point.source.get_or_insert_with(|| collector.to_owned());
        point.time.get_or_insert(now);
    }
    Ok(points)
}
