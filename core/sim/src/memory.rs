//! Memory, as the model knows it: each key with its newest value, its version and its end.

use std::collections::BTreeMap;

use folkmoot_engine::Code;
use rand::Rng;
use serde_json::{Value, json};

use crate::world::World;

#[derive(Default)]
pub struct Model {
    keys: BTreeMap<String, Key>,
}

#[derive(Default, Clone)]
struct Key {
    version: u64,
    /// Null once it is deleted.
    value: Value,
    ends: Option<i64>,
}

impl Key {
    fn is_live(&self, now: i64) -> bool {
        !self.value.is_null() && self.ends.is_none_or(|at| at > now)
    }

    fn current(&self, now: i64) -> u64 {
        if self.is_live(now) { self.version } else { 0 }
    }
}

impl Model {
    pub fn step(&mut self, world: &mut World) -> Result<(), String> {
        let name = format!("k{}", world.dice.random_range(0..6));
        let key = self.keys.get(&name).cloned().unwrap_or_default();
        let (now, live) = (world.steady(), key.is_live(world.steady()));
        let number = world.dice.random_range(1..100);
        let guess = [None, Some(key.current(now)), Some(world.dice.random_range(0..4))]
            [world.dice.random_range(0..3)];
        let fits = guess.is_none_or(|guess| guess == key.current(now));
        let ttl = world.dice.random_bool(0.2).then_some(50);
        let next = |value: Value, ends| Key { version: key.version + 1, value, ends };
        let (operation, input, becomes) = match world.dice.random_range(0..6) {
            0..3 => {
                let input =
                    json!({"key": name, "value": number, "expected_version": guess, "ttl_seconds": ttl});
                let set = next(json!(number), ttl.map(|ttl| now + ttl * 1_000));
                ("memory.set", input, if fits { Ok(set) } else { Err(Code::Conflict) })
            }
            3 => {
                let becomes = match (fits, live) {
                    (false, _) => Err(Code::Conflict),
                    (true, false) => Err(Code::NotFound),
                    (true, true) => Ok(next(Value::Null, None)),
                };
                ("memory.delete", json!({"key": name, "expected_version": guess}), becomes)
            }
            4 => {
                let sum = if live { key.value.as_i64().unwrap_or(0) } else { 0 } + number;
                let ends = key.ends.filter(|_| live);
                ("memory.increment", json!({"key": name, "by": number}), Ok(next(json!(sum), ends)))
            }
            _ => {
                let becomes = if live { Ok(key.clone()) } else { Err(Code::NotFound) };
                ("memory.get", json!({"key": name}), becomes)
            }
        };
        match (world.call(operation, &input), becomes) {
            (Ok(answer), Ok(becomes)) if answer["version"] == becomes.version => {
                self.keys.insert(name, becomes);
                Ok(())
            }
            (Err(Some(error)), Err(code)) if error.code() == code => Ok(()),
            (Err(None), _) => Ok(()),
            (answer, becomes) => Err(format!(
                "{operation} {input}: {answer:?}, must be {:?}",
                becomes.map(|key| (key.version, key.value))
            )),
        }
    }

    /// What is there is what the model says; an end by time makes one more version, once it was tended to.
    pub fn verify(&mut self, world: &mut World) -> Result<(), String> {
        let now = world.steady();
        let found = world.look("memory.list", &json!({}))?;
        let found: BTreeMap<&str, (&Value, &Value)> = found["entries"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|entry| Some((entry["key"].as_str()?, (&entry["version"], &entry["value"]))))
            .collect();
        let live = self.keys.iter().filter(|(_, key)| key.is_live(now)).count();
        if found.len() != live {
            return Err(format!("{} keys are there, {live} must be", found.len()));
        }
        for (name, key) in self.keys.iter().filter(|(_, key)| key.is_live(now)) {
            let there = found.get(name.as_str());
            if there.is_none_or(|(version, value)| **version != key.version || **value != key.value) {
                return Err(format!(
                    "{name} is {there:?}, must be version {} with {}",
                    key.version, key.value
                ));
            }
        }
        self.note_ends(world)
    }

    fn note_ends(&mut self, world: &mut World) -> Result<(), String> {
        let now = world.steady();
        for (name, key) in self.keys.iter_mut().filter(|(_, key)| !key.value.is_null() && !key.is_live(now)) {
            let history = world.look("memory.history", &json!({"key": name, "limit": 1}))?;
            let newest = &history["versions"][0];
            if newest["deleted"] == true {
                *key = Key { version: key.version + 1, value: Value::Null, ends: None };
            }
            if newest["version"] != key.version {
                return Err(format!("{name} ended at {}, must at {}", newest["version"], key.version));
            }
        }
        Ok(())
    }
}
