//! Presence, as the model knows it: who was last heard of when, and what each has counted.

use std::collections::BTreeMap;

use rand::Rng;
use serde_json::{Value, json};

use crate::tasks;
use crate::world::{PRESENCE, World};

#[derive(Default)]
pub struct Model {
    agents: BTreeMap<&'static str, Agent>,
}

#[derive(Default)]
struct Agent {
    /// On the boot clock.
    heard_at: f64,
    left: bool,
    tools: u64,
    tokens: u64,
}

impl Model {
    pub fn register(&mut self, world: &mut World) -> Result<(), String> {
        for agent in crate::AGENTS {
            world.look("agent.register", &json!({"name": agent, "max_load": 100}))?;
            self.agents.insert(agent, Agent::default());
        }
        Ok(())
    }

    /// When this agent was last heard of.
    pub fn heard_at(&self, agent: &str) -> f64 {
        self.agents.get(agent).map_or(0.0, |known| known.heard_at)
    }

    /// Whether it took its leave.
    pub fn has_left(&self, agent: &str) -> bool {
        self.agents.get(agent).is_none_or(|known| known.left)
    }

    /// Whether it may be taken for offline: it left, or was not heard of for its time.
    pub fn is_away(&self, agent: &str, boot: f64) -> bool {
        self.has_left(agent) || boot - self.heard_at(agent) >= PRESENCE
    }

    pub fn step(&mut self, world: &mut World, _tasks: &mut tasks::Model) -> Result<(), String> {
        let name = world.someone();
        let (boot, tokens) = (world.boot(), world.dice.random_range(0..9));
        let Some(agent) = self.agents.get_mut(name) else { return Ok(()) };
        let (operation, input) = match world.dice.random_range(0..5) {
            0..3 => ("presence.update", json!({"agent_id": name, "tool_name": "bash", "tokens": tokens})),
            3 => ("agent.heartbeat", json!({"agent_id": name})),
            _ => ("agent.leave", json!({"agent_id": name})),
        };
        // An update that waits would take the agent back after it has left.
        world.flush();
        match world.call(operation, &input) {
            Ok(_) => {
                agent.left = operation == "agent.leave";
                if !agent.left {
                    agent.heard_at = boot;
                }
                if operation == "presence.update" {
                    (agent.tools, agent.tokens) = (agent.tools + 1, agent.tokens + tokens);
                    world.flush();
                }
                Ok(())
            }
            Err(None) => Ok(()),
            Err(Some(error)) => Err(format!("{operation} {input}: {error:?}")),
        }
    }

    /// Counts are exact; nobody is offline who was heard of within the time to live.
    pub fn verify(&self, world: &mut World) -> Result<(), String> {
        let boot = world.boot();
        let found = world.look("presence.list", &json!({}))?;
        for there in found["agents"].as_array().into_iter().flatten() {
            let Some(agent) = there["agent_id"].as_str().and_then(|id| self.agents.get(id)) else { continue };
            if there["total_tools_executed"] != agent.tools || there["total_cost_tokens"] != agent.tokens {
                return Err(format!(
                    "{} tools and {} tokens were counted: {there}",
                    agent.tools, agent.tokens
                ));
            }
            let offline = there["status"] == "offline";
            if offline && !agent.left && boot - agent.heard_at < PRESENCE {
                return Err(format!(
                    "taken offline {} s after it was heard of: {there}",
                    boot - agent.heard_at
                ));
            }
            if agent.left && !offline {
                return Err(format!("it has left, and is there: {there}"));
            }
        }
        Ok(())
    }

    /// Once nobody is heard of for long, nobody is there.
    pub fn everyone_lapses(&mut self, world: &mut World) -> Result<(), String> {
        for _ in 0..2 {
            world.settle()?;
            world.tend()?;
            world.clock.advance(std::time::Duration::from_secs_f64(PRESENCE + 1.0));
        }
        world.tend()?;
        let found = world.look("presence.list", &json!({}))?;
        let there = |agent: &&Value| agent["status"] != "offline";
        match found["agents"].as_array().into_iter().flatten().find(there) {
            Some(agent) => Err(format!("never heard of again, and still there: {agent}")),
            None => Ok(()),
        }
    }
}
