//! Bad luck: files that are not ours, damaged, newer, gone; and what is shared between two opens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod players;

use std::path::{Path, PathBuf};
use std::time::Duration;

use folkmoot_engine::seams::{Point, Seams};
use folkmoot_engine::{Code, Durability, Error, Filter, Hub, HubConfig, Item, memory};
use players::{Player, say};
use rand::{Rng, SeedableRng, rngs::StdRng};
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;

fn config() -> HubConfig {
    HubConfig { durability: Durability::Normal, status_interval_seconds: 0.0, ..HubConfig::default() }
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hub.db");
    (folder, file)
}

fn set(hub: &Hub, key: &str, value: u32) -> Result<u64, Error> {
    hub.run(memory::Set::new(key, json!(value))).map(|entry| entry.version)
}

fn get(hub: &Hub, key: &str) -> Result<serde_json::Value, Error> {
    hub.run(memory::Get::new(key)).map(|entry| entry.value.to_value())
}

/// A hub with some of everything, closed.
fn filled(file: &Path) {
    let hub = Hub::open(file, config()).unwrap();
    for i in 0..40 {
        set(&hub, &format!("plans/{}", i % 8), i).unwrap();
        let agent = json!({"name": format!("agent-{i}"), "metadata": {"i": i}}).to_string();
        hub.call("agent.register", agent.as_bytes()).unwrap();
    }
    hub.close();
}

/// The refusal, which must be of this code, and say this.
fn refusal<T>(result: Result<T, Error>, code: Code, says: &str) -> Error {
    let Err(error) = result else { panic!("must be refused with {code}: {says}") };
    assert_eq!(error.code(), code, "{error}");
    let whole = error.to_string();
    assert!(whole.contains(says), "must say {says:?}: {error}");
    error
}

