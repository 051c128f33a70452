//! Every limit, at it and past it: what just fits is taken, what is past it is refused by field, value and limit, and
//! nothing has changed. A limit without a case makes a test fail.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "limits/activity.rs"]
mod activity;
#[path = "limits/agents.rs"]
mod agents;
#[path = "limits/case.rs"]
mod case;
#[path = "limits/events.rs"]
mod events;
#[path = "limits/hooks.rs"]
mod hooks;
#[path = "limits/hub.rs"]
mod hub;
#[path = "limits/memory.rs"]
mod memory;
#[path = "limits/messages.rs"]
mod messages;
#[path = "limits/sessions.rs"]
mod sessions;
#[path = "limits/source.rs"]
mod source;
#[path = "limits/stage.rs"]
mod stage;
#[path = "limits/sweep.rs"]
mod sweep;
#[path = "limits/tasks.rs"]
mod tasks;

use std::collections::BTreeSet;

use case::Case;
use folkmoot_engine::HubConfig;

/// The cases of each noun.
fn all() -> Vec<Case> {
    let nouns = [
        activity::cases(),
        agents::cases(),
        events::cases(),
        memory::cases(),
        messages::cases(),
        sessions::cases(),
        tasks::cases(),
    ];
    nouns.into_iter().flatten().collect()
}

#[test]
fn what_just_fits_is_taken_and_what_is_past_a_limit_is_refused_and_changes_nothing() {
    let (mut broken, mut refused) = (Vec::new(), hub::refusals());
    refused.extend(hooks::refusals());
    let cases = all();
    for case in &cases {
        match case.try_out() {
            Ok(refusal) => refused.push(refusal),
            Err(why) => broken.push(format!("{} {}: {why}", case.call, case.field)),
        }
    }
    assert!(broken.is_empty(), "{} of {}:\n{}\n", broken.len(), cases.len(), broken.join("\n"));
    let met: BTreeSet<&str> = refused.iter().map(|refusal| refusal.limit_name.as_str()).collect();
    let names = source::limit_names();
    assert!(names.len() > 20, "only {} limits were found in the source", names.len());
    let mut without: Vec<String> = names
        .iter()
        .filter(|said| !met.contains(said.text.as_str()))
        .map(|said| format!("{}: no case meets the limit {:?}", said.place, said.text))
        .collect();
    let ranges = source::ranges();
    assert!(ranges.len() > 10, "only {} ranges were found in the source", ranges.len());
    without.extend(
        ranges
            .iter()
            .filter(|said| !refused.iter().any(|refusal| source::holds(&refusal.message, &said.text)))
            .map(|said| format!("{}: no case meets {:?}", said.place, said.text)),
    );
    assert!(without.is_empty(), "add a case for each to tests/limits:\n{}\n", without.join("\n"));
}

#[test]
fn every_limit_of_the_configuration_has_a_case() {
    let set: BTreeSet<&str> =
        all().iter().flat_map(|case| case.config.iter().map(|(key, _)| *key)).chain(hub::KEYS).collect();
    let limits = |key: &String| key.starts_with("max_") || key.ends_with("_queue");
    let without: Vec<String> =
        HubConfig::keys().into_keys().filter(limits).filter(|key| !set.contains(key.as_str())).collect();
    assert!(without.is_empty(), "no case in tests/limits sets {without:?}");
}
