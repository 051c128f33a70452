//! Limits of hooks and plug-ins. What they answer is told of by `hook.failed`, since nobody waits for the refusal.

use std::time::Duration;

use folkmoot_engine::hooks::{Hook, Measure, Verdict};
use folkmoot_engine::{Code, Error, Filter, Hub, Item, Result};
use serde_json::{Value, json};

use super::case::Refused;
use super::stage::{call, field, furnish, names, open, text};

const SOON: Duration = Duration::from_secs(30);

/// Meets the limits of hooks; answers how each was refused.
pub fn refusals() -> Vec<Refused> {
    vec![hooks_of_a_process(), time_of_a_hook(), bytes_of_a_summary(), figures_of_a_collector()]
}

fn refused(error: &Error) -> Refused {
    let limit_name = error.details().get("limit_name").and_then(Value::as_str).unwrap_or_default().to_owned();
    Refused { limit_name, message: error.message().to_owned() }
}

/// What the next hook that fails is refused with.
fn reported(hub: &Hub, break_it: impl FnOnce()) -> Refused {
    let mut failures = hub.subscribe(Filter::kinds(["hook.failed"]), None).unwrap();
    break_it();
    let Some(Item::Event(failed)) = failures.next(SOON).unwrap() else { panic!("nothing was reported") };
    let error = failed.data.to_value()["error"].clone();
    assert_eq!(error["code"], "limit_exceeded", "{error}");
    let words = |value: &Value| value.as_str().unwrap().to_owned();
    Refused { limit_name: words(&error["details"]["limit_name"]), message: words(&error["message"]) }
}

fn hooks_of_a_process() -> Refused {
    let hub = open(&[]);
    let add = |name: &str| hub.before(Hook::before(name, "task.create"), |_| Ok(Verdict::Allow));
    for name in names(1_000) {
        add(&name).unwrap();
    }
    let error = add("more").unwrap_err();
    assert_eq!((error.code(), &error.details()["limit"]), (Code::LimitExceeded, &json!(1_000)));
    hub.unhook("n7").unwrap();
    add("more").unwrap();
    refused(&error)
}

fn time_of_a_hook() -> Refused {
    let hub = open(&[]);
    let add = |hook: Hook| -> Result<()> { hub.before(hook, |_| Ok(Verdict::Allow)) };
    let hook = |name: &str| Hook::before(name, "task.create");
    let (least, most) = (Duration::from_millis(1), Duration::from_secs(3_600));
    add(hook("quick").timeout(least)).unwrap();
    add(hook("slow").timeout(most)).unwrap();
    let error = add(hook("too quick").timeout(Duration::ZERO)).unwrap_err();
    assert_eq!(field(&error), "timeout");
    let error = add(hook("too slow").every(most + least)).unwrap_err();
    assert_eq!((error.code(), field(&error)), (Code::InvalidInput, "interval"));
    refused(&error)
}

fn bytes_of_a_summary() -> Refused {
    let hub = open(&[("max_text_bytes", 100)]);
    furnish(&hub, false);
    let summary = |name: &str| {
        let input = json!({"thread_id": "x", "summarizer": name});
        call(&hub, "thread.summarize", &input).unwrap()["method"].clone()
    };
    for (name, bytes) in [("fits", 100), ("past", 101)] {
        hub.summarizer(Hook::summarizer(name), move |_| Ok(text(bytes))).unwrap();
    }
    assert_eq!(summary("fits"), "summarizer");
    reported(&hub, || assert_eq!(summary("past"), "extractive"))
}

fn figures_of_a_collector() -> Refused {
    let hub = open(&[]);
    let often = Duration::from_millis(10);
    let add = |name: &str, figures: usize| {
        let points: Vec<Measure> = names(figures).iter().map(|name| Measure::new(name, 1.0)).collect();
        hub.collector(Hook::collector(name).every(often), move || Ok(points.clone())).unwrap();
    };
    let mut collected = hub.subscribe(Filter::kinds(["metric.collected"]), None).unwrap();
    add("fits", 1_000);
    assert!(matches!(collected.next(SOON).unwrap(), Some(Item::Event(_))));
    reported(&hub, || add("past", 1_001))
}
