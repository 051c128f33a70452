//! Everything that happens, in order and without gaps: from the start, live, and on from where one stopped.

use std::error::Error;
use std::time::Duration;

use folkmoot::{Filter, Hub, HubConfig, Item, Subscription, agents, events, memory, tasks};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let hub = Hub::open(":memory:", HubConfig { status_interval_seconds: 0.0, ..HubConfig::default() })?;
    hub.run(agents::Register::new("ana"))?;
    hub.run(tasks::Create::new("ana", "Write the summary"))?;

    // From the start of the log, then live.
    let mut everything = hub.subscribe(Filter::default(), Some(0))?;
    let past = print_all(&mut everything)?;

    // Only some kinds, only from now on.
    let mut memories = hub.subscribe(Filter::kinds(["memory.*"]), None)?;
    hub.run(memory::Set::new("plans/q3", json!({ "goal": "ship" })))?;
    hub.run(events::Publish {
        event_type: "build.finished".into(),
        source_agent: "ana".into(),
        target_agents: None,
        payload: Some(json!({ "ok": true }).into()),
        correlation_id: None,
        idempotency_key: None,
    })?;
    let live = print_all(&mut everything)?;
    let narrow = print_all(&mut memories)?;

    // A subscriber that remembers its position goes on from there, in this process or in another one.
    let resume_after = everything.position();
    drop(everything);
    hub.run(memory::Set::new("plans/q4", json!({ "goal": "rest" })))?;
    let resumed = print_all(&mut hub.subscribe(Filter::default(), Some(resume_after))?)?;

    let heard = (past, live, narrow, resumed);
    if heard != (2, 2, 1, 1) {
        return Err(format!("expected 2, 2, 1 and 1 events, heard {heard:?}").into());
    }
    hub.close();
    Ok(())
}

/// Prints what is there; answers how many events it was.
fn print_all(subscription: &mut Subscription) -> folkmoot::Result<usize> {
    let mut count = 0;
    while let Some(item) = subscription.next(Duration::from_millis(300))? {
        match item {
            Item::Event(event) => {
                let start: String = event.data.text().chars().take(70).collect();
                println!("{:>4} {:<16} {start}…", event.seq, event.kind);
                count += 1;
            }
            Item::Gap { from, to } => println!("retention has taken events {from} to {to}"),
            Item::Position { .. } => {}
        }
    }
    println!("--");
    Ok(count)
}
