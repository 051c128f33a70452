//! What the team knows together: the hub's shared memory.
//!
//! All workers merge into one *tally*, by compare-and-set: read it, change it, write it if nobody else did meanwhile,
//! else begin again. What a worker writes stands under its module and is the whole of what it knows of it, so that a
//! task that is done again after a death is not counted twice.

use std::collections::BTreeMap;

use folkmoot::memory::{Get, Increment, Set};
use folkmoot::{Code, Error, Hub};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::survey::items::Items;
use super::survey::walk::Module;
use super::survey::{Count, Inspection};

/// What all know of all modules, in few figures.
const TALLY: &str = "findings/tally";
/// How often a merge had to begin again.
const CONFLICTS: &str = "findings/conflicts";
/// What the planner found.
const PLAN: &str = "survey/plan";

/// By module number.
pub type Tally = BTreeMap<String, Figures>;

/// The figures of one module, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The module's name.
    pub module: String,
    /// How much there is.
    pub count: Option<Count>,
    /// How many functions there are.
    pub functions: Option<u64>,
    /// How many marks there are.
    pub marks: Option<u64>,
    /// How many links of documents were checked.
    pub links: Option<u64>,
    /// How many of them lead nowhere.
    pub broken: Option<u64>,
}

/// What checking the links of a module's documents gave.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Links {
    /// How many there are that lead to a file of the folder, or should.
    pub checked: u64,
    /// Those that lead nowhere.
    pub broken: Vec<BrokenLink>,
}

/// A link that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenLink {
    /// The document.
    pub path: String,
    /// The line.
    pub line: u64,
    /// What it names.
    pub target: String,
}

/// What the planner found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The folder.
    pub folder: String,
    /// By number.
    pub modules: BTreeMap<String, String>,
    /// How many files the modules have together.
    pub files: u64,
    /// Files that are no text, or too large.
    pub left_out: u64,
    /// Whether there were more files than a survey looks at.
    pub cut_off: bool,
    /// Whether someone checks links.
    pub links: bool,
}

/// What the summarizer says of a module.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// What it offers and uses.
    pub items: Items,
    /// What the others answered.
    pub answers: Vec<Answer>,
}

/// A question that was asked, and what came back.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The question.
    pub question: String,
    /// Who was asked and did not answer in time.
    pub silent: Vec<String>,
    /// Who answered, and what.
    pub answer: Option<(String, String)>,
}

/// The shared memory, as one of the team uses it.
pub struct Findings<'a> {
    hub: &'a Hub,
    agent_id: &'a str,
}

impl<'a> Findings<'a> {
    /// Memory as this agent writes it.
    pub fn new(hub: &'a Hub, agent_id: &'a str) -> Findings<'a> {
        Findings { hub, agent_id }
    }

    /// What is known of all modules.
    pub fn tally(&self) -> Result<Tally, Error> {
        Ok(self.read(TALLY)?.map(|(tally, _)| tally).unwrap_or_default())
    }

    /// Merges into the tally; begins again for as long as others are quicker.
    pub fn merge(&self, number: &str, module: &str, change: impl Fn(&mut Figures)) -> Result<(), Error> {
        let mut conflicts = 0;
        loop {
            let (mut tally, version) = self.read::<Tally>(TALLY)?.unwrap_or_default();
            let figures = tally.entry(number.to_owned()).or_default();
            figures.module = module.to_owned();
            change(figures);
            match self.write(TALLY, &tally, Some(version)) {
                Err(error) if error.code() == Code::Conflict => conflicts += 1,
                other => break other?,
            }
        }
        if conflicts > 0 {
            self.hub.run(Increment {
                key: CONFLICTS.to_owned(),
                by: Some(conflicts.into()),
                agent_id: Some(self.agent_id.to_owned()),
                idempotency_key: None,
            })?;
        }
        Ok(())
    }

    /// How often a merge had to begin again, so far.
    pub fn conflicts(&self) -> Result<u64, Error> {
        Ok(self.read(CONFLICTS)?.map(|(count, _)| count).unwrap_or_default())
    }

    /// Notes what the planner found.
    pub fn set_plan(&self, plan: &Plan) -> Result<(), Error> {
        self.write(PLAN, plan, None)
    }

    /// What the planner found.
    pub fn plan(&self) -> Result<Plan, Error> {
        Ok(self.read(PLAN)?.map(|(plan, _)| plan).unwrap_or_default())
    }

    /// Notes which files a module has.
    pub fn set_module(&self, number: &str, module: &Module) -> Result<(), Error> {
        self.write(&format!("survey/modules/{number}"), module, None)
    }

    /// Which files a module has.
    pub fn module(&self, number: &str) -> Result<Module, Error> {
        let key = format!("survey/modules/{number}");
        self.read(&key)?.map(|(module, _)| module).ok_or_else(|| Error::not_found("memory", &key))
    }

    /// Notes what inspecting a module gave.
    pub fn set_inspection(&self, number: &str, inspection: &Inspection) -> Result<(), Error> {
        self.write(&format!("findings/{number}/inspection"), inspection, None)
    }

    /// What inspecting a module gave.
    pub fn inspection(&self, number: &str) -> Result<Inspection, Error> {
        let found = self.read(&format!("findings/{number}/inspection"))?;
        Ok(found.map(|(inspection, _)| inspection).unwrap_or_default())
    }

    /// What checking the links of a module gave.
    pub fn links(&self, number: &str) -> Result<Links, Error> {
        Ok(self.read(&format!("findings/{number}/links"))?.map(|(links, _)| links).unwrap_or_default())
    }

    /// Notes what can be said of a module.
    pub fn set_summary(&self, number: &str, summary: &Summary) -> Result<(), Error> {
        self.write(&format!("findings/{number}/summary"), summary, None)
    }

    /// What can be said of a module.
    pub fn summary(&self, number: &str) -> Result<Summary, Error> {
        let found = self.read(&format!("findings/{number}/summary"))?;
        Ok(found.map(|(summary, _)| summary).unwrap_or_default())
    }

    /// A value with its version; nothing where nothing is.
    fn read<T: DeserializeOwned>(&self, key: &str) -> Result<Option<(T, u64)>, Error> {
        match self.hub.run(Get::new(key)) {
            Ok(entry) => {
                let value = serde_json::from_str(entry.value.text())
                    .map_err(|error| Error::internal(format!("{key} cannot be read: {error}")))?;
                Ok(Some((value, entry.version)))
            }
            Err(error) if error.code() == Code::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, key: &str, value: &impl Serialize, expected_version: Option<u64>) -> Result<(), Error> {
        let agent_id = Some(self.agent_id.to_owned());
        self.hub.run(Set { agent_id, expected_version, ..Set::new(key, json!(value)) })?;
        Ok(())
    }
}
