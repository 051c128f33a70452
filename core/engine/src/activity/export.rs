//! Writing the feed out: CSV, JSON or JSON Lines, oldest first, in parts of bounded size.
//!
//! The parts of one export, put together, are the whole file. The export ends at what was the end of the log when it
//! began, so that it ends although others go on writing.

use std::io::Write;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::{ActivityFilter, filtered};
use super::rows::FeedReader;
use super::{Activity, index};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::hub::{Check, Scope};
use crate::lists;
use crate::operations::Compose;
use crate::principal::Principal;
use crate::spreadsheet::safe_cell;

/// Activities of one part when an export is written in one go.
const PART: usize = 500;
/// The columns of CSV: the fields of an activity.
const COLUMNS: [&str; 16] = [
    "seq",
    "activity_id",
    "timestamp",
    "agent_id",
    "department",
    "activity_type",
    "session_id",
    "task_id",
    "related_agents",
    "open",
    "completed_at",
    "outcome",
    "duration_seconds",
    "event_kind",
    "metadata",
    "result",
];

/// How activities are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Jsonl,
    /// One JSON array.
    Json,
    /// Comma-separated values with a header.
    Csv,
}

impl Format {
    /// Its media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Jsonl => "application/jsonl",
            Format::Json => "application/json",
            Format::Csv => "text/csv",
        }
    }
}

filtered! {
    /// Input of `activity.export`. Fields of the filter that are left out match everything.
    pub struct Export {
        /// `jsonl`, `json` or `csv`.
        pub format: Format,
        /// Activities of this part, 1 to 1,000; 100 when left out.
        #[serde(default)]
        pub limit: Option<u64>,
        /// The `next_cursor` of the part before; with the same filter and format.
        #[serde(default)]
        pub cursor: Option<String>,
    }
}

/// A part of an export. The contents of all parts, put together, are the whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Exported {
    /// The media type of the whole.
    pub content_type: String,
    /// The text of this part.
    pub content: String,
    /// How many activities are in it.
    pub count: u64,
    /// Give this as `cursor` for the next part; null at the end.
    pub next_cursor: Option<String>,
}

impl Compose for Export {
    type Output = Exported;

    fn compose(self, scope: &Scope<'_>, check: &mut Check<'_>) -> Result<Exported> {
        let size = lists::page_size(self.limit)?;
        let place = self.cursor.as_deref().map(Place::read).transpose()?;
        let mut export = Exporter::new(scope.core, scope.by, self.filter(), self.format, place)?;
        let mut content = Vec::new();
        let count = export.part(size, &mut content, check)?;
        Ok(Exported {
            content_type: self.format.content_type().to_owned(),
            content: String::from_utf8(content).map_err(|e| Error::internal(e.to_string()))?,
            count: count as u64,
            next_cursor: (!export.ended).then(|| export.place.cursor()),
        })
    }
}

/// Writes all activities of a filter; answers how many there were.
pub(crate) fn write_all(
    core: &Core,
    by: &Principal,
    filter: ActivityFilter,
    format: Format,
    out: &mut dyn Write,
    check: &mut Check<'_>,
) -> Result<u64> {
    let mut export = Exporter::new(core, by, filter, format, None)?;
    while !export.ended {
        check()?;
        export.part(PART, out, check)?;
    }
    out.flush().map_err(not_written)?;
    Ok(export.place.written)
}

/// How far an export has come.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Place {
    after: u64,
    upto: u64,
    written: u64,
}

impl Place {
    fn cursor(&self) -> String {
        lists::cursor(&format!("{} {} {}", self.after, self.upto, self.written))
    }

    fn read(cursor: &str) -> Result<Place> {
        let place = lists::place(cursor)?;
        let numbers: Option<Vec<u64>> = place.split(' ').map(|number| number.parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[after, upto, written]) => Ok(Place { after, upto, written }),
            _ => Err(Error::invalid("cursor", cursor, "must be the next_cursor of an earlier answer")),
        }
    }
}

