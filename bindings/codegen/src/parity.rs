//! `docs/reference/parity.md`: how each operation is called from each language.

use std::fmt::Write as _;

use crate::model::{HUB, Row, Table};
use crate::{pages, python, typescript};

pub fn page(table: &Table) -> String {
    let mut out = pages::HEAD.to_owned() + "# Parity\n\n";
    out += "One table of operations makes every way in, so none lacks one. `call(name, input)` takes every name in every \
            language; beside it stand the typed methods.\n\n";
    out += "| operation | Python `Hub` | Python `AsyncHub` | Node | REST | MCP |\n| --- | --- | --- | --- | --- | --- |\n";
    for row in &table.rows {
        let method = method(row);
        let mcp = if row.operation.mcp { "tool" } else { "" };
        let _ = writeln!(
            out,
            "| `{}` | `hub.{method}` | `await hub.{method}` | `await hub.{}` | `{}` | {mcp} |",
            row.operation.name,
            in_node(row),
            row.operation.route
        );
    }
    let _ = write!(out, "\n{} operations.\n", table.rows.len());
    out
}

fn method(row: &Row) -> String {
    let required: Vec<String> = required(row).map(python::name).collect();
    format!("{}{}({})", place(row), python::name(row.operation.verb()), required.join(", "))
}

fn in_node(row: &Row) -> String {
    let required: Vec<&str> = required(row).collect();
    let input = if required.is_empty() { String::new() } else { format!("{{ {} }}", required.join(", ")) };
    format!("{}{}({input})", place(row), typescript::method_name(row.operation.verb()))
}

fn required(row: &Row) -> impl Iterator<Item = &str> {
    row.input.iter().filter(|field| field.required).map(|field| field.name.as_str())
}

/// The attribute of the hub on which the method stands.
fn place(row: &Row) -> String {
    let noun = row.operation.noun();
    if noun == HUB { String::new() } else { python::plural(noun) + "." }
}
