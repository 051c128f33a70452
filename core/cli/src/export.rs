//! `folkmoot export`: the events or the activities of a hub, page by page, in bounded memory.
//!
//! The export ends at the event that was the newest when it began, so that it ends although others go on writing.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use folkmoot::events::queries::EventPage;
use folkmoot::events::{HubStatus, Read};
use folkmoot::spreadsheet::safe_cell;
use folkmoot::{Code, Error, Filter, Hub, Json, Principal, activity};
use serde_json::{Value, json};

use crate::arguments::{ExportArgs, Format, What};
use crate::failure::Failure;
use crate::hub;
use crate::interrupt;
use crate::output::{one_line, thousands};

/// Events of one page.
const PAGE: u64 = 500;
/// The columns of CSV: the fields of an event.
const COLUMNS: [&str; 11] = [
    "seq",
    "id",
    "kind",
    "time",
    "principal",
    "agent_id",
    "session_id",
    "task_id",
    "target_agents",
    "correlation_id",
    "data",
];

/// Runs the command.
pub fn run(args: &ExportArgs) -> Result<(), Failure> {
    refuse_what_does_not_go_together(args)?;
    let filter = args.filter.filter()?;
    let hub = hub::open_to_read(&args.path, &args.config)?;
    interrupt::listen();
    let upto = hub.run(HubStatus {})?.seq;
    let write = |out: &mut dyn Write| match args.what {
        What::Events => {
            let after = args.after.unwrap_or(0);
            Export { hub: &hub, filter: filter.clone(), after, upto }.write(args.format, out)
        }
        What::Activities => activities(&hub, args, out),
    };
    let Some(to) = &args.output else {
        let mut out = BufWriter::new(std::io::stdout().lock());
        write(&mut out)?;
        return Ok(out.flush()?);
    };
    let count = to_new_file(to, |file| write(file))?;
    let name = to.display().to_string();
    let (noun, nouns) = match args.what {
        What::Events => ("event", "events"),
        What::Activities => ("activity", "activities"),
    };
    match args.json {
        true => println!("{}", json!({nouns: count, "output": name, "upto": upto})),
        false => {
            let noun = if count == 1 { noun } else { nouns };
            eprintln!("wrote {} {noun} to {}", thousands(count), one_line(&name));
        }
    }
    Ok(())
}

/// Flags that say something about the other kind of export, or more than it can take.
fn refuse_what_does_not_go_together(args: &ExportArgs) -> Result<(), Failure> {
    let filter = &args.filter;
    let flag = match args.what {
        What::Events => args.activities.given(),
        What::Activities => [
            ("--kind", !filter.kind.is_empty()),
            ("--key", filter.key.is_some()),
            ("--after", args.after.is_some()),
        ]
        .into_iter()
        .find_map(|(flag, given)| given.then_some(flag)),
    };
    if let Some(flag) = flag {
        let what = if args.what == What::Events { "events" } else { "activities" };
        let message = format!("{flag} does not go with --what {what}");
        return Err(Failure::Usage(Error::new(Code::InvalidInput, message).with("field", flag)));
    }
    if args.what == What::Activities && filter.agent.len() > 1 {
        let error = Error::new(Code::InvalidInput, "--agent takes one agent with --what activities");
        return Err(Failure::Usage(error.with("field", "--agent")));
    }
    Ok(())
}

/// The activities of the feed, as the engine writes them.
fn activities(hub: &Hub, args: &ExportArgs, out: &mut dyn Write) -> Result<u64, Failure> {
    let filter = args.activities.filter(&args.filter);
    filter.check().map_err(Failure::Usage)?;
    let format = match args.format {
        Format::Jsonl => activity::Format::Jsonl,
        Format::Json => activity::Format::Json,
        Format::Csv => activity::Format::Csv,
    };
    let mut stop = || match interrupt::asked() {
        true => Err(Error::unavailable("the end was asked for")),
        false => Ok(()),
    };
    let written = hub.export_activities_as(&Principal::Process, filter, format, out, &mut stop);
    interrupt::check()?;
    written.map_err(|error| match error.details().get("reason").and_then(Value::as_str) {
        Some("broken_pipe") => Failure::PipeClosed,
        _ => error.into(),
    })
}

/// Writes a file that appears under its name only when it is complete, and replaces nothing.
fn to_new_file(
    to: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> Result<u64, Failure>,
) -> Result<u64, Failure> {
    let exists = || {
        Error::already_exists("file", &to.display().to_string()).hint("choose a path that is not there yet")
    };
    if to.exists() {
        return Err(exists().into());
    }
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        let error = Error::not_found("folder", &folder.display().to_string());
        return Err(error.hint("create it first").into());
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".folkmoot-export-");
    #[cfg(unix)]
    {
        // As any other new file: what the umask leaves of it.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let part = builder.tempfile_in(folder)?;
    let count = {
        let mut out = BufWriter::new(part.as_file());
        let count = write(&mut out)?;
        out.flush()?;
        count
    };
    part.persist_noclobber(to).map_err(|error| match error.error.kind() {
        std::io::ErrorKind::AlreadyExists => exists().into(),
        _ => Failure::from(error.error),
    })?;
    Ok(count)
}

struct Export<'a> {
    hub: &'a Hub,
    filter: Filter,
    after: u64,
    upto: u64,
}

impl Export<'_> {
    fn write(&self, format: Format, out: &mut dyn Write) -> Result<u64, Failure> {
        match format {
            Format::Jsonl => self.each(|event, _| Ok(writeln!(out, "{}", event.text())?)),
            Format::Json => {
                let mut before = "[\n";
                let count = self.each(|event, _| {
                    write!(out, "{}{}", std::mem::replace(&mut before, ",\n"), event.text())?;
                    Ok(())
                })?;
                write!(out, "{}", if count == 0 { "[\n]\n" } else { "\n]\n" })?;
                Ok(count)
            }
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(out);
                csv.write_record(COLUMNS)?;
                let count = self.each(|_, event| Ok(csv.write_record(row(event))?))?;
                csv.flush()?;
                Ok(count)
            }
        }
    }

    /// Hands each event to `take`, as its text and as a value; answers how many there were.
    fn each(&self, mut take: impl FnMut(&Json, &Value) -> Result<(), Failure>) -> Result<u64, Failure> {
        let (mut after, mut count) = (self.after, 0);
        while after < self.upto {
            interrupt::check()?;
            let page = self.page(after)?;
            if let Some(gap) = page.gap {
                let (from, to) = (thousands(gap.from), thousands(gap.to));
                eprintln!("note: retention has taken events {from} to {to}");
            }
            for event in &page.events {
                let value = event.to_value();
                if value.get("seq").and_then(Value::as_u64).is_some_and(|seq| seq > self.upto) {
                    return Ok(count);
                }
                take(event, &value)?;
                count += 1;
            }
            if page.at_end {
                break;
            }
            after = page.position;
        }
        Ok(count)
    }

    fn page(&self, after: u64) -> Result<EventPage, Failure> {
        let read = Read {
            after: Some(after),
            filter: Some(self.filter.clone()),
            limit: Some(PAGE),
            ..Read::default()
        };
        Ok(self.hub.run(read)?)
    }
}

/// Text as it is but for what a spreadsheet would run, nothing for null, JSON for what is neither.
fn row(event: &Value) -> [String; COLUMNS.len()] {
    COLUMNS.map(|column| match event.get(column) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => safe_cell(text).into_owned(),
        Some(other) => other.to_string(),
    })
}
