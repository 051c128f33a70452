//! `folkmoot/_operations.py` and `_operations_async.py`: one class for each noun, one method for each operation.

use std::fmt::Write as _;

use folkmoot_engine::operations::COMMON_ERRORS;

use crate::model::{Field, HUB, Row, Table, camel};
use crate::python;

/// Whether a method gives its answer or a coroutine of it.
#[derive(Clone, Copy, PartialEq)]
pub enum Way {
    Sync,
    Async,
}

const IMPORTS: &str = "
from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from . import types as t
";

pub fn module(table: &Table, way: Way) -> String {
    let mut out = python::HEAD.to_owned() + "# mypy: disable-error-code=\"no-any-return\"\n";
    out += match way {
        Way::Sync => "\"\"\"The operations of a hub, by noun.\"\"\"\n",
        Way::Async => "\"\"\"The operations of a hub, by noun, for event loops.\"\"\"\n",
    };
    out += IMPORTS;
    for noun in table.nouns().into_iter().filter(|noun| *noun != HUB) {
        let _ = write!(
            out,
            "\n\nclass {}:\n    \"\"\"Operations on {}.\"\"\"\n\n    __slots__ = (\"_call\", \"_native\")\n\n    \
             def __init__(self, native: Any, call: Any) -> None:\n        self._native = native\n        \
             self._call = call\n",
            class_name(noun),
            python::plural(noun)
        );
        table.of(noun).for_each(|row| out += &method(table, row, way));
    }
    out += &operations(table, way);
    if way == Way::Sync {
        out += &actors(table);
    }
    out
}

fn class_name(noun: &str) -> String {
    camel(&python::plural(noun))
}

/// The base of the hub's class: the nouns as attributes, the hub's own operations as methods.
fn operations(table: &Table, way: Way) -> String {
    let mut out =
        "\n\nclass Operations:\n    \"\"\"Every operation: those on the hub itself, and the nouns.\"\"\"\n\n"
            .to_owned();
    out += "    _call: Any\n";
    let nouns = || table.nouns().into_iter().filter(|noun| *noun != HUB);
    for noun in nouns() {
        let _ = writeln!(out, "    {}: {}", python::plural(noun), class_name(noun));
    }
    out += "\n    def _bind(self, native: Any, call: Any) -> None:\n        self._call = call\n";
    for noun in nouns() {
        let _ = writeln!(out, "        self.{} = {}(native, call)", python::plural(noun), class_name(noun));
    }
    table.of(HUB).for_each(|row| out += &method(table, row, way));
    out
}

/// Which required field says who acts, by operation.
fn actors(table: &Table) -> String {
    let mut out =
        "\n\n# The field that says who acts, by operation.\nACTORS: dict[str, str] = {\n".to_owned();
    for row in &table.rows {
        if let Some(actor) = row.actor() {
            let _ = writeln!(out, "    \"{}\": \"{}\",", row.operation.name, actor.name);
        }
    }
    out += "}\n\n# The operations that take the token of a claim.\nTOKENS = frozenset(\n    {\n";
    for row in table.rows.iter().filter(|row| row.takes_token()) {
        let _ = writeln!(out, "        \"{}\",", row.operation.name);
    }
    out + "    }\n)\n"
}

fn method(table: &Table, row: &Row, way: Way) -> String {
    let operation = row.operation;
    let define = if way == Way::Async { "async def" } else { "def" };
    let mut out = format!("\n    {define} {}(\n        self,\n", python::name(operation.verb()));
    let (required, optional): (Vec<&Field>, Vec<&Field>) = row.input.iter().partition(|field| field.required);
    let (placed, named): (Vec<&Field>, Vec<&Field>) =
        optional.iter().partition(|field| has_place(row, field));
    for field in &required {
        let _ = writeln!(out, "        {}: {},", python::name(&field.name), python::given(&field.kind));
    }
    placed.iter().for_each(|field| out += &optional_parameter(field));
    if !named.is_empty() {
        out += "        *,\n";
    }
    named.iter().for_each(|field| out += &optional_parameter(field));
    let _ = writeln!(out, "    ) -> {}:", python::answered(&row.answer, "t."));
    out += &docstring(table, row);
    out + &direct(row, way).unwrap_or_else(|| body(&required, &optional, operation.name, way))
}

