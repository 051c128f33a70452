//! An event in words, on one line.
//!
//! `watch` and the demo show the same lines. What the events say is data that agents wrote: it is shown on one line,
//! without control characters. A kind that this version does not know is shown with its data.

use anstyle::AnsiColor;
use folkmoot::Event;
use serde_json::Value;

use crate::output::{Paint, one_line, plural, shorten};

/// Describes events, each in a line.
pub struct Describer {
    /// How to paint.
    pub paint: Paint,
    width: Option<usize>,
    day: String,
}

/// How wide the columns before the words are: time, seq, kind, agent.
const BEFORE: usize = 12 + 1 + 7 + 1 + 20 + 1 + 14 + 1;

impl Describer {
    /// Lines of at most this many columns, or whole ones.
    pub fn new(paint: Paint, width: Option<usize>) -> Describer {
        Describer { paint, width, day: String::new() }
    }

    /// The day, when the event is the first one of it.
    pub fn new_day(&mut self, event: &Event) -> Option<String> {
        let time = event.time.to_string();
        let day = time.split('T').next().unwrap_or_default();
        if self.day == day {
            return None;
        }
        self.day = day.to_owned();
        Some(self.paint.dim(&format!("-- {day} (UTC)")))
    }

    /// `14:50:30.123      42 task.claimed         ada            Count the lines of core`
    pub fn line(&self, event: &Event) -> String {
        let time = event.time.to_string();
        let time = time.get(11..23).unwrap_or(&time);
        let who = event.place.agent_id.as_deref().map(one_line).unwrap_or_default();
        let mut words = words(event);
        if let Some(width) = self.width {
            words = shorten(&words, width.saturating_sub(BEFORE).max(10));
        }
        let seq = if event.seq == 0 { String::new() } else { event.seq.to_string() };
        let kind = one_line(&event.kind);
        format!(
            "{} {} {} {} {words}",
            self.paint.dim(time),
            self.paint.dim(&format!("{seq:>7}")),
            self.paint.colour(colour(&kind), &format!("{kind:<20}")),
            self.paint.bold(&format!("{:<14}", shorten(&who, 14))),
        )
        .trim_end()
        .to_owned()
    }
}

/// A colour for each noun.
pub fn colour(kind: &str) -> AnsiColor {
    match kind {
        "agent.left" | "task.failed" | "task.lapsed" | "task.cancelled" => AnsiColor::Red,
        "task.completed" => AnsiColor::Green,
        _ => match kind.split('.').next().unwrap_or_default() {
            "agent" => AnsiColor::Green,
            "presence" => AnsiColor::BrightBlack,
            "activity" => AnsiColor::BrightBlue,
            "task" => AnsiColor::Blue,
            "message" | "thread" => AnsiColor::Magenta,
            "memory" => AnsiColor::Cyan,
            _ => AnsiColor::Yellow,
        },
    }
}

/// What an event says.
pub fn words(event: &Event) -> String {
    let data = event.data.to_value();
    let text = match event.kind.split_once('.').unwrap_or((&event.kind, "")) {
        ("agent", "status") => everyone(&data),
        ("agent", verb) => agent(verb, &data),
        ("presence", _) => presence(&data),
        ("activity", "recorded" | "completed") => activity(&data),
        ("task", verb) => task(verb, &data),
        ("message", verb) => message(verb, &data),
        ("memory", verb) => memory(verb, event, &data),
        ("event", "published") => published(&data),
        _ => compact(&data),
    };
    one_line(&text)
}

fn text<'a>(data: &'a Value, field: &str) -> Option<&'a str> {
    data.get(field).and_then(Value::as_str)
}

fn number(data: &Value, field: &str) -> Option<u64> {
    data.get(field).and_then(Value::as_u64)
}

