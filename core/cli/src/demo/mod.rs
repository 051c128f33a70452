//! `folkmoot demo`: a team of processes surveys a folder together, and one of them is killed on the way.
//!
//! Nothing is scripted. This process, the *director*, opens a hub on a file and starts the team, each one a process of
//! its own that reaches the others through that file alone. The *planner* walks the folder and makes tasks; *workers*
//! claim what they can do, report progress, merge what they find into shared memory by compare-and-set and ask each other
//! questions; the *editor*'s task is ready once all others are done: it has the team decide which module deserves a closer
//! look, and its result is the report. Where the Node package is, one worker is a Node program. The director kills
//! one worker with SIGKILL in the middle of a task; the hub notices that its lease has lapsed, and someone else who can
//! do it takes the task over. What the screen shows is folded from the hub's events.

pub mod arguments;
mod director;
mod editor;
mod findings;
mod lines;
mod meeting;
mod member;
mod node;
mod picture;
mod planner;
mod processes;
mod report;
mod screen;
mod survey;
mod talk;
mod team;
mod votes;
mod worker;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use folkmoot::{Durability, Error, HubConfig};
use serde_json::json;

use crate::failure::Failure;
use crate::output::one_line;
use crate::{hub, interrupt};
use arguments::{DemoArgs, RoleArgs};
use director::Director;
use lines::{Front, Lines, Silent};
use member::Member;
use node::NodeProgram;
use processes::{Launch, Processes};
use team::{Role, TEAM};

/// In the demo a death is noticed within seconds, so that people need not wait for it.
const LEASE_SECONDS: f64 = 2.0;

/// Runs one process of the team.
pub fn play(args: &RoleArgs) -> Result<(), Failure> {
    let role = team::role(&args.role).filter(|role| !role.needs_node()).ok_or_else(|| {
        let names: Vec<&str> = TEAM.iter().filter(|role| !role.needs_node()).map(|role| role.name).collect();
        Failure::Usage(Error::invalid(
            "role",
            args.role.as_str(),
            format!("must be one of {}", names.join(", ")),
        ))
    })?;
    let member = Member::join(&role, args)?;
    let played = meeting::join(&member, &role).and_then(|()| match role.name {
        "planner" => planner::play(&member),
        "editor" => editor::play(&member),
        _ => worker::play(&member, &role),
    });
    let over = member.is_over();
    member.hub.close();
    match played {
        Err(_) if over => Ok(()),
        other => Ok(other?),
    }
}

/// Runs the whole demo.
pub fn run(args: &DemoArgs, relaunch: &[OsString]) -> Result<(), Failure> {
    interrupt::listen();
    let folder = folder(args.folder.as_deref())?;
    let config = config(args)?;
    let temporary = tempfile::Builder::new().prefix("folkmoot-demo-").tempdir()?;
    let file = place(args.file.as_deref(), &temporary.path().join("hub.db"))?;
    let report = place(args.report.as_deref(), &default_report(&folder))?;
    let node = if args.no_node { None } else { NodeProgram::find(relaunch, temporary.path())? };
    let team: Vec<Role> = TEAM.into_iter().filter(|role| node.is_some() || !role.needs_node()).collect();
    let mut director = Director::open(&file, config.clone())?;
    let told = json!({ "file": file, "folder": folder, "pace": args.pace, "config": config });
    let launch = Launch {
        relaunch: relaunch.to_vec(),
        arguments: arguments_of(&file, &folder, &report, args.pace, node.is_some(), &config)?,
        node: node.map(|node| (node, told.to_string())),
        logs: temporary.path().to_path_buf(),
    };
    let mut processes = Processes::new(launch);
    for role in &team {
        processes.start(*role)?;
    }
    let ended = {
        let mut front: Box<dyn Front> = if args.json {
            Box::new(Silent)
        } else if args.plain || !std::io::stdout().is_terminal() {
            Box::new(Lines::new())
        } else {
            Box::new(screen::Screen::open(&folder, team)?)
        };
        director.direct(&mut processes, front.as_mut())
        // Here the screen gives the terminal back.
    };
    processes.stop();
    let task = ended?;
    let seconds = director.picture.elapsed().as_secs_f64();
    let kept = args.file.as_deref().map(|_| file.as_path());
    if args.json {
        let summary = director.summary(&task, &folder, &report, kept, seconds)?;
        writeln!(std::io::stdout().lock(), "{summary}")?;
        return Ok(());
    }
    tell(&report, kept, seconds)
}

