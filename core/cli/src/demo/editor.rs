//! The editor: waits until everything is known, has the team decide, then writes the report.

use folkmoot::Error;
use folkmoot::tasks::{Claim, Complete, Task};
use serde_json::{Value, json};

use super::findings::Findings;
use super::meeting;
use super::member::Member;
use super::report::Report;

/// How long one look for the task lasts.
const WAIT: f64 = 0.5;

/// Claims the one task that all others lead up to, and does it.
pub fn play(member: &Member) -> Result<(), Error> {
    while !member.is_over() {
        let claim = Claim { wait_seconds: Some(WAIT), ..Claim::new(member.id) };
        if let Some(task) = member.keep_trying(|| member.hub.run(claim.clone()))? {
            end(member, &task)?;
        }
    }
    Ok(())
}

/// Has the team decide, writes the report, ends the session, completes the task.
fn end(member: &Member, task: &Task) -> Result<(), Error> {
    member.keep_trying(|| member.report_progress(task, 5.0, "deciding", None))?;
    let decision = member.keep_trying(|| meeting::decide(member))?;
    let result = member.keep_trying(|| write(member, task))?;
    member.keep_trying(|| meeting::close(member, decision.as_ref()))?;
    let complete = Complete {
        task_id: task.task_id.clone(),
        agent_id: Some(member.id.to_owned()),
        token: Some(task.token),
        result: Some(result.into()),
        ..Complete::default()
    };
    member.keep_trying(|| member.hub.run(complete.clone()).map(drop))
}

fn write(member: &Member, task: &Task) -> Result<Value, Error> {
    member.uses("gather_findings", Some(task))?;
    member.report_progress(task, 30.0, "gathering", None)?;
    let report = Report::gather(&member.hub, &Findings::new(&member.hub, member.id))?;
    member.report_progress(task, 60.0, "writing", None)?;
    member.uses("write_report", Some(task))?;
    let text = report.markdown();
    std::fs::write(&member.report, &text)?;
    Ok(json!({ "path": member.report, "bytes": text.len(), "figures": report.figures() }))
}
