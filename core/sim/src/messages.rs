//! Messages and published events: what was acknowledged is there, once, and what a fault refused is not.

use std::collections::BTreeMap;

use rand::Rng;
use serde_json::json;

use crate::world::World;

#[derive(Default)]
pub struct Model {
    sent: BTreeMap<String, String>,
    refused: Vec<String>,
    published: u64,
}

impl Model {
    pub fn step(&mut self, world: &mut World) -> Result<(), String> {
        let (from, to) = (world.someone(), world.someone());
        let id = format!("m{}", self.sent.len() + self.refused.len());
        if world.dice.random_bool(0.3) {
            let input =
                json!({"event_type": "sim", "source_agent": from, "target_agents": [to], "payload": id});
            return match world.call("event.publish", &input) {
                Ok(_) => {
                    self.published += 1;
                    Ok(())
                }
                Err(None) => Ok(()),
                Err(Some(error)) => Err(format!("event.publish: {error:?}")),
            };
        }
        let content = format!("from {from} to {to}");
        let input = json!({"message_id": id, "sender_id": from, "recipients": [to], "content": content});
        match world.call("message.send", &input) {
            Ok(_) => drop(self.sent.insert(id, content)),
            Err(None) => self.refused.push(id),
            Err(Some(error)) => return Err(format!("message.send: {error:?}")),
        }
        Ok(())
    }

    /// What was said is there; `posted` is said in channels beside it.
    pub fn everything_is_there(&self, world: &mut World, posted: u64) -> Result<(), String> {
        for (id, content) in &self.sent {
            let message = world.look("message.get", &json!({"message_id": id}))?;
            if message["content"] != content.as_str() {
                return Err(format!("message {id} is {message}"));
            }
        }
        for id in &self.refused {
            if let Ok(message) = world.call("message.get", &json!({"message_id": id})) {
                return Err(format!("message {id} was refused, and is there: {message}"));
            }
        }
        let stats = world.look("hub.stats", &json!({}))?;
        let published = stats["events"]["event.published"].as_u64().unwrap_or(0);
        let sent = self.sent.len() as u64 + posted;
        if (stats["messages"].as_u64(), published) != (Some(sent), self.published) {
            return Err(format!("{sent} messages and {} events were acknowledged: {stats}", self.published));
        }
        Ok(())
    }
}
