//! The words of `folkmoot demo`.

use std::path::PathBuf;

use clap::Args;

use crate::arguments::ConfigArgs;

/// `folkmoot demo`
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// The folder to survey [default: the repository around the current directory]
    pub folder: Option<PathBuf>,
    /// Keep the hub in this new file, to look at it later (folkmoot watch, stats, export)
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Where the report goes [default: a file in the system's folder for temporary files]
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Seconds that a worker rests after each step, so that people can follow
    #[arg(long, value_name = "SECONDS", default_value_t = 0.2, value_parser = pace)]
    pub pace: f64,
    /// Leave out the worker that is a Node program; it takes part where the Node package is found
    #[arg(long)]
    pub no_node: bool,
    /// Log lines instead of the screen
    #[arg(long)]
    pub plain: bool,
    /// Nothing but a summary in JSON at the end
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub config: ConfigArgs,
}

fn pace(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=5.0).contains(&seconds) => Ok(seconds),
        _ => Err("must be a number of seconds from 0 to 5".to_owned()),
    }
}

/// One process of the demo.
#[derive(Debug, Args)]
pub struct RoleArgs {
    /// Which one: planner, editor, or the name of a worker.
    pub role: String,
    #[arg(long)]
    pub file: PathBuf,
    #[arg(long)]
    pub folder: PathBuf,
    #[arg(long)]
    pub report: PathBuf,
    #[arg(long)]
    pub pace: f64,
    /// Whether someone in the team checks links.
    #[arg(long)]
    pub links: bool,
    /// The hub's configuration, as JSON.
    #[arg(long)]
    pub hub_config: String,
}
