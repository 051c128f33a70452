//! The example of the README, to the letter.

use folkmoot::{Hub, HubConfig, agents, tasks};

fn main() -> folkmoot::Result<()> {
    let hub = Hub::open("team.db", HubConfig::default())?;
    hub.run(agents::Register::new("ana"))?;
    hub.run(tasks::Create::new("boss", "Review the parser"))?;
    if let Some(task) = hub.run(tasks::Claim::new("ana"))? {
        let (task_id, agent_id, token) = (task.task_id, task.agent_id, Some(task.token));
        hub.run(tasks::Complete { task_id, agent_id, token, ..Default::default() })?;
    }
    Ok(())
}