/// The value on one line; a text without its quotes.
fn compact(data: &Value) -> String {
    match data {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// The fields of an object in words, without what is nested in it: `files 78, lines 14172`.
fn flat(data: &Value) -> String {
    let Value::Object(fields) = data else { return compact(data) };
    let simple = |value: &Value| !value.is_object() && !value.is_array();
    let parts: Vec<String> = fields
        .iter()
        .filter(|(_, value)| simple(value))
        .map(|(name, value)| format!("{} {}", name.replace('_', " "), compact(value)))
        .collect();
    if parts.is_empty() { compact(data) } else { parts.join(", ") }
}

fn everyone(data: &Value) -> String {
    let agents = data.get("agents").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let of = |agent| {
        format!("{} {}", text(agent, "agent_id").unwrap_or("?"), text(agent, "status").unwrap_or("?"))
    };
    let parts: Vec<String> = agents.iter().map(of).collect();
    parts.join(", ")
}

fn agent(verb: &str, data: &Value) -> String {
    let (profile, presence) = (data.get("agent"), data.get("presence"));
    let of = |part: Option<&Value>, field| part.and_then(|part| text(part, field)).map(str::to_owned);
    if verb == "left" {
        return match text(data, "reason") {
            Some("closed") => "its process closed the hub".to_owned(),
            Some("lapsed") => "nothing was heard of it any more".to_owned(),
            other => other.unwrap_or_default().to_owned(),
        };
    }
    let mut parts = vec![of(presence, "status").unwrap_or_default()];
    parts.extend(of(presence, "status_detail"));
    parts.extend(of(profile, "role").map(|role| format!("as {role}")));
    let able = profile.and_then(|profile| profile.get("capabilities")).and_then(Value::as_object);
    if let Some(able) = able.filter(|able| verb == "joined" && !able.is_empty()) {
        parts.push(format!("can {}", able.keys().cloned().collect::<Vec<_>>().join(", ")));
    }
    parts.join(" ")
}

fn activity(data: &Value) -> String {
    let mut text_of = text(data, "activity_type").unwrap_or("?").replace('_', " ");
    if let Some(outcome) = text(data, "outcome") {
        let seconds = data.get("duration_seconds").and_then(Value::as_f64).unwrap_or(0.0);
        text_of = format!("{text_of} {outcome} after {seconds:.1} s");
    }
    let about = ["result", "metadata"].into_iter().find_map(|field| {
        let words = data.get(field).map(flat).unwrap_or_default();
        (!words.is_empty() && words != "{}").then_some(words)
    });
    about.map_or(text_of.clone(), |about| format!("{text_of}: {about}"))
}

fn presence(data: &Value) -> String {
    let status = text(data, "status").unwrap_or("?");
    match text(data, "last_tool_name") {
        Some(tool) => {
            let count = number(data, "total_tools_executed").unwrap_or(0);
            format!("{status} with {tool} ({} so far)", plural(count, "tool call"))
        }
        None => status.to_owned(),
    }
}

fn task(verb: &str, data: &Value) -> String {
    let task = data.get("task").unwrap_or(data);
    let title = text(task, "title").unwrap_or("a task");
    let detail = match verb {
        "progressed" => {
            let progress = task.get("progress").and_then(Value::as_f64).unwrap_or(0.0);
            let phase = text(task, "phase").unwrap_or_default();
            format!("{progress:.0} % {phase}")
        }
        "failed" | "retrying" | "lapsed" => task.get("error").map(compact).unwrap_or_default(),
        "completed" => task.get("result").map(flat).unwrap_or_default(),
        "created" => {
            let list = task.get("requires").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let needs: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            if needs.is_empty() { String::new() } else { format!("needs {}", needs.join(", ")) }
        }
        "claimed" => match number(task, "attempts") {
            Some(attempts) if attempts > 1 => format!("attempt {attempts}"),
            _ => String::new(),
        },
        _ => text(data, "reason").unwrap_or_default().to_owned(),
    };
    if detail.trim().is_empty() { title.to_owned() } else { format!("{title}: {detail}") }
}

fn message(verb: &str, data: &Value) -> String {
    let several = data.get("recipients").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let several: Vec<&str> = several.iter().filter_map(Value::as_str).collect();
    let to = match (text(data, "recipient_id"), text(data, "session_id")) {
        (Some(one), _) => one.to_owned(),
        (None, _) if !several.is_empty() => several.join(", "),
        (None, Some(session)) => session.to_owned(),
        (None, None) => "all".to_owned(),
    };
    let content = data.get("content").map(compact).unwrap_or_default();
    match (verb, text(data, "message_type")) {
        ("sent", None | Some("text")) => format!("to {to}: {content}"),
        ("sent", Some(kind)) => format!("{kind} to {to}: {content}"),
        _ => content,
    }
}

fn memory(verb: &str, event: &Event, data: &Value) -> String {
    let key = event.place.subject.as_deref().unwrap_or_default();
    let value = || data.get("value").map(compact).unwrap_or_default();
    match verb {
        "updated" => format!("{key} v{}: {}", number(data, "version").unwrap_or(0), value()),
        "deleted" => key.to_owned(),
        _ => format!("{key} {}", compact(data)),
    }
}

fn published(data: &Value) -> String {
    let payload = data.get("payload").map(compact).unwrap_or_default();
    format!("{} {payload}", text(data, "event_type").unwrap_or("?"))
}
