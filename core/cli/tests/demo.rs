//! What the demo promises: real processes, true figures, a death that costs nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod terminal;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use folkmoot::{Durability, Filter, Hub, HubConfig, Item, agents, tasks};
use serde_json::Value;
use terminal::{fails, folkmoot, json_of, succeeds};

/// Nothing here is about the disk.
fn config() -> HubConfig {
    HubConfig { durability: Durability::Normal, ..HubConfig::default() }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The word for work that is put off, in pieces: this file holds none.
fn mark() -> String {
    ["TO", "DO"].concat()
}

/// A small repository whose figures are known, with things in it that must not be counted.
fn fixture(folder: &Path) {
    let write = |path: &str, content: &str| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let long: String = (0..40).map(|i| format!("    let _x{i} = {i};\n")).collect();
    write(
        "alpha/lib.rs",
        &format!(
            "//! Alpha sorts things. And more.\n\nuse serde::Serialize;\n\npub fn longest() {{\n{long}}}\n"
        ),
    );
    for i in 0..8 {
        write(
            &format!("alpha/part{i}.rs"),
            &format!("// {}: one\npub fn part{i}() {{\n    {i};\n}}\n", mark()),
        );
    }
    for i in 0..6 {
        write(&format!("beta/m{i}.py"), "def work():\n    return 1\n\n\nx = 2\n");
    }
    write("README.md", "# A fixture\n\nIt is small. It is known.\n");
    write("target/debug/built.rs", "fn built() {}\n");
    write("beta/node_modules/x/index.js", "function no() {}\n");
    write(".hidden/secret.rs", "fn no() {}\n");
    write("made.gen", "ignored\n");
    write(".gitignore", "*.gen\n");
    fs::write(folder.join("picture.png"), [0u8, 1, 2, 0]).unwrap();
}

#[test]
fn a_team_surveys_a_folder_and_a_killed_workers_task_is_done_by_another() {
    let folder = tempfile::tempdir().unwrap();
    let (source, file) = (folder.path().join("source"), folder.path().join("team.db"));
    let report = folder.path().join("report.md");
    fixture(&source);
    let start = Instant::now();
    let told = json_of(&[
        "demo",
        text(&source),
        "--no-node",
        "--json",
        "--file",
        text(&file),
        "--report",
        text(&report),
    ]);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());

    // The figures are those of the fixture.
    let figures = &told["figures"];
    let languages = &figures["languages"];
    assert_eq!(languages["Rust"], serde_json::json!({"files": 9, "lines": 46 + 8 * 4}));
    assert_eq!(languages["Python"], serde_json::json!({"files": 6, "lines": 6 * 5}));
    assert_eq!(languages["Markdown"], serde_json::json!({"files": 1, "lines": 3}));
    assert_eq!(languages.as_object().unwrap().len(), 3, "{languages}");
    assert_eq!(figures["functions"], 1 + 8 + 6);
    assert_eq!(figures["marks"], 8);
    assert_eq!(figures["longest"]["name"], "longest");
    assert_eq!(figures["longest"]["lines"], 42);
    let page = fs::read_to_string(&report).unwrap();
    for said in
        ["| Rust | 9 | 78 |", "| 42 | `longest` | alpha/lib.rs:5 |", "Alpha sorts things.", "8 marked lines"]
    {
        assert!(page.contains(said), "{said:?} is not in\n{page}");
    }

    // The team met in a session, voted and decided; the feed and the replay of the session show it.
    assert_eq!(figures["decided"], "alpha deserves a closer look");
    assert!(page.contains("- **alpha deserves a closer look**"), "{page}");
    let replayed = succeeds(&["replay", text(&file), "--session", "survey", "--speed", "max"]);
    for said in ["session.started", "proposal to", "vote to", "session.decision_recorded", "session.ended"] {
        assert!(replayed.contains(said), "{said:?} is not in\n{replayed}");
    }

    // Someone was killed, and the hub itself says who finished the task.
    let killed = &told["killed"];
    let (victim, heir) = (killed["agent_id"].as_str().unwrap(), killed["taken_over_by"].as_str().unwrap());
    assert_ne!(victim, heir);
    assert_ne!(killed["completed_by"], victim);
    assert!(
        page.contains(victim) && page.contains("SIGKILL") && page.contains(&format!("{heir} took it over")),
        "{page}"
    );
    let hub = Hub::open(&file, config()).unwrap();
    let task_id = killed["task_id"].as_str().unwrap().to_owned();
    let steps: Vec<(String, String)> = hub
        .run(tasks::Get { task_id })
        .unwrap()
        .history
        .into_iter()
        .map(|step| (step.what, step.agent_id.unwrap_or_default()))
        .collect();
    let step = |what: &str, who: &str| (what.to_owned(), who.to_owned());
    assert_eq!(steps[..3], [step("claimed", victim), step("lapsed", victim), step("claimed", heir)]);
    assert_eq!(steps.last().unwrap().0, "completed");
    assert!(left_by_lapse(&hub, victim), "{victim} was not seen to leave");
    for view in hub.run(agents::List::default()).unwrap().agents {
        assert_eq!(view.presence.status, agents::Status::Offline, "{}", view.agent.agent_id);
    }
    hub.close();
    assert_eq!(told["tasks"]["completed"], told["tasks"]["total"]);
    assert!(succeeds(&["check", text(&file)]).starts_with("sound: "));
}

