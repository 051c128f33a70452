//! `folkmoot watch`: what happens in a hub, line by line, whoever does it.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use folkmoot::{Event, Filter, Hub, Item};
use serde_json::json;

use crate::arguments::WatchArgs;
use crate::describe::Describer;
use crate::failure::Failure;
use crate::hub;
use crate::interrupt;
use crate::output::{Paint, one_line, thousands};

/// How often a silent watch looks whether its end was asked for.
const LOOK: Duration = Duration::from_millis(200);
/// The summary of everyone, every two seconds: shown only to those who ask for it by name.
const SUMMARY: &str = "agent.status";

/// Runs the command.
pub fn run(args: &WatchArgs) -> Result<(), Failure> {
    let filter = args.filter.filter()?;
    let summaries = filter.kinds.iter().any(|kind| kind == SUMMARY);
    let hub = match summaries {
        true => hub::open_to_listen(&args.path, &args.config)?,
        false => hub::open_to_read(&args.path, &args.config)?,
    };
    interrupt::listen();
    let after = if args.since_start { Some(0) } else { args.after };
    let mut shown = Shown::new(args.json);
    greet(&hub, &filter, args);
    let mut subscription = hub.subscribe(filter, after)?;
    let mut left = args.limit.unwrap_or(u64::MAX);
    while left > 0 {
        interrupt::check()?;
        match subscription.next(LOOK)? {
            Some(Item::Event(event)) if event.seq > 0 || summaries => {
                shown.event(&event)?;
                left -= 1;
            }
            Some(Item::Gap { from, to }) => shown.gap(from, to)?,
            Some(Item::Event(_) | Item::Position { .. }) | None => {}
        }
    }
    Ok(())
}

/// Tells a person at a terminal that it works, before anything happens.
fn greet(hub: &Hub, filter: &Filter, args: &WatchArgs) {
    if args.json || !std::io::stdout().is_terminal() || !std::io::stderr().is_terminal() {
        return;
    }
    let what = if *filter == Filter::default() { "everything" } else { "what the filter lets through" };
    let path = one_line(&hub.path().display().to_string());
    let text = format!("watching {path} for {what}; Ctrl-C ends it");
    eprintln!("{}", Paint::stdout().dim(&text));
}

/// The columns of the terminal; none where the lines go elsewhere and are left whole.
fn width() -> Option<usize> {
    if !std::io::stdout().is_terminal() {
        return None;
    }
    ratatui::crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns).max(40))
}

/// Events on standard output: lines for people, or JSON.
pub struct Shown {
    describer: Describer,
    json: bool,
}

impl Shown {
    /// Lines as the terminal wants them, or JSON.
    pub fn new(json: bool) -> Shown {
        Shown { describer: Describer::new(Paint::stdout(), width()), json }
    }

    /// One line, written out at once: whoever reads along must not wait for the next event.
    fn line(&self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{text}")?;
        Ok(out.flush()?)
    }

    /// An event, after the day when it is the first one of it.
    pub fn event(&mut self, event: &Event) -> Result<(), Failure> {
        if self.json {
            return self.line(&event.wire());
        }
        if let Some(day) = self.describer.new_day(event) {
            self.line(&day)?;
        }
        let text = self.describer.line(event);
        self.line(&text)
    }

    /// What is missing.
    pub fn gap(&self, from: u64, to: u64) -> Result<(), Failure> {
        if self.json {
            return self.line(&json!({ "gap": { "from": from, "to": to } }).to_string());
        }
        let text = format!("retention has taken events {} to {}", thousands(from), thousands(to));
        self.line(&self.describer.paint.dim(&text))
    }
}
