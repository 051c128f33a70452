//! The editor: waits until everything is known, then writes the report.

use folkmoot::Error;
use folkmoot::tasks::{Claim, Complete, Task};
use serde_json::json;

use super::findings::Findings;
use super::member::Member;
use super::report::Report;

/// How long one look for the task lasts.
const WAIT: f64 = 0.5;

/// Claims the one task that all others lead up to, and does it.
pub fn play(member: &Member) -> Result<(), Error> {
    while !member.is_over() {
        let claim = Claim { wait_seconds: Some(WAIT), ..Claim::new(member.id) };
        if let Some(task) = member.keep_trying(|| member.hub.run(claim.clone()))? {
            member.keep_trying(|| write(member, &task))?;
        }
    }
    Ok(())
}

fn write(member: &Member, task: &Task) -> Result<(), Error> {
    member.uses("gather_findings", Some(task))?;
    member.report_progress(task, 10.0, "gathering", None)?;
    let report = Report::gather(&member.hub, &Findings::new(&member.hub, member.id))?;
    member.report_progress(task, 60.0, "writing", None)?;
    member.uses("write_report", Some(task))?;
    let text = report.markdown();
    std::fs::write(&member.report, &text)?;
    member.hub.run(Complete {
        task_id: task.task_id.clone(),
        agent_id: Some(member.id.to_owned()),
        token: Some(task.token),
        result: Some(
            json!({ "path": member.report, "bytes": text.len(), "figures": report.figures() }).into(),
        ),
        ..Complete::default()
    })?;
    Ok(())
}
