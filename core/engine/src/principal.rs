//! Who asks.

use std::fmt;
use std::sync::Arc;

use crate::error::{Error, Result};

/// The one on whose behalf an operation runs. The hub stamps it on every event; no field of an input can forge it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Principal {
    /// The program that opened the hub: trusted.
    #[default]
    Process,
    /// One agent; access control applies.
    Agent(Arc<str>),
    /// A person or program that looks after the hub.
    Operator(Arc<str>),
}

impl Principal {
    /// The principal of this agent.
    pub fn agent(agent_id: &str) -> Principal {
        Principal::Agent(agent_id.into())
    }

    /// The agent that acts, when it is one.
    pub fn agent_id(&self) -> Option<&str> {
        match self {
            Principal::Agent(id) => Some(id),
            _ => None,
        }
    }

    /// Refuses an agent that names another agent as the one who acts.
    pub fn may_act_as(&self, field: &str, agent_id: &str) -> Result<()> {
        match self {
            Principal::Agent(own) if **own != *agent_id => Err(Error::not_allowed(format!(
                "agent {own:?} cannot act as {agent_id:?}: {field} must be its own id"
            ))
            .with("field", field)
            .with("value", agent_id)),
            _ => Ok(()),
        }
    }

    /// The one who acts when an input may name an agent: that agent, seen as an agent.
    pub fn acting(&self, field: &str, agent_id: Option<&str>) -> Result<Principal> {
        match agent_id {
            Some(id) => {
                crate::id::check_name(field, id)?;
                self.may_act_as(field, id)?;
                Ok(match self {
                    Principal::Operator(_) => self.clone(),
                    _ => Principal::agent(id),
                })
            }
            None => Ok(self.clone()),
        }
    }

    /// How the principal is kept in the log; reads back with [`Principal::parse`].
    pub fn stored(&self) -> String {
        self.to_string()
    }

    /// Reads what [`Principal::stored`] wrote.
    pub fn parse(text: &str) -> Principal {
        match text.split_once(':') {
            Some(("agent", id)) => Principal::agent(id),
            Some(("operator", id)) => Principal::Operator(id.into()),
            _ => Principal::Process,
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Principal::Process => f.write_str("process"),
            Principal::Agent(id) => write!(f, "agent:{id}"),
            Principal::Operator(id) => write!(f, "operator:{id}"),
        }
    }
}
