//! Files and folders that another user owns: a clear refusal that names the path, and nothing is changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod players;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use folkmoot_engine::{Durability, Hub, HubConfig, memory};
use players::{Player, say};
use serde_json::{Value, json};

/// The user without rights, by custom.
const NOBODY: u32 = 65_534;

fn config() -> HubConfig {
    HubConfig { durability: Durability::Normal, status_interval_seconds: 0.0, ..HubConfig::default() }
}

/// In a child without rights: opens, reads and writes; says how each ended.
#[test]
fn child() {
    let Some((part, file)) = players::part() else { return };
    let told = |outcome: Result<(), folkmoot_engine::Error>| match outcome {
        Ok(()) => json!("ok"),
        Err(error) => error.to_json(),
    };
    let hub = match Hub::open(&file, HubConfig { read_only: part == "reads", ..config() }) {
        Ok(hub) => hub,
        Err(error) => return say(&json!({"open": error.to_json()}).to_string()),
    };
    let read = told(hub.run(memory::Get::new("k")).map(drop));
    let write = told(hub.run(memory::Set::new("k", json!(2))).map(drop));
    say(&json!({"open": "ok", "read": read, "write": write}).to_string());
}

/// A hub with a key in a folder of its own, closed.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        let hub = Hub::open(place.file(), config()).unwrap();
        hub.run(memory::Set::new("k", json!(1))).unwrap();
        hub.close();
        place
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("hub.db")
    }

    fn allow(&self, name: &str, mode: u32) {
        let path = self.folder.path().join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// What a user without rights is told; none where no such user can be had.
    fn tell(&self, part: &str, file: &Path) -> Option<Value> {
        let root = self.folder.path().metadata().unwrap().uid() == 0;
        let mut player = Player::start_as(root.then_some(NOBODY), part, file, &[]).ok()?;
        let told = player.hear()?;
        Some(serde_json::from_str(&told).unwrap())
    }
}

/// The refusal of the disk, which names the path and says what to do.
fn refused(told: &Value, path: &Path) {
    assert_eq!(told["code"], "storage", "{told}");
    let whole = format!("{} {}", told["message"], told["hint"]);
    assert!(whole.contains(&*path.to_string_lossy()) || whole.contains("read-only"), "names no path: {told}");
    assert!(told["hint"].as_str().is_some_and(|hint| hint.len() > 10), "says not what to do: {told}");
}

#[test]
fn a_user_without_rights_is_told_which_path_and_changes_nothing() {
    let place = Place::new();
    place.allow("", 0o755);
    if place.tell("writes", &place.file()).is_none() {
        println!("left out: nobody without rights can run this program here");
        return;
    }
    // Everything is its owner's.
    for part in ["writes", "reads"] {
        refused(&place.tell(part, &place.file()).unwrap()["open"], &place.folder.path().join("hub.db"));
    }
    // A folder where nothing may be made.
    refused(&place.tell("writes", &place.folder.path().join("new.db")).unwrap()["open"], place.folder.path());
    assert!(!place.folder.path().join("new.db").exists());
    // A sidecar of another owner beside a file that anyone may write.
    place.allow("", 0o777);
    place.allow("hub.db", 0o666);
    place.allow("hub.db-moot", 0o600);
    refused(&place.tell("writes", &place.file()).unwrap()["open"], &place.folder.path().join("hub.db-moot"));
    // A file that may be read only.
    for name in ["hub.db-moot", "hub.db-wal", "hub.db-shm"] {
        place.allow(name, 0o666);
    }
    place.allow("hub.db", 0o444);
    let told = place.tell("writes", &place.file()).unwrap();
    match told["open"] == "ok" {
        true => refused(&told["write"], &place.file()),
        false => refused(&told["open"], &place.file()),
    }
    let told = place.tell("reads", &place.file()).unwrap();
    assert_eq!((&told["open"], &told["read"]), (&json!("ok"), &json!("ok")), "{told}");
    // A file that may not even be read.
    place.allow("hub.db", 0o000);
    refused(&place.tell("writes", &place.file()).unwrap()["open"], &place.file());
    place.allow("hub.db", 0o644);
    let hub = Hub::open(place.file(), config()).unwrap();
    assert_eq!(hub.run(memory::Get::new("k")).unwrap().value.to_value(), 1);
    hub.check().unwrap();
    // What its owner may do again, all may do again.
    assert_eq!(hub.run(memory::Set::new("k", json!(2))).unwrap().version, 2);
}
