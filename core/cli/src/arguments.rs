//! The words of the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use folkmoot::activity::ActivityFilter;
use folkmoot::activity::replay::Speed;
use folkmoot::clock::Time;
use folkmoot::{Error, Filter};

use crate::demo::arguments::{DemoArgs, RoleArgs};
use crate::failure::Failure;

const AFTER: &str = "\
Exit codes: 0 done; 1 the hub refused, or something is not as it should be; 2 wrong usage; 130 ended by Ctrl-C.

Configuration: every key of a hub can stand in a TOML file (--config FILE), in the environment \
(FOLKMOOT_LEASE_SECONDS=30) or after --set (lease_seconds=30); later ones win.

Colours: only on a terminal; NO_COLOR turns them off.";

/// Real-time coordination for teams of agents, on one file.
#[derive(Debug, Parser)]
#[command(name = "folkmoot", version, after_help = AFTER, max_term_width = 110, disable_help_subcommand = true)]
#[command(subcommand_required = true, arg_required_else_help = true, propagate_version = false)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show a team at work: processes survey a folder together, and one of them is killed on the way
    Demo(DemoArgs),
    /// Follow what happens in a hub, live
    Watch(WatchArgs),
    /// Count the agents, tasks, messages, keys and events of a hub
    Stats(StatsArgs),
    /// Write the events or the activities of a hub as JSON Lines, JSON or CSV
    Export(ExportArgs),
    /// Play back what happened, at its own pace or another
    Replay(ReplayArgs),
    /// Check that a file is sound: the chain of its log, and that the tables are what the log says
    Check(CheckArgs),
    /// Copy a hub into a new file while it is in use
    Backup(BackupArgs),
    /// One process of the demo.
    #[command(hide = true)]
    DemoRole(RoleArgs),
}

impl Command {
    /// Whether a program reads the answer, and so the errors.
    pub fn wants_json(&self) -> bool {
        match self {
            Command::Demo(args) => args.json,
            Command::Watch(args) => args.json,
            Command::Stats(args) => args.json,
            Command::Export(args) => args.json,
            Command::Replay(args) => args.json,
            Command::Check(args) => args.json,
            Command::Backup(args) => args.json,
            Command::DemoRole(_) => false,
        }
    }
}

