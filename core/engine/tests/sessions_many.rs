//! The life of a session against a model of a few lines, under any course of events.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};

use folkmoot_engine::{Code, Durability, Hub, HubConfig, Principal, agents};
use proptest::prelude::*;
use serde_json::{Value, json};

const AGENTS: [&str; 4] = ["ana", "bob", "cem", "dee"];

/// What may happen; agents act for themselves.
#[derive(Debug, Clone)]
enum Deed {
    Join(usize),
    Leave(usize),
    Invite { by: usize, whom: usize },
    Post { by: usize, channel: usize, what: usize },
    Patch { by: usize, field: usize, behind: u64, merge: bool },
    Rules { by: usize, invited_only: bool },
    Decide(usize),
    Make(usize),
    Connect(usize),
    End(usize),
}

/// The last one is there only once someone has made it.
const CHANNELS: [&str; 3] = ["general", "decisions", "extra"];
const TYPES: [&str; 3] = ["text", "vote", "decision"];
const FIELDS: [&str; 3] = ["x", "y", "z"];

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let who = || 0..AGENTS.len();
    let deed = prop_oneof![
        4 => who().prop_map(Deed::Join),
        2 => who().prop_map(Deed::Leave),
        2 => (who(), who()).prop_map(|(by, whom)| Deed::Invite { by, whom }),
        6 => (who(), 0..3usize, 0..3usize).prop_map(|(by, channel, what)| Deed::Post { by, channel, what }),
        6 => (who(), 0..3usize, 0..3u64, any::<bool>())
            .prop_map(|(by, field, behind, merge)| Deed::Patch { by, field, behind, merge }),
        1 => (who(), any::<bool>()).prop_map(|(by, invited_only)| Deed::Rules { by, invited_only }),
        2 => who().prop_map(Deed::Connect),
        2 => who().prop_map(Deed::Decide),
        1 => who().prop_map(Deed::Make),
        1 => who().prop_map(Deed::End),
    ];
    proptest::collection::vec(deed, 1..60)
}

/// A session as the model knows it.
struct Model {
    /// Who is in it or was invited, with whether it has joined.
    members: BTreeMap<usize, bool>,
    /// Whether `ana`, who started it, still owns it: who leaves and comes back owns it no more.
    owned: bool,
    invited_only: bool,
    ended: bool,
    /// The field that each version changed.
    versions: Vec<usize>,
    posted: BTreeMap<usize, u64>,
    clients: BTreeSet<usize>,
    /// Who decided what, in order.
    decided: Vec<(usize, usize)>,
    made: bool,
}

impl Model {
    fn inside(&self, who: usize) -> Result<(), Code> {
        match (self.ended, self.members.get(&who)) {
            (true, _) => Err(Code::Conflict),
            (_, Some(true)) => Ok(()),
            _ => Err(Code::NotAllowed),
        }
    }

    fn manages(&self, who: usize) -> Result<(), Code> {
        self.inside(who)?;
        if self.owned && who != 0 { Err(Code::NotAllowed) } else { Ok(()) }
    }

    /// What a deed must come to.
    fn expect(&mut self, n: usize, deed: &Deed) -> Result<(), Code> {
        match *deed {
            Deed::Join(_) if self.ended => return Err(Code::Conflict),
            Deed::Join(who) if self.invited_only && !self.members.contains_key(&who) => {
                return Err(Code::NotAllowed);
            }
            Deed::Join(who) => drop(self.members.insert(who, true)),
            Deed::Leave(_) if self.ended => return Err(Code::Conflict),
            Deed::Leave(who) => {
                self.members.remove(&who).ok_or(Code::NotAllowed)?;
                self.owned &= who != 0;
                self.clients.remove(&who);
            }
            Deed::Invite { by, whom } => {
                self.inside(by)?;
                self.members.entry(whom).or_insert(false);
            }
            Deed::Post { by, channel, what } => {
                self.inside(by)?;
                match (channel, what) {
                    (2, _) if !self.made => return Err(Code::NotFound),
                    (0 | 2, 0) | (1, 1 | 2) => *self.posted.entry(channel).or_default() += 1,
                    _ => return Err(Code::NotAllowed),
                }
                // What is posted as a decision is one.
                if (channel, what) == (1, 2) {
                    self.decided.push((by, n));
                }
            }
            Deed::Patch { by, field, behind, merge } => {
                self.inside(by)?;
                let expected = (self.versions.len() as u64).saturating_sub(behind) as usize;
                let since = &self.versions[expected..];
                if !since.is_empty() && (!merge || since.contains(&field)) {
                    return Err(Code::Conflict);
                }
                self.versions.push(field);
            }
            Deed::Rules { by, invited_only } => {
                self.manages(by)?;
                self.invited_only = invited_only;
            }
            Deed::Decide(by) => {
                self.inside(by)?;
                self.decided.push((by, n));
            }
            Deed::Make(by) => {
                self.inside(by)?;
                if std::mem::replace(&mut self.made, true) {
                    return Err(Code::AlreadyExists);
                }
            }
            Deed::Connect(who) => {
                self.inside(who)?;
                if self.clients.len() == 2 && !self.clients.contains(&who) {
                    return Err(Code::LimitExceeded);
                }
                self.clients.insert(who);
            }
            Deed::End(by) => {
                self.manages(by)?;
                self.ended = true;
                self.clients.clear();
            }
        }
        Ok(())
    }

