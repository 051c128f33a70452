//! Raw limits, one JSON line a figure: what rusqlite and the kernel do when nothing stands between.
//!
//! ```text
//! folkmoot-limits FOLDER SECONDS [writes|reads|processes|wake]...
//! ```
//!
//! The same program runs again as its own child where a figure needs several processes.

mod event;
mod line;
mod processes;
mod reads;
mod wake;
mod writes;

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

/// Anything that goes wrong here ends the run; the harness shows the sentence.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

const EVERYTHING: [&str; 4] = ["writes", "reads", "processes", "wake"];

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["writer", folder, seconds] => processes::write_as_child(&PathBuf::from(folder), duration(seconds)?),
        ["listener", folder, signal, count] => {
            wake::listen_as_child(&PathBuf::from(folder), signal, count.parse()?)
        }
        [folder, seconds] => measure(&PathBuf::from(folder), duration(seconds)?, &EVERYTHING),
        [folder, seconds, what @ ..] => measure(&PathBuf::from(folder), duration(seconds)?, what),
        _ => Err("usage: folkmoot-limits FOLDER SECONDS [writes|reads|processes|wake]...".into()),
    }
}

fn duration(seconds: &str) -> Outcome<Duration> {
    Ok(Duration::try_from_secs_f64(seconds.parse()?)?)
}

fn measure(folder: &PathBuf, time: Duration, what: &[&str]) -> Outcome<()> {
    std::fs::create_dir_all(folder)?;
    for name in what {
        match *name {
            "writes" => writes::measure(folder, time)?,
            "reads" => reads::measure(folder)?,
            "processes" => processes::measure(folder, time)?,
            "wake" => wake::measure(folder, time)?,
            other => return Err(format!("unknown limit {other:?}: one of {EVERYTHING:?}").into()),
        }
    }
    Ok(())
}
