//! `node/src/generated/config.ts`: every key of a hub's configuration.

use std::fmt::Write as _;

use folkmoot_engine::HubConfig;
use serde_json::Value;

use super::{HEAD, comment};

pub fn module() -> String {
    let schema = Value::from(schemars::schema_for!(HubConfig));
    let mut out = HEAD.to_owned()
        + "/** The configuration of a hub; what is left out has its default. */\nexport interface HubConfig {\n";
    for (key, default) in HubConfig::keys() {
        let doc = schema.pointer(&format!("/properties/{key}/description")).and_then(Value::as_str);
        let doc = doc.unwrap_or_default().replace('\n', " ");
        out += &comment(&format!("{doc} Default: `{default}`."), "  ");
        let kind = match default {
            Value::String(_) => words(&schema).unwrap_or_else(|| "string".to_owned()),
            Value::Bool(_) => "boolean".to_owned(),
            _ => "number".to_owned(),
        };
        let _ = writeln!(out, "  readonly {key}?: {kind} | undefined;");
    }
    out + "}\n"
}

/// The words of the only key that takes one of a few: the durability.
fn words(schema: &Value) -> Option<String> {
    let levels = schema.pointer("/$defs/Durability")?;
    let words = levels.get("oneOf").or_else(|| levels.get("anyOf"))?.as_array()?;
    let words: Vec<String> = words
        .iter()
        .filter_map(|word| word.get("const")?.as_str())
        .map(|word| format!("\"{word}\""))
        .collect();
    (!words.is_empty()).then(|| words.join(" | "))
}
