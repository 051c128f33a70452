//! What the command line promises of the activity feed: exports and replays.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod terminal;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use folkmoot::activity::{Complete, Record};
use folkmoot::{Durability, Hub, HubConfig, memory};
use serde_json::{Value, json};
use terminal::{fails, folkmoot, json_of, succeeds};

/// A hub in which two agents did something, closed again; half a second lies between its first and its last event.
fn filled(folder: &Path) -> PathBuf {
    let path = folder.join("team.db");
    let hub = Hub::open(&path, HubConfig { durability: Durability::Normal, ..HubConfig::default() }).unwrap();
    let session_id = Some("s-1".to_owned());
    let metadata = Some(json!({"topic": "\u{1b}[31mcaches"}).into());
    let debate = Record { session_id, metadata, ..Record::new("ana", "council_debate") };
    let begun = hub.run(debate).unwrap();
    hub.run(memory::Set::new("plans/q3", json!("=1+1"))).unwrap();
    hub.run(Record::new("bob", "=writing")).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    hub.run(Complete { result: Some(json!({"votes": 3}).into()), ..Complete::new(&begun.activity_id) })
        .unwrap();
    hub.close();
    path
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn activities_are_exported_in_each_format_and_by_filter() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let export = |more: &[&str]| succeeds(&[&["export", text(&path), "--what", "activities"], more].concat());
    let types = |lines: &str| -> Vec<String> {
        let of = |line: &str| {
            serde_json::from_str::<Value>(line).unwrap()["activity_type"].as_str().map(str::to_owned)
        };
        lines.lines().filter_map(of).collect()
    };
    assert_eq!(types(&export(&[])), ["council_debate", "memory_write", "=writing"]);
    assert_eq!(types(&export(&["--agent", "bob"])), ["=writing"]);
    assert_eq!(types(&export(&["--session", "s-1"])), ["council_debate"]);
    assert_eq!(types(&export(&["--query", "topic", "--open", "false"])), ["council_debate"]);
    assert_eq!(types(&export(&["--until", "2020-01-01T00:00:00Z"])), Vec::<String>::new());
    let whole: Value = serde_json::from_str(&export(&["--format", "json"])).unwrap();
    assert_eq!(whole.as_array().unwrap().len(), 3);
    let csv = export(&["--format", "csv", "--type", "=writing"]);
    assert!(csv.starts_with("seq,activity_id,timestamp,") && csv.contains(",'=writing,"), "{csv}");
    let to = folder.path().join("feed.jsonl");
    let told = json_of(&["export", text(&path), "--what", "activities", "--output", text(&to), "--json"]);
    assert_eq!(told["activities"], 3);
    assert_eq!(std::fs::read_to_string(&to).unwrap(), export(&[]));
}

#[test]
fn events_are_exported_as_one_array_and_safe_to_open_in_a_spreadsheet() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let whole: Value = serde_json::from_str(&succeeds(&["export", text(&path), "--format", "json"])).unwrap();
    let lines = succeeds(&["export", text(&path)]);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(whole, json!(lines));
    let none = succeeds(&["export", text(&path), "--format", "json", "--agent", "nobody"]);
    assert_eq!(serde_json::from_str::<Value>(&none).unwrap(), json!([]));
    let csv = succeeds(&["export", text(&path), "--format", "csv"]);
    assert!(!csv.contains(",=") && !csv.contains("\n="), "{csv}");
}

#[test]
fn flags_that_do_not_go_together_are_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    for (flags, says) in [
        (&["--what", "activities", "--kind", "task.*"] as &[&str], "--kind"),
        (&["--what", "activities", "--after", "3"], "--after"),
        (&["--what", "activities", "--agent", "ana,bob"], "--agent"),
        (&["--what", "activities", "--query", "..."], "query"),
        (&["--what", "activities", "--since", "yesterday"], "2026-01-14"),
        (&["--query", "caches"], "--query"),
        (&["--type", "x"], "--type"),
        (&["--what", "everything"], "--what"),
    ] {
        let (code, said) = fails(&[&["export", text(&path)], flags].concat());
        assert!(code == 2 && said.contains(says), "{flags:?}: {code} {said}");
    }
}

#[test]
fn a_replay_has_the_look_of_watch_and_its_own_pace() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let lines = succeeds(&["replay", text(&path), "--speed", "max"]);
    let kinds = ["activity.recorded", "memory.updated", "activity.recorded", "activity.completed"];
    let shown: Vec<&str> = lines.lines().filter(|line| !line.starts_with("--")).collect();
    assert_eq!(shown.len(), kinds.len(), "{lines}");
    for (line, kind) in shown.iter().zip(kinds) {
        assert!(line.contains(kind), "{line}");
    }
    assert!(lines.contains("council debate: topic") && lines.contains("council debate ok after"), "{lines}");
    assert!(!lines.contains('\u{1b}'), "what an agent wrote steers a terminal: {lines:?}");
    let started = std::time::Instant::now();
    let session = succeeds(&["replay", text(&path), "--session", "s-1", "--json"]);
    assert!(started.elapsed() >= Duration::from_millis(450), "it was played without waiting");
    assert_eq!(session.lines().count(), 2);
    let until = succeeds(&["replay", text(&path), "--until", "2020-01-01T00:00:00Z"]);
    assert_eq!(until, "");
    for speed in ["-1", "0.0001", "fast", "NaN"] {
        let (code, said) = fails(&["replay", text(&path), &format!("--speed={speed}")]);
        assert!(code == 2 && said.contains("speed"), "{speed}: {said}");
    }
}

#[test]
#[cfg(unix)]
fn ctrl_c_ends_a_replay_that_waits() {
    let folder = tempfile::tempdir().unwrap();
    let path = filled(folder.path());
    let mut child = folkmoot(&["replay", text(&path), "--speed", "0.001", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("activity.recorded"));
    terminal::interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
