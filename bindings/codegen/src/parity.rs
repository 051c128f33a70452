//! `docs/reference/parity.md`: how each operation is called from each language.

use std::fmt::Write as _;

use crate::model::{Row, Table};
use crate::{pages, python};

pub fn page(table: &Table) -> String {
    let mut out = pages::HEAD.to_owned() + "# Parity\n\n";
    out += "One table of operations makes every way in, so none lacks one. `call(name, input)` takes every name in every \
            language; beside it stand the typed methods.\n\n";
    out += "| operation | Python `Hub` | Python `AsyncHub` | REST | MCP |\n| --- | --- | --- | --- | --- |\n";
    for row in &table.rows {
        let method = method(row);
        let mcp = if row.operation.mcp { "tool" } else { "" };
        let _ = writeln!(
            out,
            "| `{}` | `hub.{method}` | `await hub.{method}` | `{}` | {mcp} |",
            row.operation.name, row.operation.route
        );
    }
    let _ = write!(out, "\n{} operations.\n", table.rows.len());
    out
}

fn method(row: &Row) -> String {
    let (noun, verb) = (row.operation.noun(), python::name(row.operation.verb()));
    let required: Vec<String> =
        row.input.iter().filter(|field| field.required).map(|field| python::name(&field.name)).collect();
    let place = if noun == "hub" { String::new() } else { python::plural(noun) + "." };
    format!("{place}{verb}({})", required.join(", "))
}
