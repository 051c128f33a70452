//! What a forked child may do with its parent's hub: nothing, and it is told so at once.
//!
//! One test only: a fork copies one thread, so no other may run beside it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::path::Path;
use std::time::Duration;

use folkmoot_engine::{Code, Durability, Filter, Hub, HubConfig, memory};
use folkmoot_sys::faults::in_a_forked_child;
use serde_json::json;

#[test]
fn a_forked_child_is_told_so_and_leaves_its_parent_alone() {
    let folder = tempfile::tempdir().unwrap();
    let config = HubConfig { durability: Durability::Normal, ..HubConfig::default() };
    let hub = Hub::open(folder.path().join("hub.db"), config).unwrap();
    hub.run(memory::Set::new("before", json!(1))).unwrap();
    let parents = hub.clone();
    let in_child = move || {
        let refused = |error: folkmoot_engine::Error| {
            assert_eq!(error.code(), Code::Unavailable, "{error}");
            assert_eq!(error.details()["reason"], "forked", "{error}");
            assert!(error.hint_text().unwrap().contains("open the hub again"), "{error}");
        };
        refused(parents.run(memory::Get::new("before")).unwrap_err());
        refused(parents.run(memory::Set::new("never", json!(1))).unwrap_err());
        refused(parents.call("presence.update", b"{\"agent_id\":\"ana\"}").unwrap_err());
        refused(parents.subscribe(Filter::default(), None).err().unwrap());
        refused(parents.check().unwrap_err());
        parents.close();
        drop(parents);
        true
    };
    assert!(in_a_forked_child(in_child, || ()));
    hub.run(memory::Set::new("after", json!(1))).unwrap();
    assert_eq!(hub.run(memory::Get::new("before")).unwrap().version, 1);
    assert_eq!(hub.check().unwrap().events, 2);
    hub.close();
    drop(hub);
    a_child_that_opens_anew_keeps_its_writes(&folder.path().join("anew.db"));
}

/// SQLite believes in the child that it still holds its parent's locks. When the parent closed the file it took itself for
/// the last, deleted the write-ahead log, and what the child was acknowledged from then on was lost.
fn a_child_that_opens_anew_keeps_its_writes(file: &Path) {
    let open =
        || Hub::open(file, HubConfig { durability: Durability::Normal, ..HubConfig::default() }).unwrap();
    let (opened, go_on) = (file.with_extension("opened"), file.with_extension("go-on"));
    let wait_for = |flag: &Path| {
        let patience = std::time::Instant::now();
        while !flag.exists() && patience.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let mut parents = Some(open());
    // The parent's own threads come to rest: one that is inside SQLite now would keep its locks in the child.
    std::thread::sleep(Duration::from_millis(300));
    let in_child = || {
        std::thread::spawn(|| {
            std::thread::sleep(Duration::from_secs(60));
            std::process::abort();
        });
        let anew = open();
        std::fs::write(&opened, "").unwrap();
        wait_for(&go_on);
        (0..20).all(|n| anew.run(memory::Set::new(&format!("child/{n}"), json!(n))).is_ok())
    };
    let meanwhile = || {
        wait_for(&opened);
        let hub = parents.take().unwrap();
        hub.close();
        drop(hub);
        std::fs::write(&go_on, "").unwrap();
    };
    assert!(in_a_forked_child(in_child, meanwhile));
    let hub = open();
    for n in 0..20 {
        assert_eq!(
            hub.run(memory::Get::new(&format!("child/{n}"))).map(|entry| entry.version),
            Ok(1),
            "write {n}"
        );
    }
    hub.check().unwrap();
}
