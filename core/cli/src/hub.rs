//! Opening a hub as the command line was told: file, environment and flags laid over the defaults.

use std::path::Path;

use folkmoot::{Code, Error, Hub, HubConfig};
use serde_json::Value;

use crate::arguments::ConfigArgs;
use crate::failure::Failure;

/// The configuration: defaults, then `--config`, then `FOLKMOOT_…`, then `--set`.
pub fn config(args: &ConfigArgs) -> Result<HubConfig, Failure> {
    config_over(&HubConfig::default(), args)
}

/// The same, over defaults of a command's own.
pub fn config_over(base: &HubConfig, args: &ConfigArgs) -> Result<HubConfig, Failure> {
    let from_file = match &args.config {
        Some(path) => lay_over(base, &read_file(path)?)?,
        None => base.clone(),
    };
    let vars = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut config = from_file.with_env(vars).map_err(|error| {
        let source = match error.details().get("variable") {
            Some(Value::String(name)) => name.clone(),
            _ => "FOLKMOOT_… in the environment".to_owned(),
        };
        Failure::Usage(said_of(&source, &error))
    })?;
    for pair in &args.set {
        config = with_pair(config, pair).map_err(|error| Failure::Usage(said_of("--set", &error)))?;
    }
    Ok(config)
}

/// What a configuration says that is not the usual, laid over another one.
fn lay_over(base: &HubConfig, given: &HubConfig) -> Result<HubConfig, Failure> {
    let usual = HubConfig::keys();
    let (mut whole, given) = (serde_json::json!(base), serde_json::json!(given));
    if let (Value::Object(fields), Value::Object(given)) = (&mut whole, given) {
        fields.extend(given.into_iter().filter(|(key, value)| usual.get(key) != Some(value)));
    }
    Ok(HubConfig::from_json(&whole)?)
}

fn read_file(path: &Path) -> Result<HubConfig, Failure> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::Usage(Error::new(
            Code::InvalidInput,
            format!("the configuration {name} cannot be read: {error}"),
        ))
    })?;
    HubConfig::from_toml(&text).map_err(|error| Failure::Usage(said_of(&name, &error)))
}

/// Lays one `key=value` over a configuration.
fn with_pair(config: HubConfig, pair: &str) -> Result<HubConfig, Error> {
    let Some((key, text)) = pair.split_once('=') else {
        return Err(Error::invalid("pair", pair, "must read KEY=VALUE, such as lease_seconds=30"));
    };
    let (key, text) = (key.trim(), text.trim());
    let value = match HubConfig::keys().get(key) {
        Some(Value::String(_)) => Value::String(text.to_owned()),
        _ => serde_json::from_str(text).unwrap_or(Value::String(text.to_owned())),
    };
    let mut whole = serde_json::to_value(&config).unwrap_or_default();
    if let Value::Object(fields) = &mut whole {
        fields.insert(key.to_owned(), value);
    }
    HubConfig::from_json(&whole)
}

/// The same error, saying where the words came from.
fn said_of(source: &str, error: &Error) -> Error {
    let told = Error::new(error.code(), format!("{source}: {}", error.message()));
    match error.hint_text() {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

/// Opens a hub to look at it: nothing is created, nothing is written, no writer is held up.
pub fn open_to_read(path: &Path, args: &ConfigArgs) -> Result<Hub, Failure> {
    let config = HubConfig { read_only: true, create: false, status_interval_seconds: 0.0, ..config(args)? };
    open_existing(path, config)
}

/// The same, with the summaries of everyone that the engine makes for listeners.
pub fn open_to_listen(path: &Path, args: &ConfigArgs) -> Result<Hub, Failure> {
    let config = HubConfig { read_only: true, create: false, ..config(args)? };
    open_existing(path, config)
}

fn open_existing(path: &Path, config: HubConfig) -> Result<Hub, Failure> {
    let text = path.to_string_lossy();
    if text.contains("://") {
        let error = Error::invalid("path", text, "must be the path of a hub's file");
        return Err(Failure::Usage(error.hint("run this where the file is")));
    }
    if path == Path::new(":memory:") {
        let error =
            Error::invalid("path", ":memory:", "a hub in memory cannot be reached from another process");
        return Err(Failure::Usage(error.hint("give the path of a hub's file")));
    }
    if !path.exists() {
        let error = Error::not_found("file", &text);
        return Err(error.hint("check the path; nothing was created").into());
    }
    Ok(Hub::open(path, config)?)
}