fn left_by_lapse(hub: &Hub, agent_id: &str) -> bool {
    let mut left = hub.subscribe(Filter::kinds(["agent.left"]), Some(0)).unwrap();
    while let Some(item) = left.next(Duration::from_millis(100)).unwrap() {
        if let Item::Event(event) = item
            && event.place.agent_id.as_deref() == Some(agent_id)
            && event.data.to_value()["reason"] == "lapsed"
        {
            return true;
        }
    }
    false
}

/// The repository that this test is of.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf()
}

/// Lines of Rust and Python, counted anew and in another way.
fn counted(folder: &Path, sums: &mut BTreeMap<&'static str, (u64, u64)>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        let made =
            ["target", "node_modules", "venv", "__pycache__", "dist", "results"].contains(&name.as_str());
        if name.starts_with('.') || made || name.ends_with(".so") {
            continue;
        }
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            counted(&entry.path(), sums);
        }
        let language = match name.rsplit('.').next() {
            Some("rs") => "Rust",
            Some("py" | "pyi") => "Python",
            _ => continue,
        };
        if kind.is_file() {
            let bytes = fs::read(entry.path()).unwrap();
            let ends = bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            let unfinished = u64::from(bytes.last().is_some_and(|last| *last != b'\n'));
            let sum = sums.entry(language).or_default();
            *sum = (sum.0 + 1, sum.1 + ends + unfinished);
        }
    }
}

#[test]
fn the_repositorys_own_survey_holds_its_true_figures() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.md");
    let count = || {
        let mut sums = BTreeMap::new();
        counted(&repository(), &mut sums);
        sums
    };
    let before = count();
    let start = Instant::now();
    let here = repository();
    let args = ["demo", text(&here), "--no-node", "--json", "--pace", "0.05", "--report", text(&report)];
    let told = json_of(&args);
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
    assert_eq!(told["tasks"]["completed"], told["tasks"]["total"]);
    // Whoever edits the repository while its tests run would see a difference that is none.
    if before == count() {
        for (language, (files, lines)) in before {
            let told = &told["figures"]["languages"][language];
            assert_eq!(
                (told["files"].as_u64(), told["lines"].as_u64()),
                (Some(files), Some(lines)),
                "{language}"
            );
        }
    }
    if told["killed"] != Value::Null {
        assert_ne!(told["killed"]["agent_id"], told["killed"]["completed_by"]);
    }
}

#[test]
fn without_a_terminal_the_demo_writes_log_lines_and_the_report() {
    let folder = tempfile::tempdir().unwrap();
    fixture(folder.path());
    let report = folder.path().join("report.md");
    let shown =
        succeeds(&["demo", text(folder.path()), "--no-node", "--pace", "0.1", "--report", text(&report)]);
    for said in [
        "agent.joined",
        "task.claimed",
        "SIGKILL to ",
        "task.lapsed",
        "question to ",
        "proposal to survey/decisions: Which module",
        "vote to survey/decisions: alpha: ",
        "alpha deserves a closer look",
        "# A survey of ",
        text(&report),
    ] {
        assert!(shown.contains(said), "{said:?} is not in\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn what_cannot_be_surveyed_or_would_be_overwritten_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    assert_eq!(fails(&["demo", text(&missing)]).0, 1);
    let (code, said) = fails(&["demo", text(folder.path())]);
    assert_eq!(code, 1);
    assert!(said.contains("text files"), "{said}");
    fixture(folder.path());
    let readme = folder.path().join("README.md");
    for flag in ["--file", "--report"] {
        let (code, said) = fails(&["demo", text(folder.path()), flag, text(&readme)]);
        assert_eq!(code, 1);
        assert!(said.contains("exists already"), "{said}");
    }
    assert_eq!(fails(&["demo", "--pace", "-1"]).0, 2);
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_the_whole_team() {
    let folder = tempfile::tempdir().unwrap();
    let (source, file) = (folder.path().join("source"), folder.path().join("team.db"));
    fixture(&source);
    let child =
        folkmoot(&["demo", text(&source), "--no-node", "--plain", "--pace", "1", "--file", text(&file)])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
    let start = Instant::now();
    let pids = loop {
        assert!(start.elapsed() < Duration::from_secs(30), "the team did not come together");
        std::thread::sleep(Duration::from_millis(50));
        let config = HubConfig { create: false, read_only: true, ..HubConfig::default() };
        let Ok(hub) = Hub::open(&file, config) else { continue };
        let team = hub.run(agents::List::default()).map(|page| page.agents).unwrap_or_default();
        if team.len() == 6 {
            let pid = |view: &agents::AgentView| view.presence.location.as_ref().unwrap().pid.unwrap();
            break team.iter().map(pid).collect::<Vec<u32>>();
        }
    };
    terminal::interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    for pid in pids {
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "process {pid} is still there");
    }
}