/// How the hub behaves for this command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Configuration")]
pub struct ConfigArgs {
    /// Read the hub's configuration from a TOML file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set one key of the configuration; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// Which events.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Which events")]
pub struct FilterArgs {
    /// Kinds, by glob: task.claimed, 'task.*'; may be repeated or separated by commas
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    pub kind: Vec<String>,
    /// Agents that acted or that it is for; may be repeated or separated by commas
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    pub agent: Vec<String>,
    /// One task (also called an execution)
    #[arg(long, value_name = "ID", visible_alias = "execution")]
    pub task: Option<String>,
    /// One session
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
    /// Memory keys that start with this
    #[arg(long, value_name = "PREFIX")]
    pub key: Option<String>,
}

impl FilterArgs {
    /// The filter, refused as wrong usage when it can match nothing.
    pub fn filter(&self) -> Result<Filter, Failure> {
        let filter = Filter {
            kinds: self.kind.clone(),
            agents: self.agent.clone(),
            task_id: self.task.clone(),
            session_id: self.session.clone(),
            key_prefix: self.key.clone(),
            ..Filter::default()
        };
        match filter.check() {
            Ok(()) => Ok(filter),
            Err(error) => Err(Failure::Usage(by_flag(error))),
        }
    }
}

/// The same error, naming the flag instead of the filter's field.
fn by_flag(error: Error) -> Error {
    let field = error.details().get("field").and_then(|field| field.as_str()).unwrap_or_default().to_owned();
    for (name, flag) in
        [("kinds", "--kind"), ("agents", "--agent"), ("task_id", "--task"), ("session_id", "--session")]
    {
        if field.starts_with(name) {
            let message = error.message().replacen(&field, flag, 1);
            return Error::new(error.code(), message).with("field", flag);
        }
    }
    error
}

/// `folkmoot watch`
#[derive(Debug, Args)]
pub struct WatchArgs {
    /// The hub's file
    pub path: PathBuf,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Begin with the events after this seq, then go on live
    #[arg(long, value_name = "SEQ", conflicts_with = "since_start")]
    pub after: Option<u64>,
    /// Begin with the oldest event that the log still holds, then go on live
    #[arg(long)]
    pub since_start: bool,
    /// End after this many events
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Print each event as one line of JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `folkmoot stats`
#[derive(Debug, Args)]
pub struct StatsArgs {
    /// The hub's file
    pub path: PathBuf,
    /// Show the hub as it was just after an event, or at a time such as 2026-01-14T14:50:30Z
    #[arg(long, value_name = "SEQ|TIME")]
    pub at: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// What is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// The events of the log
    Events,
    /// The entries of the activity feed
    Activities,
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One JSON object a line
    Jsonl,
    /// One JSON array
    Json,
    /// Comma-separated values with a header
    Csv,
}

/// Which activities, beside those of --agent, --session and --task.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Which activities")]
pub struct ActivityArgs {
    /// One type: task_completed, memory_write
    #[arg(long = "type", value_name = "TYPE")]
    pub activity_type: Option<String>,
    /// One department
    #[arg(long, value_name = "NAME")]
    pub department: Option<String>,
    /// An agent that they concern beside the one who did them
    #[arg(long, value_name = "ID")]
    pub related: Option<String>,
    /// Begun at this time or later: 2026-01-14T14:50:30Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<Time>,
    /// Begun before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Time>,
    /// Only those that go on (true) or do not (false)
    #[arg(long, value_name = "BOOL")]
    pub open: Option<bool>,
    /// Words in the type or the metadata
    #[arg(long, value_name = "WORDS")]
    pub query: Option<String>,
}

impl ActivityArgs {
    /// The flag that was given and only goes with activities.
    pub fn given(&self) -> Option<&'static str> {
        let flags = [
            ("--type", self.activity_type.is_some()),
            ("--department", self.department.is_some()),
            ("--related", self.related.is_some()),
            ("--since", self.since.is_some()),
            ("--until", self.until.is_some()),
            ("--open", self.open.is_some()),
            ("--query", self.query.is_some()),
        ];
        flags.into_iter().find_map(|(flag, given)| given.then_some(flag))
    }

    /// The filter, with what the flags for events say.
    pub fn filter(&self, events: &FilterArgs) -> ActivityFilter {
        ActivityFilter {
            agent_id: events.agent.first().cloned(),
            department: self.department.clone(),
            activity_type: self.activity_type.clone(),
            session_id: events.session.clone(),
            task_id: events.task.clone(),
            related_agent: self.related.clone(),
            since: self.since,
            until: self.until,
            open: self.open,
            query: self.query.clone(),
        }
    }
}

fn time(text: &str) -> Result<Time, String> {
    Time::parse(text).ok_or_else(|| "a time must read like 2026-01-14T14:50:30Z".to_owned())
}

fn speed(text: &str) -> Result<Speed, String> {
    text.parse().map_err(|error: Error| error.message().to_owned())
}

/// `folkmoot export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The hub's file
    pub path: PathBuf,
    /// What is written
    #[arg(long, value_enum, default_value = "events")]
    pub what: What,
    /// How it is written
    #[arg(long, value_enum, default_value = "jsonl")]
    pub format: Format,
    /// Only events after this seq
    #[arg(long, value_name = "SEQ")]
    pub after: Option<u64>,
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub activities: ActivityArgs,
    /// Write to a new file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print how much was written as JSON (with --output)
    #[arg(long, requires = "output")]
    pub json: bool,
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `folkmoot replay`
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The hub's file
    pub path: PathBuf,
    /// How many times as fast as it happened, from 0.001; max for no waiting
    #[arg(long, value_name = "N", value_parser = speed, default_value = "1")]
    pub speed: Speed,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Only what happened at this time or later: 2026-01-14T14:50:30Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub since: Option<Time>,
    /// Only what happened before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub until: Option<Time>,
    /// Print each event as one line of JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `folkmoot check`
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The hub's file
    pub path: PathBuf,
    /// Print what was found as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// `folkmoot backup`
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The hub's file
    pub path: PathBuf,
    /// The copy: a file that is not there yet
    pub to: PathBuf,
    /// Print what was done as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub config: ConfigArgs,
}
