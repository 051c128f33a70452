//! Sessions, as the model knows them: who takes part, what the shared state is at which version, what was decided and
//! said, and whether it goes on.

use std::collections::{BTreeMap, BTreeSet};

use folkmoot_engine::Code;
use rand::Rng;
use serde_json::{Value, json};

use crate::world::World;

#[derive(Default)]
pub struct Model {
    sessions: BTreeMap<String, Session>,
    /// What the newest step was about.
    touched: Option<String>,
    /// Ids are used once, also when a fault refused what was to have them.
    ids: u64,
}

#[derive(Default)]
struct Session {
    members: BTreeSet<&'static str>,
    state: BTreeMap<String, u64>,
    version: u64,
    decided: Vec<String>,
    posted: u64,
    ended: bool,
}

impl Model {
    pub fn step(&mut self, world: &mut World) -> Result<(), String> {
        self.ids += 1;
        let (by, id) = (world.someone(), format!("s{}", self.ids));
        let running: Vec<String> =
            self.sessions.iter().filter(|(_, session)| !session.ended).map(|(id, _)| id.clone()).collect();
        if running.is_empty() || (running.len() < 4 && world.dice.random_bool(0.2)) {
            let start = json!({"session_id": id, "participants": [by]});
            self.touched = Some(id.clone());
            if world.done("session.start", &start)? {
                let session = Session { members: [by].into(), ..Session::default() };
                self.sessions.insert(id, session);
            }
            return Ok(());
        }
        let at = &running[world.dice.random_range(0..running.len())];
        self.touched = Some(at.clone());
        let Some(session) = self.sessions.get_mut(at) else { return Ok(()) };
        let what = world.dice.random_range(0..12);
        let mut input = json!({"session_id": at, "agent_id": by});
        match what {
            0..3 if world.done("session.join", &input)? => drop(session.members.insert(by)),
            0..3 => {}
            // Everything else is for those who take part.
            _ if !session.members.contains(by) => {}
            3 if world.done("session.leave", &input)? => drop(session.members.remove(by)),
            4 if world.done("session.end", &input)? => session.ended = true,
            3 | 4 => {}
            5 | 6 => {
                (input["decision_id"], input["decision"]) = (json!(id), json!(id));
                if world.done("session.record_decision", &input)? {
                    session.decided.push(id);
                }
            }
            7 | 8 => {
                (input["channel"], input["message_type"]) = (json!("general"), json!("text"));
                input["content"] = json!(id);
                session.posted += u64::from(world.done("channel.post", &input)?);
            }
            _ => return session.change_state(world, input, self.ids),
        }
        Ok(())
    }

    /// Messages that were posted to channels.
    pub fn posted(&self) -> u64 {
        self.sessions.values().map(|session| session.posted).sum()
    }

    /// What the newest step was about is as what was acknowledged has made it.
    pub fn verify(&mut self, world: &mut World) -> Result<(), String> {
        match self.touched.take() {
            Some(id) => self.compare(world, |known| *known == id),
            None => Ok(()),
        }
    }

    /// Every session is as what was acknowledged has made it.
    pub fn verify_all(&self, world: &mut World) -> Result<(), String> {
        self.compare(world, |_| true)
    }

    fn compare(&self, world: &mut World, which: impl Fn(&String) -> bool) -> Result<(), String> {
        for (id, known) in self.sessions.iter().filter(|(id, _)| which(id)) {
            let there = world.look("session.get", &json!({"session_id": id}))?;
            let list = |field: &str, of: &str| -> Vec<String> {
                let items = there[field].as_array().map(Vec::as_slice).unwrap_or_default();
                items.iter().filter_map(|item| item[of].as_str()).map(str::to_owned).collect()
            };
            let members: BTreeSet<String> = list("participants", "agent_id").into_iter().collect();
            let same = members.iter().map(String::as_str).eq(known.members.iter().copied())
                && list("decisions", "decision") == known.decided
                && (there["state"] == "ended") == known.ended
                && there["state_version"] == known.version
                && there["counts"]["by_channel"]["general"].as_u64().unwrap_or(0) == known.posted;
            let state = world.look("session.get_state", &json!({"session_id": id}))?;
            if !same || state["state"] != json!(known.state) {
                let Session { members, version, decided, posted, ended, state: fields } = known;
                return Err(format!(
                    "session {id} must have {members:?}, {fields:?} at version {version}, {decided:?}, {posted} posts, \
                     ended: {ended}; it is {there} with {state}"
                ));
            }
        }
        Ok(())
    }
}

impl Session {
    /// By the newest version, or by an old one, which must be refused unless it is merged.
    fn change_state(&mut self, world: &mut World, mut input: Value, value: u64) -> Result<(), String> {
        let field = ["x", "y", "z"][world.dice.random_range(0..3)];
        let old = world.dice.random_bool(0.3) && self.version > 0;
        let expected = self.version - u64::from(old);
        (input["patch"], input["expected_version"]) = (json!({field: value}), json!(expected));
        match world.call("session.patch_state", &input) {
            Ok(_) if old => {
                Err(format!("a change of version {expected} was taken at version {}", self.version))
            }
            Ok(answer) => {
                self.version += 1;
                self.state.insert(field.to_owned(), value);
                match answer["version"] == self.version {
                    true => Ok(()),
                    false => Err(format!("version {} was to come: {answer}", self.version)),
                }
            }
            Err(None) => Ok(()),
            Err(Some(error)) if old && error.code() == Code::Conflict => Ok(()),
            Err(Some(error)) => Err(format!("session.patch_state {input}: {error:?}")),
        }
    }
}
