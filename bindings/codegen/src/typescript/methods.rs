//! `node/src/generated/operations.ts`: one class for each noun, one method for each operation.

use std::fmt::Write as _;

use folkmoot_engine::operations::COMMON_ERRORS;

use super::{HEAD, answered, method_name, types::input_name};
use crate::model::{HUB, Kind, Row, Table, camel};
use crate::python::plural;

const IMPORTS: &str =
    "import type { CallOptions, Caller } from \"../caller.js\";\nimport type * as t from \"./types.js\";\n";

pub fn module(table: &Table) -> String {
    let mut out = HEAD.to_owned() + IMPORTS;
    let nouns = || table.nouns().into_iter().filter(|noun| *noun != HUB);
    for noun in nouns() {
        let _ = write!(
            out,
            "\n/** Operations on {}. */\nexport class {} {{\n  protected readonly caller: Caller;\n\n  \
             constructor(caller: Caller) {{\n    this.caller = caller;\n  }}\n",
            plural(noun),
            camel(&plural(noun))
        );
        table.of(noun).for_each(|row| out += &method(row, "this.caller"));
        out += "}\n";
    }
    out += "\n/** Every operation: those on the hub itself, and the nouns. */\nexport abstract class Operations {\n";
    out += "  protected readonly caller: Caller;\n";
    for noun in nouns() {
        let _ = writeln!(
            out,
            "  /** Operations on {0}. */\n  readonly {0}: {1};",
            plural(noun),
            camel(&plural(noun))
        );
    }
    out += "\n  constructor(caller: Caller) {\n    this.caller = caller;\n";
    for noun in nouns() {
        let _ = writeln!(out, "    this.{0} = new {1}(caller);", plural(noun), camel(&plural(noun)));
    }
    out += "  }\n";
    table.of(HUB).for_each(|row| out += &method(row, "this.caller"));
    out + "}\n"
}

fn method(row: &Row, caller: &str) -> String {
    let operation = row.operation;
    let all_optional = row.input.iter().all(|field| !field.required);
    let default = if all_optional { " = {}" } else { "" };
    let codes: Vec<&str> = operation.errors.iter().chain(COMMON_ERRORS).map(|code| code.as_str()).collect();
    format!(
        "\n  /**\n   * {}\n   *\n   * @throws {{FolkmootError}} {}\n   */\n  {}(input: t.{}{default}, options?: CallOptions): \
         Promise<{}> {{\n    {}\n  }}\n",
        operation.doc,
        codes.join(", "),
        method_name(operation.verb()),
        input_name(row),
        qualified(&row.answer),
        body(row, caller)
    )
}

/// The calls that have a native function of their own go through a method of the caller.
fn body(row: &Row, caller: &str) -> String {
    match row.operation.name {
        "presence.update" => format!("return {caller}.presenceUpdate(input, options);"),
        "memory.get" => format!("return {caller}.memoryGet(input, options);"),
        name => format!("return {caller}.call(\"{name}\", input, options);"),
    }
}

/// The answer, with its records looked up in the module of types.
fn qualified(kind: &Kind) -> String {
    match kind {
        Kind::Record(name) => format!("t.{name}"),
        Kind::List(items) => format!("Array<{}>", qualified(items)),
        Kind::Map(values) => format!("Record<string, {}>", qualified(values)),
        Kind::Either(kinds) => kinds.iter().map(qualified).collect::<Vec<_>>().join(" | "),
        kind => answered(kind),
    }
}
