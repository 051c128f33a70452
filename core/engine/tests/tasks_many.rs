//! The life of tasks that depend on one another, against a model of a few lines, under any course of events.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use folkmoot_engine::clock::{ManualClock, Time};
use folkmoot_engine::seams::Seams;
use folkmoot_engine::{Code, Durability, Hub, HubConfig, agents};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

const AGENTS: [&str; 3] = ["ana", "bob", "cem"];
const LEASE: u64 = 60;

/// What may happen; an index says to which of the tasks.
#[derive(Debug, Clone)]
enum Deed {
    Create {
        needs: Vec<Index>,
        parent: Option<Index>,
        choice: &'static str,
        attempts: u64,
        whom: Option<usize>,
    },
    Claim {
        who: usize,
        which: Option<Index>,
    },
    Work {
        which: Index,
        who: Option<usize>,
        stale: bool,
        what: Work,
    },
    Cancel(Index),
    Assign {
        which: Index,
        whom: Option<usize>,
    },
    Override(Index),
    Lapse,
}

#[derive(Debug, Clone, Copy)]
enum Work {
    Renew,
    Progress,
    Complete,
    Fail { retry: bool },
    Release,
}

fn deeds() -> impl Strategy<Value = Vec<Deed>> {
    let any_of = any::<Index>;
    let who = || 0..AGENTS.len();
    let what = prop_oneof![
        1 => Just(Work::Renew),
        1 => Just(Work::Progress),
        4 => Just(Work::Complete),
        3 => any::<bool>().prop_map(|retry| Work::Fail { retry }),
        1 => Just(Work::Release),
    ];
    let whom = || proptest::option::of(who());
    let choice = prop_oneof![Just("block"), Just("fail"), Just("ignore")];
    let needs = proptest::collection::vec(any_of(), 0..3);
    let deed = prop_oneof![
        5 => (needs, proptest::option::weighted(0.3, any_of()), choice, 1..4u64, whom())
            .prop_map(|(needs, parent, choice, attempts, whom)| Deed::Create { needs, parent, choice, attempts, whom }),
        6 => (who(), proptest::option::of(any_of())).prop_map(|(who, which)| Deed::Claim { who, which }),
        8 => (any_of(), proptest::option::weighted(0.2, who()), proptest::bool::weighted(0.2), what)
            .prop_map(|(which, who, stale, what)| Deed::Work { which, who, stale, what }),
        1 => any_of().prop_map(Deed::Cancel),
        2 => (any_of(), whom()).prop_map(|(which, whom)| Deed::Assign { which, whom }),
        1 => any_of().prop_map(Deed::Override),
        1 => Just(Deed::Lapse),
    ];
    proptest::collection::vec(deed, 1..70)
}

/// A task as the model knows it.
#[derive(Debug, Clone, Default)]
struct Known {
    status: &'static str,
    agent: Option<usize>,
    token: u64,
    attempts: u64,
    most_attempts: u64,
    dead_letter: bool,
    needs: BTreeSet<usize>,
    choice: &'static str,
    parent: Option<usize>,
}

impl Known {
    fn is_held(&self) -> bool {
        matches!(self.status, "claimed" | "in_progress")
    }

    fn is_final(&self) -> bool {
        matches!(self.status, "completed" | "failed" | "cancelled")
    }

    fn let_go(&mut self) {
        (self.status, self.agent) = ("ready", None);
    }

    /// An attempt ends without a result.
    fn fail(&mut self, retry: bool) {
        if retry && self.attempts < self.most_attempts {
            return self.let_go();
        }
        self.status = "failed";
        self.dead_letter = retry;
    }
}

#[derive(Default)]
struct Model {
    tasks: Vec<Known>,
    newest_token: u64,
}

fn name(task: usize) -> String {
    format!("t{task}")
}

impl Model {
    /// What depends on tasks that have ended becomes ready, or fails, until nothing more follows.
    fn settle(&mut self) {
        loop {
            let follows = self.tasks.iter().enumerate().find_map(|(at, task)| {
                let (mut open, mut fails) = (false, false);
                for need in &task.needs {
                    match (self.tasks[*need].status, task.choice) {
                        ("completed", _) | ("failed" | "cancelled", "ignore") => {}
                        ("failed" | "cancelled", "fail") => fails = true,
                        _ => open = true,
                    }
                }
                let blocked = task.status == "blocked";
                (blocked && (fails || !open)).then_some((at, if fails { "failed" } else { "ready" }))
            });
            match follows {
                Some((at, status)) => self.tasks[at].status = status,
                None => return,
            }
        }
    }

    /// The tasks that are parts of this one, at any depth, and itself.
    fn tree(&self, root: usize) -> BTreeSet<usize> {
        let mut tree = BTreeSet::from([root]);
        // A part is always younger than its whole.
        for (at, task) in self.tasks.iter().enumerate() {
            if task.parent.is_some_and(|parent| tree.contains(&parent)) {
                tree.insert(at);
            }
        }
        tree
    }

