//! A forked child that opens the hub anew, while its parent goes on writing.
//!
//! A child once found the file locked for ever: SQLite's count of the parent's locks came with the fork, the locks did
//! not. Worse than the error was what did not show: a child that believed in locks that it did not hold.
//!
//! One test only: a fork copies one thread, so no other may run beside it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::sync::atomic::{AtomicBool, Ordering};

use folkmoot_engine::{Durability, Hub, HubConfig, memory};
use folkmoot_sys::faults::in_a_forked_child;
use serde_json::json;

const ROUNDS: u64 = 10;
const WRITES: u64 = 50;

fn count(hub: &Hub, key: &str) {
    let add = memory::Increment { key: key.to_owned(), by: None, agent_id: None, idempotency_key: None };
    hub.run(add).unwrap();
}

#[test]
fn a_forked_child_can_open_the_hub_anew_while_its_parent_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let config = HubConfig { durability: Durability::Normal, ..HubConfig::default() };
    let hub = Hub::open(&path, config.clone()).unwrap();
    count(&hub, "parent");
    let stop = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut written = 1;
            while !stop.load(Ordering::Relaxed) {
                count(&hub, "parent");
                written += 1;
            }
            written
        });
        for _ in 0..ROUNDS {
            let (path, config) = (path.clone(), config.clone());
            let in_child = move || {
                let anew = Hub::open(&path, config).unwrap();
                (0..WRITES).for_each(|_| count(&anew, "children"));
                anew.close();
                true
            };
            assert!(in_a_forked_child(in_child, || ()));
        }
        stop.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    let value = |key: &str| hub.run(memory::Get::new(key)).unwrap().value.to_value();
    assert_eq!(value("children"), json!(ROUNDS * WRITES));
    assert_eq!(value("parent"), json!(written));
    assert_eq!(hub.check().unwrap().events, ROUNDS * WRITES + written);
}