/// Whoever holds a lease says so right after the required fields: `complete(task_id, agent_id, token)`.
fn has_place(row: &Row, field: &Field) -> bool {
    row.takes_token() && matches!(field.name.as_str(), "agent_id" | "token")
}

fn optional_parameter(field: &Field) -> String {
    let kind = python::given(&field.kind.without_null());
    let kind = if kind == "Any" { kind } else { format!("{kind} | None") };
    format!("        {}: {kind} = None,\n", python::name(&field.name))
}

fn body(required: &[&Field], optional: &[&Field], operation: &str, way: Way) -> String {
    let wait = if way == Way::Async { "await " } else { "" };
    let given: Vec<String> =
        required.iter().map(|field| format!("\"{}\": {}", field.name, python::name(&field.name))).collect();
    let given = format!("{{{}}}", given.join(", "));
    if optional.is_empty() {
        return format!("        return {wait}self._call(\"{operation}\", {given})\n");
    }
    let mut out = format!("        given: dict[str, Any] = {given}\n");
    for field in optional {
        let name = python::name(&field.name);
        let _ =
            write!(out, "        if {name} is not None:\n            given[\"{}\"] = {name}\n", field.name);
    }
    out + &format!("        return {wait}self._call(\"{operation}\", given)\n")
}

/// The calls that have a native function of their own.
fn direct(row: &Row, way: Way) -> Option<String> {
    match (row.operation.name, way) {
        ("presence.update", way) => {
            let call = "        self._native.presence_update(\n            \
             agent_id, event, tool_name, tokens, feature_id, task_id, session_id, status, location\n        )\n        \
             return t.Updated(accepted=True)\n";
            if let Way::Sync = way {
                return Some(call.to_owned());
            }
            // A loop must not wait for its own hooks.
            let (required, optional): (Vec<&Field>, Vec<&Field>) =
                row.input.iter().partition(|field| field.required);
            let body = body(&required, &optional, "presence.update", way);
            let quick = call.replace("\n    ", "\n        ");
            Some(format!("        if not self._native.hooked(\"presence.update\"):\n    {quick}{body}"))
        }
        ("memory.get", way) => {
            let (required, optional): (Vec<&Field>, Vec<&Field>) =
                row.input.iter().partition(|field| field.required);
            let quick = match way {
                Way::Sync => "            return self._native.memory_get(key)\n",
                Way::Async => {
                    "            found: t.Entry | None = self._native.memory_cached(key)\n            \
                     if found is not None:\n                return found\n"
                }
            };
            let body = body(&required, &optional, "memory.get", way);
            Some(format!("        if version is None and agent_id is None:\n{quick}{body}"))
        }
        _ => None,
    }
}

fn docstring(table: &Table, row: &Row) -> String {
    const INDENT: &str = "        ";
    let mut out = python::wrapped(&format!("\"\"\"{}", row.operation.doc), INDENT, "");
    if !row.input.is_empty() {
        let _ = write!(out, "\n{INDENT}Args:\n");
        for field in &row.input {
            let text = format!("{}: {}", python::name(&field.name), field.doc);
            out += &python::wrapped(&text, "            ", "    ");
        }
    }
    if let Some(doc) = row.answer_doc(table) {
        let or_null = if row.answer.may_be_null() { " Or None." } else { "" };
        let _ = write!(out, "\n{INDENT}Returns:\n");
        out += &python::wrapped(&format!("{doc}{or_null}"), "            ", "");
    }
    let errors: Vec<String> =
        row.operation.errors.iter().chain(COMMON_ERRORS).map(|code| python::exception(*code)).collect();
    let _ = write!(out, "\n{INDENT}Raises:\n");
    out += &python::wrapped(&(errors.join(", ") + "."), "            ", "");
    out + INDENT + "\"\"\"\n"
}