    /// What a claim must come to: the task, or why not.
    fn claimable(&self, who: usize, which: Option<usize>) -> Result<Option<usize>, Code> {
        let may = |task: &Known| task.status == "ready" && task.agent.is_none_or(|agent| agent == who);
        match which {
            Some(at) if may(&self.tasks[at]) => Ok(Some(at)),
            Some(_) => Err(Code::Conflict),
            None => Ok(self.tasks.iter().position(may)),
        }
    }

    fn work(&mut self, at: usize, who: usize, stale: bool, what: Work) -> Result<(), Code> {
        let task = &mut self.tasks[at];
        match () {
            () if stale => return Err(Code::LeaseLost),
            () if task.is_final() => return Err(Code::Conflict),
            () if !task.is_held() || task.agent != Some(who) => return Err(Code::LeaseLost),
            () => {}
        }
        match what {
            Work::Renew => {}
            Work::Progress => task.status = "in_progress",
            Work::Complete => task.status = "completed",
            Work::Fail { retry } => task.fail(retry),
            Work::Release => {
                task.attempts -= 1;
                task.let_go();
            }
        }
        self.settle();
        Ok(())
    }
}

struct Stage {
    hub: Hub,
    clock: Arc<ManualClock>,
    model: Model,
}

impl Stage {
    fn open() -> Stage {
        let clock = ManualClock::at(Time::from_millis(1_800_000_000_000));
        let config = HubConfig {
            durability: Durability::Normal,
            lease_seconds: LEASE as f64,
            presence_ttl_seconds: 1e8,
            retry_seconds: 0.0,
            ageing_seconds: 0.0,
            status_interval_seconds: 0.0,
            ..HubConfig::default()
        };
        let seams = Seams { clock: clock.clone(), background: false, ..Seams::default() };
        let hub = Hub::open_with(":memory:", config, seams).unwrap();
        AGENTS.iter().for_each(|name| drop(hub.run(agents::Register::new(name)).unwrap()));
        Stage { hub, clock, model: Model::default() }
    }

    fn call(&self, name: &str, input: Value) -> Result<Value, Code> {
        let answer = self.hub.call(name, input.to_string().as_bytes()).map_err(|error| error.code())?;
        Ok(serde_json::from_slice(&answer).unwrap())
    }

    /// Does a deed to hub and model; what the hub answers must be what the model says.
    fn perform(&mut self, deed: &Deed) -> Result<(), TestCaseError> {
        let count = self.model.tasks.len();
        match deed {
            Deed::Create { .. } => self.create(deed),
            Deed::Lapse => {
                self.hub.tend().unwrap();
                self.clock.advance(Duration::from_secs(LEASE + 1));
                self.hub.tend().unwrap();
                self.model.tasks.iter_mut().filter(|task| task.is_held()).for_each(|task| task.fail(true));
                self.model.settle();
                Ok(())
            }
            _ if count == 0 => Ok(()),
            Deed::Claim { who, which } => self.claim(*who, which.map(|which| which.index(count))),
            Deed::Work { which, who, stale, what } => {
                let at = which.index(count);
                let task = &self.model.tasks[at];
                let who = who.or(task.agent).unwrap_or(0);
                let token = task.token + u64::from(*stale);
                let mut input = json!({"task_id": name(at), "agent_id": AGENTS[who], "token": token});
                let operation = match what {
                    Work::Renew => "task.renew",
                    Work::Progress => "task.progress",
                    Work::Complete => "task.complete",
                    Work::Fail { retry } => {
                        (input["error"], input["retry"]) = (json!("no luck"), json!(retry));
                        "task.fail"
                    }
                    Work::Release => "task.release",
                };
                let done = self.call(operation, input).map(drop);
                prop_assert_eq!(done, self.model.work(at, who, *stale, *what));
                Ok(())
            }
            Deed::Cancel(which) => self.cancel(which.index(count)),
            Deed::Assign { which, whom } => {
                let at = which.index(count);
                let input = json!({"task_id": name(at), "agent_id": whom.map(|whom| AGENTS[whom])});
                let done = self.call("task.assign", input).map(drop);
                let task = &mut self.model.tasks[at];
                let open = matches!(task.status, "ready" | "blocked");
                prop_assert_eq!(done, if open { Ok(()) } else { Err(Code::Conflict) });
                if open {
                    task.agent = *whom;
                }
                Ok(())
            }
            Deed::Override(which) => {
                let at = which.index(count);
                let done =
                    self.call("task.complete", json!({"task_id": name(at), "override": true})).map(drop);
                let task = &mut self.model.tasks[at];
                prop_assert_eq!(done, if task.is_final() { Err(Code::Conflict) } else { Ok(()) });
                if !task.is_final() {
                    task.status = "completed";
                    self.model.settle();
                }
                Ok(())
            }
        }
    }