/// Prints the report and where things are.
fn tell(report: &Path, kept: Option<&Path>, seconds: f64) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", std::fs::read_to_string(report)?)?;
    writeln!(out, "This report: {} (made in {seconds:.1} s)", one_line(&report.display().to_string()))?;
    match kept {
        Some(file) => {
            let file = one_line(&file.display().to_string());
            writeln!(out, "The hub: {file} (try: folkmoot stats {file})")?;
        }
        None => writeln!(out, "The hub was temporary; --file team.db keeps it.")?,
    }
    Ok(out.flush()?)
}

/// The folder to survey: what was given, or the repository around the current directory, or that directory.
fn folder(given: Option<&Path>) -> Result<PathBuf, Failure> {
    let here = std::env::current_dir()?;
    let folder = match given {
        Some(folder) => folder.to_path_buf(),
        None => here.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(&here).to_path_buf(),
    };
    let name = folder.display().to_string();
    if !folder.is_dir() {
        return Err(Error::not_found("folder", &name).hint("give a folder with source files").into());
    }
    let folder = folder.canonicalize()?;
    if survey::walk::walk(&folder)?.files.is_empty() {
        let error = Error::invalid("folder", name, "must hold text files to survey");
        return Err(Failure::Refused(
            error.hint("folders that start with a dot and build folders are left out"),
        ));
    }
    Ok(folder)
}

/// A new file: the one that was given, or this one.
fn place(given: Option<&Path>, otherwise: &Path) -> Result<PathBuf, Failure> {
    let path = std::path::absolute(given.unwrap_or(otherwise))?;
    if given.is_some() && path.exists() {
        let error = Error::already_exists("file", &path.display().to_string());
        return Err(error.hint("choose a path that is not there yet").into());
    }
    if path.parent().is_some_and(|folder| !folder.is_dir()) {
        let error = Error::not_found("folder of", &path.display().to_string());
        return Err(error.hint("create it first").into());
    }
    Ok(path)
}

fn default_report(folder: &Path) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    std::env::temp_dir().join(format!("folkmoot-report-{name}-{}.md", std::process::id()))
}

/// The configuration of the demo's hub: short leases, and nothing waits for the disk, unless it is asked for otherwise.
fn config(args: &DemoArgs) -> Result<HubConfig, Failure> {
    let base = HubConfig {
        lease_seconds: LEASE_SECONDS,
        presence_ttl_seconds: LEASE_SECONDS,
        durability: Durability::Normal,
        ..HubConfig::default()
    };
    let given = hub::config_over(&base, &args.config)?;
    Ok(HubConfig { status_interval_seconds: 0.0, create: true, read_only: false, ..given })
}

fn arguments_of(
    file: &Path,
    folder: &Path,
    report: &Path,
    pace: f64,
    links: bool,
    config: &HubConfig,
) -> Result<Vec<OsString>, Error> {
    let config = serde_json::to_string(config).map_err(|error| Error::internal(error.to_string()))?;
    let links = links.then(|| "--links".into());
    let words = [
        "--file".into(),
        file.into(),
        "--folder".into(),
        folder.into(),
        "--report".into(),
        report.into(),
        "--pace".into(),
        pace.to_string().into(),
        "--hub-config".into(),
        config.into(),
    ];
    Ok(words.into_iter().chain(links).collect())
}
