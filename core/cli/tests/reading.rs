//! What the reading commands promise: watch, stats, export, check, backup.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod terminal;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use folkmoot::{Durability, Filter, Hub, HubConfig, Item, agents, events, memory};
use serde_json::{Value, json};
use terminal::{fails, folkmoot, json_of, succeeds};

/// Nothing here is about the disk.
fn config() -> HubConfig {
    HubConfig { durability: Durability::Normal, ..HubConfig::default() }
}

/// A hub with two agents, three versions of a key, awkward text and a published event, closed again.
fn filled(folder: &Path) -> PathBuf {
    let path = folder.join("team.db");
    let hub = Hub::open(&path, config()).unwrap();
    for name in ["ana", "bob"] {
        hub.run(agents::Register::new(name)).unwrap();
    }
    for value in [json!(1), json!("two, \"quoted\"\nand more"), json!({"three": [3]})] {
        let set = memory::Set { agent_id: Some("ana".into()), ..memory::Set::new("plans/q3", value) };
        hub.run(set).unwrap();
    }
    hub.run(memory::Set::new("other", json!("\u{1b}[31mred"))).unwrap();
    let publish = events::Publish {
        event_type: "build.finished".into(),
        source_agent: "bob".into(),
        target_agents: None,
        payload: None,
        correlation_id: None,
        idempotency_key: None,
    };
    hub.run(publish).unwrap();
    hub.close();
    path
}

/// How many events the log holds, asked of the engine itself.
fn count_of(path: &Path) -> usize {
    let hub = Hub::open(path, config()).unwrap();
    let mut all = hub.subscribe(Filter::default(), Some(0)).unwrap();
    let mut count = 0;
    while let Some(item) = all.next(Duration::from_millis(100)).unwrap() {
        count += usize::from(matches!(item, Item::Event(event) if event.seq > 0));
    }
    count
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_missing_file_is_refused_by_every_command_and_nothing_is_created() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nobody.db");
    for command in ["watch", "stats", "export", "check"] {
        let (code, said) = fails(&[command, text(&path)]);
        assert_eq!(code, 1, "{command}: {said}");
        assert!(said.contains("nobody.db") && said.contains("hint: "), "{command}: {said}");
    }
    let copy = folder.path().join("copy.db");
    assert_eq!(fails(&["backup", text(&path), text(&copy)]).0, 1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_file_of_another_program_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "not a hub, only some notes".repeat(100)).unwrap();
    for command in ["watch", "stats", "export", "check"] {
        let (code, said) = fails(&[command, text(&path)]);
        assert_eq!(code, 1, "{command}: {said}");
        assert!(said.contains("not a folkmoot hub"), "{command}: {said}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "something was put beside it");
    assert_eq!(fails(&["stats", text(folder.path())]).0, 1);
}

#[test]
fn a_misspelt_key_of_the_configuration_is_wrong_usage_and_names_the_right_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let file = folder.path().join("team.toml");
    std::fs::write(&file, "lease_secs = 30\n").unwrap();
    let (code, said) = fails(&["stats", text(&path), "--config", text(&file)]);
    assert_eq!(code, 2);
    assert!(said.contains("team.toml") && said.contains("lease_seconds"), "{said}");

    let (code, said) = fails(&["stats", text(&path), "--set", "lease_secs=30"]);
    assert_eq!(code, 2);
    assert!(said.contains("--set") && said.contains("lease_seconds"), "{said}");
    assert_eq!(fails(&["stats", text(&path), "--set", "lease_seconds"]).0, 2);
    assert_eq!(fails(&["stats", text(&path), "--set", "lease_seconds=soon"]).0, 2);

    let output = folkmoot(&["stats", text(&path)]).env("FOLKMOOT_LEASE_SECS", "30").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("FOLKMOOT_LEASE_SECS") && said.contains("lease_seconds"), "{said}");

    std::fs::write(&file, "lease_seconds = 30\n").unwrap();
    succeeds(&["stats", text(&path), "--config", text(&file), "--set", "idle_after_seconds=5"]);
}

#[test]
fn a_filter_that_can_match_nothing_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    for command in ["watch", "export"] {
        let (code, said) = fails(&[command, text(&path), "--kind", "Task Claimed"]);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains("--kind") && said.contains("task.claimed"), "{said}");
    }
    assert_eq!(fails(&["watch", text(&path), "--after", "999999"]).0, 1);
    assert_eq!(fails(&["watch", text(&path), "--after", "1", "--since-start"]).0, 2);
}

#[test]
fn an_error_for_programs_is_one_line_of_json() {
    let (code, said) = fails(&["stats", "nobody.db", "--json"]);
    assert_eq!(code, 1);
    assert_eq!(said.lines().count(), 1);
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap()["error"]["code"], "not_found");
}

#[test]
fn stats_counts_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let stats = json_of(&["stats", text(&path), "--json"]);
    assert_eq!(stats["stats"]["memory_keys"], 2);
    assert_eq!(stats["stats"]["events"]["memory.updated"], 4);
    assert_eq!(stats["stats"]["events"]["event.published"], 1);
    let then = json_of(&["stats", text(&path), "--json", "--at", "2"]);
    assert_eq!((&then["stats"]["memory_keys"], &then["status"]["seq"]), (&json!(0), &json!(2)));
    let (_, error) = fails(&["stats", text(&path), "--at", "yesterday"]);
    assert!(error.contains("at: must be a seq (a whole number from 0) or a time"), "{error}");
    let words = succeeds(&["stats", text(&path)]);
    assert!(words.contains("memory keys     2\n"), "{words}");
    assert!(!words.contains('\u{1b}'), "colour on what is no terminal: {words:?}");
}