    fn create(&mut self, deed: &Deed) -> Result<(), TestCaseError> {
        let Deed::Create { needs, parent, choice, attempts, whom } = deed else { return Ok(()) };
        let at = self.model.tasks.len();
        let pick = |index: &Index| if at > 0 { Some(index.index(at)) } else { None };
        let needs: BTreeSet<usize> = needs.iter().filter_map(pick).collect();
        let parent = parent.as_ref().and_then(pick);
        let input = json!({
            "creator_id": "boss", "title": "t", "task_id": name(at), "max_attempts": attempts,
            "depends_on": needs.iter().map(|need| name(*need)).collect::<Vec<_>>(),
            "parent_id": parent.map(name), "on_dependency_failure": choice,
            "assign_to": whom.map(|whom| AGENTS[whom]),
        });
        prop_assert_eq!(self.call("task.create", input).map(drop), Ok(()));
        self.model.tasks.push(Known {
            status: if needs.is_empty() { "ready" } else { "blocked" },
            agent: *whom,
            most_attempts: *attempts,
            needs,
            choice,
            parent,
            ..Known::default()
        });
        self.model.settle();
        Ok(())
    }

    fn claim(&mut self, who: usize, which: Option<usize>) -> Result<(), TestCaseError> {
        let answer = self.call("task.claim", json!({"agent_id": AGENTS[who], "task_id": which.map(name)}));
        let expected = self.model.claimable(who, which);
        let got = answer.clone().map(|task| task["task_id"].as_str().map(str::to_owned));
        prop_assert_eq!(got, expected.map(|at| at.map(name)));
        if let (Ok(answer), Ok(Some(at))) = (answer, expected) {
            let token = answer["token"].as_u64().unwrap();
            prop_assert!(token > self.model.newest_token, "a token must be new: {}", answer);
            self.model.newest_token = token;
            let task = &mut self.model.tasks[at];
            (task.status, task.agent, task.token) = ("claimed", Some(who), token);
            task.attempts += 1;
        }
        Ok(())
    }

    /// A part that depends on another part may fail with it before it is called off itself.
    fn cancel(&mut self, at: usize) -> Result<(), TestCaseError> {
        let done = self.call("task.cancel", json!({"task_id": name(at)}));
        if self.model.tasks[at].is_final() {
            prop_assert_eq!(done, Err(Code::Conflict));
            return Ok(());
        }
        let tree: Vec<usize> =
            self.model.tree(at).into_iter().filter(|part| !self.model.tasks[*part].is_final()).collect();
        let ended = done.unwrap();
        let mut told = BTreeSet::new();
        for task in ended["tasks"].as_array().unwrap() {
            let id = task["task_id"].as_str().unwrap();
            let part = tree.iter().copied().find(|part| name(*part) == id);
            prop_assert!(part.is_some(), "{} is no part of {}", id, name(at));
            let known = &mut self.model.tasks[part.unwrap()];
            let with_another =
                task["status"] == "failed" && known.choice == "fail" && !known.needs.is_empty();
            prop_assert!(task["status"] == "cancelled" || with_another, "{}", task);
            known.status = if with_another { "failed" } else { "cancelled" };
            told.insert(part.unwrap());
        }
        prop_assert_eq!(told, tree.into_iter().collect::<BTreeSet<_>>());
        self.model.settle();
        Ok(())
    }

    /// Every task is as the model knows it.
    fn verify(&self) -> Result<(), TestCaseError> {
        let found = self.call("task.list", json!({"limit": 1_000})).unwrap();
        let found = found["tasks"].as_array().unwrap();
        prop_assert_eq!(found.len(), self.model.tasks.len());
        for (at, task) in found.iter().rev().enumerate() {
            let known = &self.model.tasks[at];
            prop_assert_eq!(task["task_id"].as_str().map(str::to_owned), Some(name(at)));
            prop_assert_eq!(task["status"].as_str(), Some(known.status), "{} {:?}", task, known);
            prop_assert_eq!(task["agent_id"].as_str(), known.agent.map(|agent| AGENTS[agent]), "{}", task);
            prop_assert_eq!(task["token"].as_u64(), Some(known.token), "{}", task);
            prop_assert_eq!(task["attempts"].as_u64(), Some(known.attempts), "{}", task);
            prop_assert_eq!(task["dead_letter"] == true, known.dead_letter, "{}", task);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tasks_live_as_their_model_says(deeds in deeds()) {
        let mut stage = Stage::open();
        for deed in &deeds {
            let done = stage.perform(deed).and_then(|()| stage.verify());
            done.map_err(|error| TestCaseError::fail(format!("{deed:?}: {error}")))?;
        }
        stage.hub.check().unwrap();
        stage.hub.close();
    }
}
