//! Reservations under the same race: whoever assigns or rebalances, nobody takes what is reserved for another, nothing
//! that is held is given away, and each move was made once.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use folkmoot_engine::{Code, Filter, Hub, Item};
use rand::{Rng, rngs::StdRng};
use serde_json::{Value, json};

use crate::call;
use crate::players::say;

/// Reserves one of the open tasks for someone, or has the engine move what is too much for some.
pub fn race(hub: &Hub, name: &str, dice: &mut StdRng) {
    if dice.random_bool(0.3) {
        let done = call(hub, "task.rebalance", json!({"limit": 5})).unwrap();
        for step in done["moved"].as_array().unwrap() {
            say(&Given::of(&step["task_id"], &step["from"], &step["to"]).to_line());
        }
        return;
    }
    let open = call(hub, "task.list", json!({"status": "ready", "limit": 20})).unwrap();
    let open = open["tasks"].as_array().unwrap();
    let Some(task) = open.get(dice.random_range(0..20)) else { return };
    let whom = [name, "parent", "auto"][dice.random_range(0..3)];
    match call(hub, "task.assign", json!({"task_id": task["task_id"], "agent_id": whom})) {
        Ok(task) => say(&Given::of(&task["task_id"], &Value::Null, &task["agent_id"]).to_line()),
        // It was claimed meanwhile, or nobody has room.
        Err(error) => assert_eq!(error.code(), Code::Conflict, "{error}"),
    }
}

/// A reservation that someone was told of; `from` is not known of one that was made by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Given {
    task: String,
    from: Option<String>,
    to: String,
}

impl Given {
    fn of(task: &Value, from: &Value, to: &Value) -> Given {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        Given { task: text(task).unwrap(), from: text(from), to: text(to).unwrap() }
    }

    fn to_line(&self) -> String {
        format!("given {} {} {}", self.task, self.from.as_deref().unwrap_or("-"), self.to)
    }

    /// Reads what `to_line` wrote.
    pub fn parse(line: &str) -> Option<Given> {
        let words: Vec<&str> = line.split(' ').collect();
        let ["given", task, from, to] = words[..] else { return None };
        let from = (from != "-").then(|| from.to_owned());
        Some(Given { task: task.to_owned(), from, to: to.to_owned() })
    }
}

/// A task after one of its events.
#[derive(Debug, Clone)]
struct Step {
    kind: String,
    task: String,
    held: bool,
    agent: Option<String>,
    token: u64,
}

/// Every step of every task, in order.
fn steps(hub: &Hub) -> Vec<Step> {
    let head = call(hub, "hub.status", json!({})).unwrap()["seq"].as_u64().unwrap();
    let mut heard = hub.subscribe(Filter::kinds(["task.*"]), Some(0)).unwrap();
    let mut steps = Vec::new();
    loop {
        match heard.next(Duration::from_secs(60)).unwrap().expect("the log goes on to its head") {
            Item::Event(event) => {
                let task = event.data.to_value();
                steps.push(Step {
                    kind: event.kind.to_string(),
                    task: task["task_id"].as_str().unwrap().to_owned(),
                    held: task["status"] == "claimed" || task["status"] == "in_progress",
                    agent: task["agent_id"].as_str().map(str::to_owned),
                    token: task["token"].as_u64().unwrap(),
                });
                if event.seq >= head {
                    return steps;
                }
            }
            Item::Position { seq } if seq >= head => return steps,
            Item::Position { .. } => {}
            gap => panic!("{gap:?}"),
        }
    }
}

/// Judges the log, and what was told against it; answers how many reservations there were.
pub fn judge(hub: &Hub, told: &[Given]) -> Result<usize, String> {
    follow(&steps(hub), told)
}

fn follow(steps: &[Step], told: &[Given]) -> Result<usize, String> {
    let mut tasks: BTreeMap<&str, &Step> = BTreeMap::new();
    let (mut moves, mut given) = (HashMap::new(), HashMap::new());
    for step in steps {
        let Some(before) = tasks.insert(&step.task, step) else { continue };
        let works = matches!(step.kind.as_str(), "task.progressed" | "task.completed" | "task.released");
        let wrong = match step.kind.as_str() {
            "task.claimed" if before.held => "it was claimed while it was held",
            "task.claimed" if before.agent.is_some() && before.agent != step.agent => {
                "it was reserved for another"
            }
            "task.assigned" if before.held => "it was given away while it was held",
            _ if works && !(before.held && before.token == step.token) => {
                "its token was no longer the newest"
            }
            _ => "",
        };
        if !wrong.is_empty() {
            return Err(format!("{wrong}: {before:?}, then {step:?}"));
        }
        if let ("task.assigned", Some(to)) = (step.kind.as_str(), &step.agent) {
            *moves.entry((&step.task, &before.agent, to)).or_insert(0) += 1;
            *given.entry((&step.task, to)).or_insert(0) += 1;
        }
    }
    for one in told {
        let left = match &one.from {
            Some(_) => moves.get_mut(&(&one.task, &one.from, &one.to)),
            None => given.get_mut(&(&one.task, &one.to)),
        };
        match left {
            Some(left) if *left > 0 => *left -= 1,
            _ => return Err(format!("told more often than it happened: {one:?}")),
        }
    }
    Ok(told.len())
}

mod planted {
    use super::{Given, Step, follow};

    fn step(kind: &str, agent: Option<&str>, token: u64) -> Step {
        let held = matches!(kind, "claimed" | "progressed");
        Step { kind: format!("task.{kind}"), task: "t".into(), held, agent: agent.map(str::to_owned), token }
    }

    fn given(from: Option<&str>, to: &str) -> Given {
        Given { task: "t".into(), from: from.map(str::to_owned), to: to.into() }
    }

    #[test]
    fn what_is_as_promised_passes() {
        let steps = [
            step("created", None, 0),
            step("assigned", Some("a"), 0),
            step("assigned", Some("b"), 0),
            step("claimed", Some("b"), 4),
            step("progressed", Some("b"), 4),
            step("completed", Some("b"), 4),
        ];
        assert_eq!(follow(&steps, &[given(None, "a"), given(Some("a"), "b")]), Ok(2));
    }

    #[test]
    fn every_planted_bug_is_caught() {
        let begun = [step("created", None, 0), step("assigned", Some("a"), 0)];
        for (more, told, says) in [
            (vec![step("claimed", Some("b"), 3)], vec![], "reserved for another"),
            (vec![step("claimed", Some("a"), 3), step("claimed", Some("a"), 4)], vec![], "while it was held"),
            (vec![step("claimed", Some("a"), 3), step("assigned", Some("b"), 3)], vec![], "given away"),
            (
                vec![step("claimed", Some("a"), 3), step("completed", Some("a"), 2)],
                vec![],
                "no longer the newest",
            ),
            (vec![], vec![given(None, "a"), given(None, "a")], "told more often"),
            (vec![], vec![given(Some("b"), "a")], "told more often"),
        ] {
            let steps: Vec<Step> = begun.iter().cloned().chain(more).collect();
            let why = follow(&steps, &told).expect_err(says);
            assert!(why.contains(says), "{why}");
        }
    }

    #[test]
    fn a_line_reads_back() {
        for given in [given(None, "a"), given(Some("b"), "a")] {
            assert_eq!(Given::parse(&given.to_line()), Some(given));
        }
    }
}