#[test]
fn an_export_holds_every_event_once_and_in_order_in_both_formats() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let count = count_of(&path);
    let lines = succeeds(&["export", text(&path)]);
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seqs: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(events.len() >= 7 && events.len() == count, "{} and {count}", events.len());
    assert!(seqs.is_sorted_by(|a, b| a < b), "{seqs:?}");

    let table = succeeds(&["export", text(&path), "--format", "csv"]);
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(|row| row.unwrap()).collect();
    assert_eq!(rows.len(), events.len());
    for (row, event) in rows.iter().zip(&events) {
        for (column, cell) in header.iter().zip(row) {
            match &event[column] {
                Value::Null => assert_eq!(cell, ""),
                Value::String(text) => assert_eq!(cell, text),
                other => assert_eq!(&serde_json::from_str::<Value>(cell).unwrap(), other, "{column}"),
            }
        }
    }
}

#[test]
fn an_export_can_be_narrowed_and_continued() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let seqs = |args: &[&str]| -> Vec<u64> {
        let args = [&["export", text(&path)], args].concat();
        let lines = succeeds(&args);
        lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap())
            .collect()
    };
    let all = seqs(&[]);
    let middle = all[3];
    assert_eq!(seqs(&["--after", &middle.to_string()]), all[4..]);
    assert_eq!(seqs(&["--kind", "memory.*"]).len(), 4);
    assert_eq!(seqs(&["--kind", "memory.updated,event.published"]).len(), 5);
    assert_eq!(seqs(&["--agent", "ana", "--kind", "memory.*"]).len(), 3);
    assert_eq!(seqs(&["--key", "plans/"]).len(), 3);
    assert_eq!(seqs(&["--task", "nothing"]).len(), 0);
    assert_eq!(seqs(&["--after", "1000000"]).len(), 0);
}

#[test]
fn an_export_to_a_file_appears_whole_and_replaces_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let to = folder.path().join("events.csv");
    let told = json_of(&["export", text(&path), "--format", "csv", "--output", text(&to), "--json"]);
    let rows = csv::Reader::from_path(&to).unwrap().into_records().count();
    assert_eq!(told["events"], rows);
    let before = std::fs::read(&to).unwrap();
    let (code, said) = fails(&["export", text(&path), "--output", text(&to)]);
    assert_eq!(code, 1);
    assert!(said.contains("exists already"), "{said}");
    assert_eq!(std::fs::read(&to).unwrap(), before);
    assert_eq!(fails(&["export", text(&path), "--output", "no/such/folder/x"]).0, 1);
    assert_eq!(fails(&["export", text(&path), "--json"]).0, 2);
}

#[test]
fn a_pipe_that_breaks_ends_an_export_quietly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.db");
    let hub = Hub::open(&path, config()).unwrap();
    for i in 0..200 {
        hub.run(memory::Set::new(&format!("k/{i}"), json!("x".repeat(4_000)))).unwrap();
    }
    hub.close();
    let mut child =
        folkmoot(&["export", text(&path)]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn watch_hears_what_another_process_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let mut child =
        folkmoot(&["watch", text(&path), "--json", "--kind", "memory.*", "--limit", "6", "--since-start"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // The four of the past say that it listens; what follows is written by this process, the other one.
    let mut heard: Vec<Value> = Vec::new();
    for _ in 0..4 {
        heard.push(serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap());
    }
    let hub = Hub::open(&path, config()).unwrap();
    for key in ["live/1", "live/2"] {
        hub.run(memory::Set::new(key, json!(true))).unwrap();
        heard.push(serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap());
    }
    assert_eq!(heard[4]["data"]["key"], "live/1");
    assert_eq!(heard[5]["data"]["key"], "live/2");
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let seqs: BTreeSet<u64> = heard.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs.len(), 6);
}

#[test]
fn watch_shows_people_one_line_an_event_that_cannot_steer_their_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let shown = succeeds(&["watch", text(&path), "--since-start", "--kind", "memory.*", "--limit", "4"]);
    // A line for the day, then one for each event.
    assert_eq!(shown.lines().count(), 5, "{shown}");
    assert!(shown.contains("plans/q3 v2: two, \"quoted\" and more"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_watch_with_code_130() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let mut child = folkmoot(&["watch", text(&path), "--since-start"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    terminal::interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn a_backup_of_a_hub_in_use_passes_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let copy = folder.path().join("copy.db");
    let hub = Hub::open(&path, config()).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    let told = std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0.. {
                if done.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                hub.run(memory::Set::new(&format!("k/{}", i % 50), json!(i))).unwrap();
            }
        });
        let told = json_of(&["backup", text(&path), text(&copy), "--json"]);
        let live = json_of(&["check", text(&path), "--json"]);
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(live["ok"], true);
        told
    });
    assert!(told["bytes"].as_u64().unwrap() > 0);
    let report = json_of(&["check", text(&copy), "--json"]);
    assert_eq!(report["ok"], true);
    assert!(report["report"]["rows_equal"].as_u64().unwrap() >= 4, "{report}");
    assert!(succeeds(&["check", text(&copy)]).starts_with("sound: "));
    let (code, said) = fails(&["backup", text(&path), text(&copy)]);
    assert_eq!(code, 1);
    assert!(said.contains("exists already"), "{said}");
}

#[test]
fn check_finds_a_table_that_is_not_what_the_log_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let db = rusqlite::Connection::open(&path).unwrap();
    let changed =
        db.execute("UPDATE memory_head SET created_at = created_at + 1 WHERE key = 'plans/q3'", []).unwrap();
    assert!(changed > 0);
    drop(db);
    let (code, said) = fails(&["check", text(&path)]);
    assert_eq!(code, 1);
    assert!(said.contains("memory") && said.contains("plans/q3"), "{said}");
    let output = folkmoot(&["check", text(&path), "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap()["ok"], false);
}
