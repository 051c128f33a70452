//! `folkmoot/types.py`: what stands in answers.

use std::fmt::Write as _;

use crate::model::{Kind, Record, Table};
use crate::python;

const INTRODUCTION: &str = r#""""What stands in answers: records, which are dicts whose fields are attributes too."""

from __future__ import annotations

from typing import Any, Literal

from ._records import Event, Record

"#;

/// Written by hand beside the generated ones, since subscriptions give it too.
const BY_HAND: &str = "Event";

pub fn module(table: &Table) -> String {
    let mut out = python::HEAD.to_owned() + INTRODUCTION;
    let records = || table.records.iter().filter(|(name, _)| *name != BY_HAND);
    out += "__all__ = [\n    \"Event\",\n";
    for (name, _) in records() {
        let _ = writeln!(out, "    \"{name}\",");
    }
    out += "]\n";
    for (name, record) in records() {
        out += &class(name, record);
    }
    out += "\n\n";
    // After all of them, since records name one another.
    for (name, record) in records() {
        out += &shape_of(name, record);
    }
    out += "\nANSWERS: dict[str, Any] = {\n";
    for row in &table.rows {
        let _ = writeln!(out, "    \"{}\": {},", row.operation.name, shape(&row.answer.without_null()));
    }
    out += "}\n\nDATA: dict[str, Any] = {\n";
    for (kind, record) in table.event_data() {
        let _ = writeln!(out, "    \"{kind}\": {record},");
    }
    out + "}\n"
}

fn class(name: &str, record: &Record) -> String {
    let mut out =
        format!("\n\nclass {name}(Record):\n    \"\"\"{}\"\"\"\n\n    __slots__ = ()\n", record.doc);
    for field in &record.fields {
        if !python::is_attribute(&field.name) {
            let _ =
                write!(out, "\n    # {0:?} is read by its key: {0} is a method of every dict.\n", field.name);
            continue;
        }
        let kind = python::answered(&field.kind, "");
        let _ = write!(out, "\n    {}: {kind}\n    \"\"\"{}\"\"\"\n", python::name(&field.name), field.doc);
    }
    out
}

fn shape_of(name: &str, record: &Record) -> String {
    let mut out = format!("{name}._shape = {{\n");
    for field in &record.fields {
        let _ = writeln!(out, "    \"{}\": {},", field.name, shape(&field.kind.without_null()));
    }
    out + "}\n"
}

/// How the native reader is told what a part becomes; None for the user's own JSON and for what has no parts.
fn shape(kind: &Kind) -> String {
    match kind {
        Kind::Record(name) => name.clone(),
        Kind::List(items) => match shape(&items.without_null()) {
            none if none == "None" => none,
            items => format!("[{items}]"),
        },
        Kind::Map(values) => match shape(&values.without_null()) {
            none if none == "None" => none,
            values => format!("{{\"*\": {values}}}"),
        },
        _ => "None".to_owned(),
    }
}