struct Exporter<'a> {
    reader: FeedReader<'a>,
    format: Format,
    place: Place,
    begun: bool,
    ended: bool,
}

impl<'a> Exporter<'a> {
    fn new(
        core: &'a Core,
        by: &Principal,
        filter: ActivityFilter,
        format: Format,
        place: Option<Place>,
    ) -> Result<Exporter<'a>> {
        let reader = FeedReader::new(core, by, filter)?;
        let begun = place.is_some();
        let place = match place {
            Some(place) => place,
            None => {
                index::catch_up(core)?;
                let upto = core.storage.read(|reader| index::head(reader.db))?;
                Place { after: 0, upto, written: 0 }
            }
        };
        Ok(Exporter { reader, format, place, begun, ended: false })
    }

    /// Writes the next activities, at most `size`; answers how many.
    fn part(&mut self, size: usize, out: &mut dyn Write, check: &mut Check<'_>) -> Result<usize> {
        if !self.begun {
            self.head(out)?;
            self.begun = true;
        }
        let found = self.reader.oldest(self.place.after, self.place.upto, size)?;
        check()?;
        match self.format {
            Format::Csv => csv_rows(&found.activities, out)?,
            Format::Jsonl | Format::Json => {
                for activity in &found.activities {
                    self.json(activity, out)?;
                }
            }
        }
        if self.format == Format::Csv {
            self.place.written += found.activities.len() as u64;
        }
        match found.looked_to {
            Some(at) => self.place.after = at,
            None => {
                self.ended = true;
                if self.format == Format::Json {
                    out.write_all(b"\n]\n").map_err(not_written)?;
                }
            }
        }
        Ok(found.activities.len())
    }

    fn head(&self, out: &mut dyn Write) -> Result<()> {
        match self.format {
            Format::Jsonl => Ok(()),
            Format::Json => out.write_all(b"[").map_err(not_written),
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(out);
                csv.write_record(COLUMNS).map_err(no_row)?;
                csv.flush().map_err(not_written)
            }
        }
    }

    fn json(&mut self, activity: &Activity, out: &mut dyn Write) -> Result<()> {
        let text = serde_json::to_string(activity).map_err(|e| Error::internal(e.to_string()))?;
        let (before, behind) = match (self.format, self.place.written) {
            (Format::Json, 0) => ("\n", ""),
            (Format::Json, _) => (",\n", ""),
            _ => ("", "\n"),
        };
        self.place.written += 1;
        write!(out, "{before}{text}{behind}").map_err(not_written)
    }
}

fn csv_rows(activities: &[Activity], out: &mut dyn Write) -> Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    for activity in activities {
        csv.write_record(row(activity)?).map_err(no_row)?;
    }
    csv.flush().map_err(not_written)
}

/// Text as it is but for what a spreadsheet would run, nothing for null, JSON for what is neither.
fn row(activity: &Activity) -> Result<[String; COLUMNS.len()]> {
    let whole = serde_json::to_value(activity).map_err(|e| Error::internal(e.to_string()))?;
    Ok(COLUMNS.map(|column| match (column, whole.get(column)) {
        ("metadata", _) => activity.metadata.text().to_owned(),
        ("result", _) if activity.result.is_null() => String::new(),
        ("result", _) => safe_cell(activity.result.text()).into_owned(),
        (_, None | Some(serde_json::Value::Null)) => String::new(),
        (_, Some(serde_json::Value::String(text))) => safe_cell(text).into_owned(),
        (_, Some(other)) => other.to_string(),
    }))
}

/// Where it is written to refused. Whoever reads may have gone: that is told apart.
fn not_written(error: std::io::Error) -> Error {
    let gone = error.kind() == std::io::ErrorKind::BrokenPipe;
    let told = Error::from(error);
    if gone { told.with("reason", "broken_pipe") } else { told }
}

fn no_row(error: csv::Error) -> Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => not_written(error),
        other => Error::internal(format!("a row could not be written: {other:?}")),
    }
}