#[test]
fn child() {
    let Some((part, file)) = players::part() else { return };
    match part.as_str() {
        // Keeps house, closes the hub, and lives on.
        "housekeeper" => {
            let hub = Hub::open(&file, config()).unwrap();
            hub.tend().unwrap();
            hub.close();
            say("closed");
            std::thread::sleep(Duration::from_secs(600));
        }
        // Waits in the middle of its first commit until the file `go` is there.
        "stopped" => {
            let (go, waits) = (file.with_file_name("go"), std::sync::atomic::AtomicBool::new(true));
            let fault = move |point| {
                if point == Point::BeforeCommit && waits.swap(false, std::sync::atomic::Ordering::SeqCst) {
                    say("in its commit");
                    while !go.exists() {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
                Ok(())
            };
            let seams =
                Seams { fault: Some(std::sync::Arc::new(fault)), background: false, ..Seams::default() };
            let hub = Hub::open_with(&file, config(), seams).unwrap();
            set(&hub, "theirs", 1).unwrap();
            say("committed");
        }
        part => panic!("no part {part}"),
    }
}

#[test]
fn a_file_of_another_program_is_refused_and_left_as_it_is() {
    let (folder, _) = place();
    let text = folder.path().join("notes.txt");
    let words = "not a database at all\n".repeat(100);
    std::fs::write(&text, &words).unwrap();
    refusal(Hub::open(&text, config()), Code::Storage, "not a folkmoot hub");
    assert_eq!(std::fs::read_to_string(&text).unwrap(), words);

    let foreign = folder.path().join("foreign.db");
    Connection::open(&foreign)
        .unwrap()
        .execute_batch("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
        .unwrap();
    let before = std::fs::read(&foreign).unwrap();
    refusal(Hub::open(&foreign, config()), Code::Storage, "another program");
    assert_eq!(std::fs::read(&foreign).unwrap(), before);
}

#[test]
fn a_place_where_no_hub_can_be_is_named() {
    let (folder, file) = place();
    refusal(Hub::open(folder.path().join("no/such/hub.db"), config()), Code::Storage, "is not there");
    refusal(Hub::open(folder.path(), config()), Code::InvalidInput, "is a folder");
    let only = HubConfig { create: false, ..config() };
    refusal(Hub::open(&file, only), Code::NotFound, "hub.db");
    assert!(!file.exists());
    std::fs::write(folder.path().join("hub.db-moot"), "x".repeat(5_000)).unwrap();
    refusal(Hub::open(&file, config()), Code::Storage, "sidecar");
}

#[test]
fn a_hub_opened_to_read_refuses_every_change_and_reads() {
    let (_folder, file) = place();
    filled(&file);
    let hub = Hub::open(&file, HubConfig { read_only: true, ..config() }).unwrap();
    assert_eq!(get(&hub, "plans/7").unwrap(), 39);
    let says = "opened read-only";
    refusal(set(&hub, "plans/7", 1), Code::Storage, says);
    let update = hub.call("presence.update", br#"{"agent_id":"agent-1","tool_name":"bash"}"#);
    refusal(update, Code::Storage, says);
    refusal(hub.hold_agent("agent-1"), Code::Storage, says);
    let search = memory::Search {
        query: "plans".into(),
        prefix: None,
        agent_id: None,
        limit: None,
        cursor: None,
        max_tokens: None,
    };
    hub.run(search).unwrap();
    hub.check().unwrap();
    let mut all = hub.subscribe(Filter::default(), Some(0)).unwrap();
    assert!(matches!(all.next(Duration::from_secs(20)).unwrap(), Some(Item::Event(_))));
    hub.close();
    let (_folder, empty) = place();
    refusal(Hub::open(&empty, HubConfig { read_only: true, ..config() }), Code::Storage, "");
}

#[test]
fn a_newer_file_is_refused_by_who_cannot_write_it_and_read_by_who_can() {
    let (_folder, file) = place();
    filled(&file);
    let raise = |column: &str, to: i64| {
        Connection::open(&file).unwrap().execute(&format!("UPDATE hub SET {column} = ?1"), [to]).unwrap()
    };
    raise("format", 9);
    raise("min_writer", 9);
    let error = refusal(Hub::open(&file, config()), Code::Storage, "newer version");
    assert_eq!(error.details()["format"], 9);
    let reader = HubConfig { read_only: true, ..config() };
    let hub = Hub::open(&file, reader.clone()).unwrap();
    assert_eq!(get(&hub, "plans/7").unwrap(), 39);
    hub.close();
    drop(hub);
    raise("min_reader", 9);
    refusal(Hub::open(&file, reader), Code::Storage, "cannot read it");
}

#[test]
fn a_file_of_before_the_first_release_is_refused_and_left_as_it_is() {
    let (_folder, file) = place();
    filled(&file);
    Connection::open(&file).unwrap().execute("UPDATE hub SET format = 1", []).unwrap();
    let before = std::fs::read(&file).unwrap();
    let error = refusal(Hub::open(&file, config()), Code::Storage, "before the first release");
    assert_eq!(error.details()["format"], 1);
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn a_change_behind_the_hubs_back_is_named_by_the_check() {
    for (sql, says) in [
        ("UPDATE event SET data = data || ' ' WHERE seq = 30", "chain is broken at event 30"),
        ("UPDATE event SET data = replace(data, '{', '{ ') WHERE seq = 29", "chain is broken at event 29"),
        ("UPDATE event SET kind = 'memory.deleted' WHERE seq = 31", "chain is broken at event 31"),
        ("UPDATE event SET principal = 'agent:eve' WHERE seq = 31", "chain is broken at event 31"),
        ("UPDATE event SET hash = zeroblob(32) WHERE seq = 32", "chain is broken at event 32"),
        ("DELETE FROM event WHERE seq = 33", "chain is broken at event 34"),
        ("DELETE FROM event WHERE seq = (SELECT max(seq) FROM event)", "the log ends at"),
        ("UPDATE memory_head SET version = 8 WHERE key = 'plans/7'", "table memory differs"),
        ("UPDATE agent SET body = replace(body, 'agent-3', 'agent-x')", "table agent differs"),
        ("UPDATE presence SET status = 'error' WHERE agent_id = 'agent-3'", "table presence differs"),
        ("DELETE FROM agent WHERE agent_id = 'agent-3'", "table agent has"),
        ("INSERT INTO acl VALUES ('plans/', 0, '{}', 5)", "table acl differs"),
    ] {
        let (_folder, file) = place();
        filled(&file);
        assert_ne!(Connection::open(&file).unwrap().execute(sql, []).unwrap(), 0, "{sql}");
        let hub = Hub::open(&file, config()).unwrap();
        refusal(hub.check(), Code::Storage, says);
    }
}

#[test]
fn a_damaged_file_is_noticed_and_never_a_panic() {
    let (folder, file) = place();
    filled(&file);
    let sound = std::fs::read(&file).unwrap();
    let (mut dice, mut noticed) = (StdRng::seed_from_u64(7), 0);
    for n in 0..120 {
        let mut bytes = sound.clone();
        match n % 3 {
            0 => bytes.truncate(dice.random_range(1..sound.len())),
            _ => (0..4).for_each(|_| {
                let at = dice.random_range(0..sound.len());
                bytes[at] ^= 1 << dice.random_range(0..8);
            }),
        }
        let damaged = folder.path().join(format!("damaged-{n}.db"));
        std::fs::write(&damaged, &bytes).unwrap();
        let outcome = Hub::open(&damaged, config()).and_then(|hub| {
            let checked = hub.check();
            // Whatever is read is what was written, unless the check has spoken.
            if checked.is_ok() {
                (0..8).for_each(|i| assert_eq!(get(&hub, &format!("plans/{i}")).unwrap(), 32 + i, "{n}"));
            }
            let _ = (get(&hub, "plans/7"), hub.call("agent.list", b"{}"), set(&hub, "new", 1));
            checked
        });
        if let Err(error) = outcome {
            assert_eq!(error.code(), Code::Storage, "{n}: {error}");
            noticed += 1;
        }
    }
    // What was not noticed lies in bytes that no page uses; a table without rows is a page of them.
    assert!(noticed > 60, "only {noticed} of 120 were noticed");
}

#[test]
fn two_opens_in_one_process_share_everything_until_the_last_closes() {
    let (folder, file) = place();
    let one = Hub::open(&file, config()).unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let two = Hub::open(&link, config()).unwrap();
    let mut heard = two.subscribe(Filter::default(), None).unwrap();
    set(&one, "k", 1).unwrap();
    assert!(matches!(heard.next(Duration::from_secs(20)).unwrap(), Some(Item::Event(_))));
    let other = HubConfig { lease_seconds: 7.0, ..config() };
    let error = refusal(Hub::open(&file, other), Code::Conflict, "another configuration");
    assert_eq!(error.details()["current"]["lease_seconds"], 60.0);
    one.close();
    refusal(get(&one, "k"), Code::Unavailable, "closed");
    assert_eq!(get(&two, "k").unwrap(), 1);
    two.close();
    refusal(heard.next(Duration::from_secs(20)), Code::Unavailable, "closed");
    let again = Hub::open(&file, config()).unwrap();
    assert_eq!(get(&again, "k").unwrap(), 1);
}

#[test]
fn a_hub_that_was_just_opened_is_open_even_while_another_handle_closes() {
    let (_folder, file) = place();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let file = &file;
            scope.spawn(move || {
                for i in 0..40 {
                    let hub = Hub::open(file, config()).unwrap();
                    set(&hub, &format!("{thread}"), i)
                        .unwrap_or_else(|error| panic!("{thread} {i}: {error}"));
                    hub.close();
                }
            });
        }
    });
}

#[test]
fn a_call_that_waits_ends_when_the_hub_is_closed() {
    let hub = Hub::open(":memory:", config()).unwrap();
    hub.call("consumer.open", br#"{"name":"c"}"#).unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| hub.call("consumer.read", br#"{"name":"c","wait_seconds":3000}"#));
        let mut heard = hub.subscribe(Filter::default(), None).unwrap();
        let listens = scope.spawn(move || heard.next(Duration::from_secs(3000)));
        let writes = scope.spawn(|| (0..).find_map(|i| set(&hub, "k", i).err()).unwrap());
        std::thread::sleep(Duration::from_millis(50));
        hub.close();
        assert_eq!(writes.join().unwrap().code(), Code::Unavailable);
        // What was there before the end is still given.
        match listens.join().unwrap() {
            Ok(Some(_)) => {}
            outcome => drop(refusal(outcome, Code::Unavailable, "closed")),
        }
        let _ = waits.join().unwrap();
    });
}

#[test]
fn a_file_that_was_moved_away_is_neither_written_nor_read_until_it_is_back() {
    let (folder, file) = place();
    let hub = Hub::open(&file, config()).unwrap();
    set(&hub, "k", 1).unwrap();
    for name in ["hub.db", "hub.db-moot"] {
        let (here, away) = (folder.path().join(name), folder.path().join("away"));
        std::fs::rename(&here, &away).unwrap();
        std::thread::sleep(Duration::from_millis(150));
        refusal(set(&hub, "k", 2), Code::Unavailable, "while it was open");
        refusal(get(&hub, "k"), Code::Unavailable, "while it was open");
        std::fs::write(&here, "another").unwrap();
        refusal(set(&hub, "k", 2), Code::Unavailable, "while it was open");
        assert_eq!(std::fs::read_to_string(&here).unwrap(), "another");
        std::fs::rename(&away, &here).unwrap();
        assert_eq!(get(&hub, "k").unwrap(), 1);
    }
    assert_eq!(set(&hub, "k", 2).unwrap(), 2);
    hub.check().unwrap();
}

#[test]
fn a_process_that_closed_its_hub_leaves_the_housekeeping_to_others() {
    let (_folder, file) = place();
    let mut player = Player::start("housekeeper", &file, &[]);
    assert_eq!(player.hear().as_deref(), Some("closed"));
    let hub = Hub::open(&file, config()).unwrap();
    let short = memory::Set { ttl_seconds: Some(0.001), ..memory::Set::new("short", json!(1)) };
    hub.run(short).unwrap();
    std::thread::sleep(Duration::from_millis(5));
    hub.tend().unwrap();
    let versions = hub
        .run(memory::History {
            key: "short".into(),
            agent_id: None,
            limit: None,
            cursor: None,
            max_tokens: None,
        })
        .unwrap();
    assert!(versions.versions[0].deleted, "nobody keeps house: {versions:?}");
}

#[test]
fn a_backup_is_a_hub_of_its_own_and_overwrites_nothing() {
    let (folder, file) = place();
    filled(&file);
    let hub = Hub::open(&file, config()).unwrap();
    let neighbour = folder.path().join("copy.part");
    std::fs::write(&neighbour, "mine").unwrap();
    let copy = folder.path().join("copy.db");
    hub.backup(&copy).unwrap();
    assert_eq!(std::fs::read_to_string(&neighbour).unwrap(), "mine");
    refusal(hub.backup(&copy), Code::AlreadyExists, "copy.db");
    let copied = Hub::open(&copy, config()).unwrap();
    assert_eq!(get(&copied, "plans/7").unwrap(), 39);
    assert_eq!(copied.check().unwrap().events, hub.check().unwrap().events);
}

/// `hub.check` once called a sound hub damaged: a connection that had checked before kept its view of the search index.
#[test]
fn a_check_after_the_search_index_has_grown_finds_a_sound_hub_sound() {
    let hub = Hub::open(":memory:", config()).unwrap();
    for i in 0..5 {
        set(&hub, &format!("plans/{i}"), i).unwrap();
        hub.check().unwrap();
        hub.call("memory.search", br#"{"query": "plans"}"#).unwrap();
        hub.check().unwrap();
    }
}

#[test]
fn a_process_that_is_stopped_in_its_commit_is_named_and_all_go_on_with_it() {
    let (folder, file) = place();
    filled(&file);
    let mut player = Player::start("stopped", &file, &[]);
    assert_eq!(player.hear().as_deref(), Some("in its commit"));
    player.signal("STOP");
    let hub = Hub::open(&file, HubConfig { write_timeout_seconds: 0.3, ..config() });
    // To open is no write, once the file is there; where it is refused, the refusal is the same.
    let pid = player.pid();
    let named = |error: &Error| {
        assert_eq!(error.code(), Code::Unavailable, "{error}");
        assert!(error.message().contains(&format!("process {pid} has kept the turn")), "{error}");
        assert!(error.hint_text().unwrap().contains(&format!("kill -CONT {pid}")), "{error}");
        assert_eq!(error.details()["pid"], pid);
    };
    match &hub {
        Ok(hub) => {
            named(&set(hub, "ours", 1).unwrap_err());
            assert_eq!(get(hub, "plans/7").unwrap(), 39, "reading goes on");
            refusal(get(hub, "theirs"), Code::NotFound, "theirs");
        }
        Err(error) => named(error),
    }
    std::fs::write(folder.path().join("go"), "").unwrap();
    player.signal("CONT");
    assert_eq!(player.hear().as_deref(), Some("committed"));
    let hub = hub.or_else(|_| Hub::open(&file, config())).unwrap();
    assert_eq!(set(&hub, "ours", 1).unwrap(), 1);
    assert_eq!(get(&hub, "theirs").unwrap(), 1);
    hub.check().unwrap();
}

#[test]
fn a_folder_that_vanishes_refuses_every_call_until_it_is_back() {
    let outer = tempfile::tempdir().unwrap();
    let (here, away) = (outer.path().join("here"), outer.path().join("away"));
    std::fs::create_dir(&here).unwrap();
    let hub = Hub::open(here.join("hub.db"), config()).unwrap();
    set(&hub, "k", 1).unwrap();
    std::fs::rename(&here, &away).unwrap();
    std::thread::sleep(Duration::from_millis(150));
    refusal(set(&hub, "k", 2), Code::Unavailable, "while it was open");
    refusal(get(&hub, "k"), Code::Unavailable, "while it was open");
    std::fs::rename(&away, &here).unwrap();
    assert_eq!(get(&hub, "k").unwrap(), 1);
    assert_eq!(set(&hub, "k", 2).unwrap(), 2);
    hub.check().unwrap();
    std::fs::remove_dir_all(&here).unwrap();
    std::thread::sleep(Duration::from_millis(150));
    refusal(set(&hub, "k", 3), Code::Unavailable, "while it was open");
    hub.close();
    refusal(Hub::open(here.join("hub.db"), config()), Code::Storage, "is not there");
}