    fn perform(&self, hub: &Hub, n: usize, deed: &Deed) -> Result<(), Code> {
        let (by, name, mut input) = match *deed {
            Deed::Join(who) => (who, "session.join", json!({"agent_id": AGENTS[who]})),
            Deed::Leave(who) => (who, "session.leave", json!({"agent_id": AGENTS[who]})),
            Deed::Invite { by, whom } => (by, "session.invite", json!({"invitees": [AGENTS[whom]]})),
            Deed::Post { by, channel, what } => {
                let (channel, what) = (CHANNELS[channel], TYPES[what]);
                let input = json!({"channel": channel, "agent_id": AGENTS[by], "message_type": what, "content": n.to_string()});
                (by, "channel.post", input)
            }
            Deed::Patch { by, field, behind, merge } => {
                let expected = (self.versions.len() as u64).saturating_sub(behind);
                let patch = json!({"fields": {FIELDS[field]: n}});
                let input = json!({"agent_id": AGENTS[by], "patch": patch, "expected_version": expected, "merge": merge});
                (by, "session.patch_state", input)
            }
            Deed::Rules { by, invited_only } => {
                let join = if invited_only { "invited" } else { "open" };
                (by, "session.set_rules", json!({"rules": {"join": join}}))
            }
            Deed::Decide(by) => {
                let input = json!({"agent_id": AGENTS[by], "decision": n.to_string()});
                (by, "session.record_decision", input)
            }
            Deed::Make(by) => (by, "channel.create", json!({"channel": CHANNELS[2], "type": "broadcast"})),
            Deed::Connect(who) => (who, "session.connect", json!({"client_id": AGENTS[who]})),
            Deed::End(by) => (by, "session.end", json!({})),
        };
        input["session_id"] = json!("s");
        let by = Principal::agent(AGENTS[by]);
        let answer = hub.call_as(&by, name, input.to_string().as_bytes(), &mut || Ok(()));
        answer.map(drop).map_err(|error| error.code())
    }

    /// What the hub must show.
    fn verify(&self, hub: &Hub) -> Result<(), TestCaseError> {
        let look = |name: &str| -> Value {
            serde_json::from_slice(&hub.call(name, br#"{"session_id":"s"}"#).unwrap()).unwrap()
        };
        let session = look("session.get");
        let in_it: BTreeMap<usize, bool> = session["participants"]
            .as_array()
            .unwrap()
            .iter()
            .map(|who| {
                let at = AGENTS.iter().position(|name| who["agent_id"] == *name).unwrap();
                (at, who["state"] == "joined")
            })
            .collect();
        prop_assert_eq!(&in_it, &self.members);
        prop_assert_eq!(session["state"] == "ended", self.ended);
        prop_assert_eq!(&session["state_version"], self.versions.len());
        prop_assert_eq!(&session["clients"], self.clients.len());
        let decided: Vec<(usize, usize)> = session["decisions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                let by = AGENTS.iter().position(|name| one["agent_id"] == *name).unwrap();
                (by, one["decision"].as_str().unwrap().parse().unwrap())
            })
            .collect();
        prop_assert_eq!(&decided, &self.decided);
        let channels = look("channel.list")["channels"].as_array().unwrap().len();
        prop_assert_eq!(channels, 4 + usize::from(self.made));
        for (at, channel) in CHANNELS[..2 + usize::from(self.made)].iter().enumerate() {
            let posted = self.posted.get(&at).copied().unwrap_or(0);
            prop_assert_eq!(&session["counts"]["by_channel"][*channel], posted);
        }
        for (at, name) in AGENTS.iter().enumerate() {
            let by = Principal::agent(name);
            let seen =
                hub.call_as(&by, "session.get_state", br#"{"session_id":"s"}"#, &mut || Ok(())).is_ok();
            prop_assert_eq!(seen, self.members.get(&at) == Some(&true), "whether {} looks in", name);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_session_lives_as_its_model_says(deeds in deeds()) {
        let config = HubConfig { durability: Durability::Normal, ..HubConfig::default() };
        let hub = Hub::open(":memory:", config).unwrap();
        AGENTS.iter().for_each(|name| drop(hub.run(agents::Register::new(name)).unwrap()));
        let start = br#"{"session_id":"s","participants":[],"max_clients":2}"#;
        hub.call_as(&Principal::agent("ana"), "session.start", start, &mut || Ok(())).unwrap();
        let mut model = Model {
            members: [(0, true)].into(),
            owned: true,
            invited_only: false,
            ended: false,
            versions: Vec::new(),
            posted: BTreeMap::new(),
            clients: BTreeSet::new(),
            decided: Vec::new(),
            made: false,
        };
        for (n, deed) in deeds.iter().enumerate() {
            let done = model.perform(&hub, n, deed);
            prop_assert_eq!(done, model.expect(n, deed), "{:?}", deed);
            model.verify(&hub)?;
        }
        hub.check().unwrap();
        hub.close();
    }
}
