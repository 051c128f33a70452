//! `docs/reference/config.md`: every key of a hub's configuration.

use std::fmt::Write as _;

use folkmoot_engine::HubConfig;
use serde_json::Value;

use crate::pages;

pub fn page() -> String {
    let schema = Value::from(schemars::schema_for!(HubConfig));
    let defaults = HubConfig::keys();
    let mut out = pages::HEAD.to_owned() + "# Configuration\n\n";
    out += "The same keys everywhere: keyword arguments of `Hub.open` in Python, fields of `HubConfig` in Rust, a TOML \
            file, and variables of the environment where a program asks for them. Every key has a default; an unknown \
            key is an error that names the nearest right one.\n\n";
    out += "| key | default | variable | what |\n| --- | --- | --- | --- |\n";
    for (key, default) in &defaults {
        let doc = schema.pointer(&format!("/properties/{key}/description")).and_then(Value::as_str);
        let doc = doc.unwrap_or_default().replace('\n', " ").replace('|', "\\|");
        let variable = format!("FOLKMOOT_{}", key.to_uppercase());
        let _ = writeln!(out, "| `{key}` | `{default}` | `{variable}` | {doc} |");
    }
    out
}
