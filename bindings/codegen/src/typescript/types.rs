//! `node/src/generated/types.ts`: what stands in inputs and answers.

use std::fmt::Write as _;

use folkmoot_engine::Code;

use super::{HEAD, answered, comment, given};
use crate::model::{Field, Kind, Row, Table, camel};

/// Records of events are put together by hand from these, since their data depends on their kind.
const BY_HAND: &str = "Event";

pub fn module(table: &Table) -> String {
    let mut out = HEAD.to_owned();
    out += "import type { Event } from \"../event.js\";\n";
    out += &codes();
    out += "\n// --- what stands in answers ---\n";
    for (name, record) in table.records.iter().filter(|(name, _)| *name != BY_HAND) {
        let _ = write!(out, "\n{}export interface {name} {{\n", comment(&record.doc, ""));
        record.fields.iter().for_each(|field| out += &answered_field(field));
        out += "}\n";
    }
    out += "\n// --- what stands in inputs ---\n";
    for (name, record) in table.inputs.iter().filter(|(_, record)| !record.fields.is_empty()) {
        out += &input(&format!("{name}Input"), &record.doc, &record.fields);
    }
    for row in &table.rows {
        let doc = format!("Input of `{}`: {}", row.operation.name, row.operation.doc);
        out += &input(&input_name(row), &doc, &row.input);
    }
    out += &operations(table);
    out +=
        "\n/** What the data of an event is, by its kind, or by its noun where all kinds of it agree. */\n";
    out += "export interface EventData {\n";
    for (kind, record) in table.event_data() {
        let _ = writeln!(out, "  \"{kind}\": {record};");
    }
    out + "}\n"
}

/// The name of an operation's input: `TaskClaimInput` of `task.claim`.
pub fn input_name(row: &Row) -> String {
    camel(row.operation.name) + "Input"
}

fn codes() -> String {
    let codes: Vec<String> = Code::ALL.iter().map(|code| format!("  | \"{}\"", code.as_str())).collect();
    format!(
        "\n/** What went wrong, as a word that programs may match on. */\nexport type ErrorCode =\n{};\n",
        codes.join("\n")
    )
}

fn input(name: &str, doc: &str, fields: &[Field]) -> String {
    if fields.is_empty() {
        return format!("\n{}export type {name} = Readonly<Record<string, never>>;\n", comment(doc, ""));
    }
    let mut out = format!("\n{}export interface {name} {{\n", comment(doc, ""));
    for field in fields {
        out += &comment(&field.doc, "  ");
        let kind = given(&field.kind);
        let _ = match (field.required, &field.kind) {
            (true, _) => writeln!(out, "  readonly {}: {kind};", field.name),
            (false, Kind::Any) => writeln!(out, "  readonly {}?: {kind};", field.name),
            (false, _) => writeln!(out, "  readonly {}?: {kind} | undefined;", field.name),
        };
    }
    out + "}\n"
}

fn answered_field(field: &Field) -> String {
    let mark = if field.required { "" } else { "?" };
    format!("{}  {}{mark}: {};\n", comment(&field.doc, "  "), field.name, answered(&field.kind))
}

/// From an operation's name to its input and answer; and who acts in it.
fn operations(table: &Table) -> String {
    let mut out =
        "\n/** Every operation: its input and its answer. */\nexport interface OperationTable {\n".to_owned();
    for row in &table.rows {
        let _ = writeln!(
            out,
            "  \"{}\": {{ input: {}; answer: {} }};",
            row.operation.name,
            input_name(row),
            answered(&row.answer)
        );
    }
    out += "}\n\n/** The field that says who acts, by operation: an agent's handle fills it in. */\nexport const ACTORS = {\n";
    for row in &table.rows {
        if let Some(actor) = row.actor() {
            let _ = writeln!(out, "  \"{}\": \"{}\",", row.operation.name, actor.name);
        }
    }
    out += "} as const;\n\n/** The operations that take the token of a claim. */\nexport const TOKENS: ReadonlySet<string> = new Set([\n";
    for row in table.rows.iter().filter(|row| row.takes_token()) {
        let _ = writeln!(out, "  \"{}\",", row.operation.name);
    }
    out += "]);\n\n/** Every operation by its name. */\nexport const OPERATIONS: readonly (keyof OperationTable)[] = [\n";
    for row in &table.rows {
        let _ = writeln!(out, "  \"{}\",", row.operation.name);
    }
    out + "];\n"
}
