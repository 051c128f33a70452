//! What a forked child may do with its parent's hub: nothing, and it is told so at once.
//!
//! One test only: a fork copies one thread, so no other may run beside it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

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
}
