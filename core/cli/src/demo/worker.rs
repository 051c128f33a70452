//! A worker: claims what it can do, does it file by file, reports on the way.
//!
//! It may be killed at any moment. Nothing needs to be cleaned up then: its lease lapses, the task is ready again, and
//! whoever claims it next begins anew.

use folkmoot::tasks::{Claim, Complete, Fail, Task};
use folkmoot::{Code, Error};
use serde_json::{Value, json};

use super::findings::{Findings, Summary};
use super::meeting;
use super::member::Member;
use super::planner::Job;
use super::survey::items::Items;
use super::survey::walk;
use super::survey::{Count, Inspection};
use super::talk;
use super::team::{COUNT, INSPECT, Role};
use crate::output::plural;

/// Into how many steps the files of a module fall: after each one progress is reported.
const STEPS: usize = 5;
/// How long one look for work lasts.
const WAIT: f64 = 0.5;

/// Claims and works until the demo is over; answers questions meanwhile.
pub fn play(member: &Member, role: &Role) -> Result<(), Error> {
    std::thread::scope(|scope| {
        let inbox = scope.spawn(|| talk::listen(member));
        let session = scope.spawn(|| meeting::attend(member, role));
        let worked = work(member);
        [inbox, session].into_iter().fold(worked, |so_far, thread| {
            let ended = thread.join();
            so_far.and(ended.unwrap_or_else(|_| Err(Error::internal("a listening thread broke off"))))
        })
    })
}

fn work(member: &Member) -> Result<(), Error> {
    while !member.is_over() {
        let claim = Claim { wait_seconds: Some(WAIT), ..Claim::new(member.id) };
        let Some(task) = member.keep_trying(|| member.hub.run(claim.clone()))? else { continue };
        match done(member, &task) {
            Ok(result) => end(member, &task, Some(result), None)?,
            Err(error) if member.is_over() => return Err(error),
            // Someone else has it now: nothing of it is ours any more.
            Err(error) if error.code() == Code::LeaseLost => eprintln!("{error}"),
            Err(error) => end(member, &task, None, Some(error))?,
        }
    }
    Ok(())
}

/// Completes a task or fails it. It must get through: while this process beats, nobody else could have the task.
fn end(member: &Member, task: &Task, result: Option<Value>, error: Option<Error>) -> Result<(), Error> {
    let (task_id, agent_id, token) = (&task.task_id, Some(member.id.to_owned()), Some(task.token));
    let ended = member.keep_trying(|| match &error {
        None => {
            let (task_id, agent_id, result) =
                (task_id.clone(), agent_id.clone(), result.clone().map(Into::into));
            let complete = Complete { task_id, agent_id, token, result, ..Complete::default() };
            member.hub.run(complete).map(drop)
        }
        Some(error) => {
            let (task_id, agent_id, error) = (task_id.clone(), agent_id.clone(), error.to_string());
            let (retry, over) = (Some(true), false);
            let fail = Fail { task_id, agent_id, token, error, retry, over, idempotency_key: None };
            member.hub.run(fail).map(drop)
        }
    });
    match ended {
        Err(error) if error.code() == Code::LeaseLost => {
            eprintln!("{error}");
            Ok(())
        }
        other => other,
    }
}

fn done(member: &Member, task: &Task) -> Result<Value, Error> {
    let job: Job = serde_json::from_str(task.requirements.text())
        .map_err(|error| Error::internal(format!("a task without its job: {error}")))?;
    match job.what.as_str() {
        COUNT => count(member, task, &job),
        INSPECT => inspect(member, task, &job),
        _ => summarize(member, task, &job),
    }
}

/// Studies the texts of the module's files in a few steps; after each step `share` tells the others what is known.
fn in_steps<T: Default>(
    member: &Member,
    task: &Task,
    job: &Job,
    tool: &str,
    study: impl Fn(&mut T, &str, &str),
    share: impl Fn(&T) -> Result<String, Error>,
) -> Result<T, Error> {
    member.uses("read_memory", Some(task))?;
    let files = Findings::new(&member.hub, member.id).module(&job.number)?.files;
    let step = files.len().div_ceil(STEPS).max(1);
    let mut known = T::default();
    let mut read = 0;
    member.report_progress(task, 0.0, "reading", Some(plural(files.len() as u64, "file")))?;
    for some in files.chunks(step) {
        member.check()?;
        member.uses(tool, Some(task))?;
        for path in some {
            if let Some(text) = walk::read(&member.folder, path) {
                study(&mut known, path, &text);
            }
        }
        read += some.len();
        let percent = 95.0 * read as f64 / files.len().max(1) as f64;
        let told = share(&known)?;
        member.report_progress(task, percent.floor(), tool, Some(told))?;
    }
    Ok(known)
}

fn count(member: &Member, task: &Task, job: &Job) -> Result<Value, Error> {
    let findings = Findings::new(&member.hub, member.id);
    let counted = in_steps(member, task, job, "count_lines", Count::add, |so_far| {
        findings.merge(&job.number, &job.module, |figures| figures.count = Some(so_far.clone()))?;
        Ok(format!("{} so far", plural(so_far.total().lines, "line")))
    })?;
    let total = counted.total();
    Ok(json!({ "files": total.files, "lines": total.lines }))
}

fn inspect(member: &Member, task: &Task, job: &Job) -> Result<Value, Error> {
    let findings = Findings::new(&member.hub, member.id);
    let found = in_steps(member, task, job, "find_functions", Inspection::add, |so_far| {
        findings.merge(&job.number, &job.module, |figures| {
            figures.functions = Some(so_far.functions);
            figures.marks = Some(so_far.marks);
        })?;
        Ok(format!("{} so far", plural(so_far.functions, "function")))
    })?;
    member.uses("share_findings", Some(task))?;
    findings.set_inspection(&job.number, &found)?;
    Ok(json!({ "functions": found.functions, "marks": found.marks }))
}

fn summarize(member: &Member, task: &Task, job: &Job) -> Result<Value, Error> {
    let answers = vec![
        talk::ask(member, task, job, COUNT, &format!("How large is {}?", job.module))?,
        talk::ask(
            member,
            task,
            job,
            INSPECT,
            &format!("Which functions of {} are the longest?", job.module),
        )?,
    ];
    let items = in_steps(member, task, job, "read_items", Items::add, |so_far: &Items| {
        Ok(format!("{} so far", plural(so_far.public.values().sum(), "public item")))
    })?;
    member.uses("share_findings", Some(task))?;
    let offered: u64 = items.public.values().sum();
    Findings::new(&member.hub, member.id).set_summary(&job.number, &Summary { items, answers })?;
    Ok(json!({ "public_items": offered }))
}
