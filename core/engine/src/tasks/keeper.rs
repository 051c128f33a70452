//! What happens to tasks as time passes: leases lapse, back-offs end.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::assign::AssignWaiting;
use super::events::LAPSED;
use super::manage::Wake;
use super::{ageing, reserved};
use super::{tables, work};
use crate::core::Core;
use crate::error::Result;
use crate::keeper::system;
use crate::pipeline::command::{Change, Class};
use crate::pipeline::decide::Decide;

/// How many back-offs are ended in one go.
const AT_ONCE: usize = 200;

/// Ends the back-offs that are over; answers how long until the next one is.
pub(crate) fn wake_due(core: &Core) -> Result<Duration> {
    let (due, next, now) = core.storage.read(|reader| {
        let (due, next) = tables::due_to_wake(reader.db, reader.steady, AT_ONCE)?;
        Ok((due, next, reader.steady))
    })?;
    for task_id in due {
        system(core, "task.wake", Class::Durable, Wake { task_id })?;
    }
    Ok(next.map_or(Duration::from_secs(3_600), |at| Duration::from_secs_f64(at.seconds_since(now).max(0.0))))
}

/// How many tasks that wait for the engine's choice are looked at in one go.
const CHOSEN_AT_ONCE: usize = 50;

/// Assigns what waits for the engine's choice; answers the row after which to look the next time.
pub(crate) fn assign_waiting(core: &Core, after: i64) -> Result<i64> {
    if !core.storage.read(|reader| reserved::any_waiting_for_choice(reader.db))? {
        return Ok(0);
    }
    let look = AssignWaiting { after, count: CHOSEN_AT_ONCE };
    system(core, "task.assign_waiting", Class::Durable, look)
}

/// Raises open tasks that have waited long.
pub(crate) fn raise_waiting(core: &Core) -> Result<()> {
    let seconds = core.config.ageing_seconds;
    if seconds == 0.0 {
        return Ok(());
    }
    for raise in core.storage.read(|reader| ageing::waiting_long(reader.db, reader.steady, seconds))? {
        system(core, "task.raise", Class::Durable, raise)?;
    }
    Ok(())
}

/// Ends a lease that stood still for its whole time, if it still does.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Lapse {
    pub task_id: String,
    pub token: u64,
    /// The counter that was seen standing.
    pub count: i64,
}

impl Change for Lapse {
    type Output = bool;

    fn decide(&self, cx: &mut Decide<'_>) -> Result<bool> {
        let lease = tables::lease(cx.db, &self.task_id)?;
        let Some(task) = tables::get(cx.db, &self.task_id)? else { return Ok(false) };
        let stands = lease.is_some_and(|lease| lease.token == self.token && lease.count == self.count);
        if !stands || !task.status.is_held() {
            return Ok(false);
        }
        let error =
            format!("nothing was heard of {:?} for its whole lease", task.agent_id.as_deref().unwrap_or(""));
        work::fail(cx, task, LAPSED, "lapsed", &error, true)?;
        Ok(true)
    }
}
