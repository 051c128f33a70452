//! Several writers change one value, and none of their changes is lost: compare-and-set, versions, and what changed.

use std::error::Error;

use folkmoot::{Code, Hub, HubConfig, Result, memory};
use serde_json::{Value, json};

const KEY: &str = "findings/words";
const WRITERS: usize = 4;
const ROUNDS: u64 = 25;

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let hub = Hub::open(":memory:", HubConfig::default())?;
    hub.run(memory::Set::new(KEY, json!({})))?;

    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let hub = hub.clone();
            std::thread::spawn(move || write(&hub, &format!("writer-{number}")))
        })
        .collect();
    let mut retries = 0;
    for writer in writers {
        retries += writer.join().map_err(|_| "a writer broke off")??;
    }

    let entry = hub.run(memory::Get::new(KEY))?;
    println!("{} = {} after {} versions and {retries} retries", entry.key, entry.value.text(), entry.version);
    let counts = entry.value.to_value();
    for number in 0..WRITERS {
        if counts.get(format!("writer-{number}")) != Some(&json!(ROUNDS)) {
            return Err(format!("changes of writer-{number} were lost: {counts}").into());
        }
    }

    let last = memory::Diff { key: KEY.into(), from: entry.version - 1, to: entry.version, agent_id: None };
    println!("the last change: {}", hub.run(last)?.patch.text());
    // A counter needs no compare-and-set of one's own.
    let visits = memory::Increment { key: "visits".into(), by: None, agent_id: None, idempotency_key: None };
    println!("visits = {}", hub.run(visits)?.value.text());
    hub.close();
    Ok(())
}

/// Adds one to its own field, many times; answers how often someone else was quicker.
fn write(hub: &Hub, name: &str) -> Result<u64> {
    let mut retries = 0;
    for round in 1..=ROUNDS {
        loop {
            let entry = hub.run(memory::Get::new(KEY))?;
            let mut words = entry.value.to_value();
            if let Value::Object(fields) = &mut words {
                fields.insert(name.to_owned(), json!(round));
            }
            let set = memory::Set { expected_version: Some(entry.version), ..memory::Set::new(KEY, words) };
            match hub.run(set) {
                Ok(_) => break,
                Err(error) if error.code() == Code::Conflict => retries += 1,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(retries)
}
