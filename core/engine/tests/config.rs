//! What the configuration promises: the same keys everywhere, and no misspelt one goes unnoticed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use folkmoot_engine::{Code, Durability, Hub, HubConfig};
use serde_json::{Value, json};

fn env(pairs: &[(&str, &str)]) -> folkmoot_engine::Result<HubConfig> {
    let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    HubConfig::default().with_env(pairs)
}

#[test]
fn a_misspelt_key_is_an_error_that_names_the_nearest_right_one() {
    for key in HubConfig::keys().keys() {
        // One letter left out, two swapped, an ending lost.
        let mut letters: Vec<char> = key.chars().collect();
        let middle = letters.len() / 2;
        letters.swap(middle, middle - 1);
        let swapped: String = letters.iter().collect();
        letters.remove(1);
        let shorter: String = letters.into_iter().collect();
        for wrong in [swapped, shorter, key[..key.len() - 1].to_owned()] {
            if HubConfig::keys().contains_key(&wrong) {
                continue;
            }
            let toml = HubConfig::from_toml(&format!("{wrong} = 1")).unwrap_err();
            let json = HubConfig::from_json(&json!({ wrong.as_str(): 1 })).unwrap_err();
            let variable = format!("FOLKMOOT_{}", wrong.to_uppercase());
            let env = env(&[(&variable, "1")]).unwrap_err();
            assert_eq!(env.details()["variable"], variable);
            for error in [toml, json, env] {
                assert_eq!(error.code(), Code::InvalidInput, "{error}");
                assert_eq!(error.details()["field"], wrong, "{error}");
                assert_eq!(error.details()["nearest"], key.as_str(), "{error}");
                assert!(error.to_string().contains(&format!("did you mean {key:?}?")), "{error}");
            }
        }
    }
    let far = HubConfig::from_toml("zzz = 1").unwrap_err();
    assert!(far.hint_text().unwrap().contains("docs/reference"), "{far}");
}

#[test]
fn toml_json_and_environment_say_the_same() {
    let wanted = HubConfig {
        durability: Durability::Normal,
        lease_seconds: 7.5,
        max_subscriptions: 3,
        read_only: true,
        ..HubConfig::default()
    };
    let toml = "durability = \"normal\"\nlease_seconds = 7.5\nmax_subscriptions = 3\nread_only = true\n";
    assert_eq!(HubConfig::from_toml(toml).unwrap(), wanted);
    assert_eq!(HubConfig::from_json(&serde_json::to_value(&wanted).unwrap()).unwrap(), wanted);
    let variables = [
        ("FOLKMOOT_DURABILITY", "normal"),
        ("FOLKMOOT_LEASE_SECONDS", "7.5"),
        ("FOLKMOOT_MAX_SUBSCRIPTIONS", "3"),
        ("FOLKMOOT_READ_ONLY", "true"),
        ("HOME", "somewhere"),
        ("FOLKMOOT_TEST_SEED", "1"),
        ("FOLKMOOT_CLI_COLOUR", "never"),
    ];
    assert_eq!(env(&variables).unwrap(), wanted);
    assert_eq!(HubConfig::from_toml("").unwrap(), HubConfig::default());
}

#[test]
fn a_figure_that_makes_no_sense_is_refused_by_its_key() {
    let cases: &[(&str, Value)] = &[
        ("presence_ttl_seconds", json!(0)),
        ("idle_after_seconds", json!(-1)),
        ("status_interval_seconds", json!(-0.1)),
        ("lease_seconds", json!(0.01)),
        ("lease_seconds", json!(1e10)),
        ("write_timeout_seconds", json!(0)),
        ("retain_days", json!(-1)),
        ("retain_events", json!(0)),
        ("retain_events", json!(-5)),
        ("retain_versions", json!(0)),
        ("relaxed_queue", json!(0)),
        ("subscription_queue", json!(0)),
        ("max_items", json!(0)),
        ("max_json_depth", json!(0)),
        ("max_json_depth", json!(101)),
        ("flush_milliseconds", json!(11)),
        ("durability", json!("fsync")),
        ("read_only", json!("maybe")),
        ("lease_seconds", json!("soon")),
        ("max_agents", json!(1.5)),
    ];
    for (key, value) in cases {
        let error = HubConfig::from_json(&json!({ *key: value })).unwrap_err();
        assert_eq!(error.code(), Code::InvalidInput, "{key} = {value}: {error}");
        assert_eq!(error.details()["field"], *key, "{key} = {value}: {error}");
        assert!(error.message().starts_with(key), "{key} = {value}: {error}");
        let variable = format!("FOLKMOOT_{}", key.to_uppercase());
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert_eq!(env(&[(&variable, &text)]).unwrap_err().code(), Code::InvalidInput, "{variable}={text}");
    }
    for not_a_number in [f64::NAN, f64::INFINITY] {
        let config = HubConfig { lease_seconds: not_a_number, ..HubConfig::default() };
        assert_eq!(Hub::open(":memory:", config).unwrap_err().code(), Code::InvalidInput);
    }
    assert_eq!(HubConfig::from_toml("= what").unwrap_err().code(), Code::InvalidInput);
    assert_eq!(HubConfig::from_json(&json!([])).unwrap_err().code(), Code::InvalidInput);
}
