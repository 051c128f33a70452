//! The report: everything in it is read from the hub.

use std::collections::BTreeMap;
use std::fmt::Write;

use folkmoot::events::Read;
use folkmoot::sessions::{self, Decision};
use folkmoot::tasks::{List, Step, Task};
use folkmoot::{Error, Filter, Hub};
use serde_json::{Value, json};

use super::findings::{Answer, BrokenLink, Findings, Links, Plan, Summary, Tally};
use super::meeting::SESSION;
use super::survey::{Count, Function, Inspection, Mark};
use super::team::{KILLED, REPORT_TASK};
use crate::output::{one_line, plural, thousands};

/// How many long functions and marks are shown.
const SHOWN: usize = 10;

/// What the report says.
pub struct Report {
    plan: Plan,
    tally: Tally,
    total: Count,
    inspection: Inspection,
    summaries: BTreeMap<String, Summary>,
    links: Links,
    tasks: Vec<Task>,
    /// Payloads of the events that say whom the demo killed.
    killed: Vec<Value>,
    conflicts: u64,
    decisions: Vec<Decision>,
}

impl Report {
    /// Reads all that the team found out and did.
    pub fn gather(hub: &Hub, findings: &Findings<'_>) -> Result<Report, Error> {
        let (plan, tally) = (findings.plan()?, findings.tally()?);
        let mut total = Count::default();
        tally.values().filter_map(|figures| figures.count.as_ref()).for_each(|count| total.merge(count));
        let mut inspection = Inspection::default();
        let (mut summaries, mut links) = (BTreeMap::new(), Links::default());
        for number in plan.modules.keys() {
            inspection.merge(&findings.inspection(number)?);
            summaries.insert(number.clone(), findings.summary(number)?);
            let found = findings.links(number)?;
            links.checked += found.checked;
            links.broken.extend(found.broken);
        }
        let conflicts = findings.conflicts()?;
        let session =
            hub.run(sessions::Get { session_id: SESSION.to_owned(), ..sessions::Get::default() })?;
        let decisions = session.decisions;
        let (tasks, killed) = (all_tasks(hub)?, killed(hub)?);
        Ok(Report { plan, tally, total, inspection, summaries, links, tasks, killed, conflicts, decisions })
    }

    /// The figures, for programs.
    pub fn figures(&self) -> Value {
        let total = self.total.total();
        json!({
            "files": total.files,
            "lines": total.lines,
            "languages": self.total.languages,
            "modules": self.plan.modules.len(),
            "functions": self.inspection.functions,
            "longest": self.inspection.longest.first(),
            "marks": self.inspection.marks,
            "links": self.plan.links.then_some(&self.links),
            "conflicts": self.conflicts,
            "decided": self.decisions.first().map(|decision| &decision.decision),
            "questions": self.questions().0,
            "answers": self.questions().1,
        })
    }

    /// How many questions were sent and answered.
    fn questions(&self) -> (usize, usize) {
        let all = || self.summaries.values().flat_map(|summary| &summary.answers);
        let answered = all().filter(|answer| answer.answer.is_some()).count();
        (answered + all().map(|answer| answer.silent.len()).sum::<usize>(), answered)
    }

    /// The report as a page of Markdown.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let total = self.total.total();
        writeln!(out, "# A survey of {}\n", one_line(&self.plan.folder))?;
        write!(out, "{} lines in {}", thousands(total.lines), plural(total.files, "file"))?;
        writeln!(out, ", in {}.", plural(self.plan.modules.len() as u64, "module"))?;
        if self.plan.left_out > 0 {
            writeln!(out, "{} left out: no text, or larger than 1 MiB.", plural(self.plan.left_out, "file"))?;
        }
        if self.plan.cut_off {
            writeln!(out, "There are more files than a survey looks at: these are the first.")?;
        }
        self.write_languages(out)?;
        self.write_functions(out)?;
        self.write_marks(out)?;
        self.write_links(out)?;
        self.write_modules(out)?;
        self.write_decisions(out)?;
        self.write_work(out)?;
        self.write_deaths(out)
    }

    fn write_languages(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\n## Lines by language\n\n| language | files | lines |\n| --- | ---: | ---: |")?;
        for (language, of) in self.total.by_size() {
            writeln!(out, "| {language} | {} | {} |", thousands(of.files), thousands(of.lines))?;
        }
        Ok(())
    }

    fn write_functions(&self, out: &mut String) -> std::fmt::Result {
        let found = &self.inspection;
        writeln!(out, "\n## The longest of {}\n", plural(found.functions, "function"))?;
        if found.longest.is_empty() {
            return writeln!(out, "None were found.");
        }
        writeln!(out, "| lines | function | where |\n| ---: | --- | --- |")?;
        for Function { name, path, line, lines } in found.longest.iter().take(SHOWN) {
            writeln!(out, "| {lines} | `{name}` | {path}:{line} |")?;
        }
        writeln!(out, "\nMeasured by indentation, in Rust, Python, Go, JavaScript and TypeScript.")
    }

    fn write_marks(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\n## Work put off: {}\n", plural(self.inspection.marks, "marked line"))?;
        if self.inspection.marks == 0 {
            return writeln!(out, "None were found.");
        }
        for Mark { path, line, text, .. } in self.inspection.marked.iter().take(SHOWN) {
            writeln!(out, "- {path}:{line} `{}`", one_line(text).replace('`', "'"))?;
        }
        match self.inspection.marks.saturating_sub(SHOWN as u64) {
            0 => Ok(()),
            more => writeln!(out, "- and {} more", thousands(more)),
        }
    }

    fn write_links(&self, out: &mut String) -> std::fmt::Result {
        if !self.plan.links {
            return Ok(());
        }
        let Links { checked, broken } = &self.links;
        let end = match broken.len() {
            0 => ", all of which are there".to_owned(),
            1 => "; one leads nowhere".to_owned(),
            more => format!("; {more} lead nowhere"),
        };
        writeln!(out, "\n## Links of the documents\n")?;
        writeln!(out, "{} to files of the folder{end}.", plural(*checked, "link"))?;
        for BrokenLink { path, line, target } in broken.iter().take(SHOWN) {
            writeln!(out, "- {path}:{line} `{}`", one_line(target).replace('`', "'"))?;
        }
        Ok(())
    }

    fn write_modules(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\n## Modules\n")?;
        for (number, name) in &self.plan.modules {
            let figures = self.tally.get(number).cloned().unwrap_or_default();
            let count = figures.count.unwrap_or_default();
            let total = count.total();
            let mostly = count.by_size().first().map_or("nothing", |(language, _)| language).to_owned();
            write!(out, "- **{}**: {} in ", one_line(name), plural(total.lines, "line"))?;
            write!(out, "{}, mostly {mostly}; ", plural(total.files, "file"))?;
            write!(out, "{}.", plural(figures.functions.unwrap_or(0), "function"))?;
            match self.summaries.get(number) {
                Some(summary) => write_summary(out, summary)?,
                None => writeln!(out)?,
            }
        }
        Ok(())
    }

    fn write_decisions(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\n## What the team decided\n")?;
        if self.decisions.is_empty() {
            return writeln!(out, "Nothing: nobody had a vote.");
        }
        for Decision { decision, rationale, alternatives, .. } in &self.decisions {
            writeln!(out, "- **{}**", one_line(decision))?;
            for reason in rationale.iter().flat_map(|reasons| reasons.split("; ")) {
                writeln!(out, "  - {}", one_line(reason))?;
            }
            for other in alternatives.iter().map(folkmoot::Json::to_value) {
                let module = other.get("module").and_then(Value::as_str).unwrap_or_default();
                let votes = other.get("votes").and_then(Value::as_u64).unwrap_or_default();
                writeln!(out, "  - and {} for {}", plural(votes, "vote"), one_line(module))?;
            }
        }
        Ok(())
    }

    fn write_work(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\n## Who did what\n\n| agent | tasks done | of them |\n| --- | ---: | --- |")?;
        let mut by_agent: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
        for task in &self.tasks {
            if let (true, Some(agent)) = (task.status.is_final(), &task.agent_id) {
                let what = task.requires.first().map_or("", String::as_str);
                *by_agent.entry(agent).or_default().entry(what).or_default() += 1;
            }
        }
        for (agent, kinds) in by_agent {
            let done: u64 = kinds.values().sum();
            let kinds: Vec<String> = kinds.iter().map(|(what, count)| format!("{count} {what}")).collect();
            writeln!(out, "| {agent} | {done} | {} |", kinds.join(", "))?;
        }
        let (asked, answered) = self.questions();
        write!(out, "\nThe summarizer asked {}", plural(asked as u64, "question"))?;
        writeln!(out, " and had {}.", plural(answered as u64, "answer"))?;
        let conflicts = plural(self.conflicts, "time");
        writeln!(
            out,
            "Merging into the shared tally, workers met a newer version {conflicts} and merged again."
        )
    }

    fn write_deaths(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\n## Who died, and who took over\n")?;
        let mut any = false;
        for task in &self.tasks {
            for takeover in takeovers(task) {
                any = true;
                let Takeover { from, to, seconds } = takeover;
                write!(out, "- *{}*: {from} ", one_line(&task.title))?;
                match self
                    .killed
                    .iter()
                    .find(|killed| killed.get("agent_id").and_then(Value::as_str) == Some(from))
                {
                    Some(killed) => {
                        let at = killed.get("progress").and_then(Value::as_f64).unwrap_or(0.0);
                        let pid = killed.get("pid").and_then(Value::as_u64).unwrap_or(0);
                        write!(out, "(process {pid}) was killed with SIGKILL when it was at {at:.0} %; ")?;
                    }
                    None => write!(out, "was not heard of for its whole lease; ")?,
                }
                writeln!(out, "{to} took it over {seconds:.1} s after {from} had claimed it.")?;
            }
        }
        if any { Ok(()) } else { writeln!(out, "Nobody, and so nobody.") }
    }
}

fn write_summary(out: &mut String, summary: &Summary) -> std::fmt::Result {
    if let Some(purpose) = &summary.items.purpose {
        write!(out, " \u{201c}{}\u{201d} ({})", one_line(&purpose.sentence), purpose.path)?;
    }
    writeln!(out)?;
    let items: Vec<String> =
        summary.items.public.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    if !items.is_empty() {
        writeln!(out, "  - public: {}", items.join(", "))?;
    }
    let imports = summary.items.most_imported(5);
    if !imports.is_empty() {
        writeln!(out, "  - imports most: {}", imports.join(", "))?;
    }
    for Answer { question, silent, answer } in &summary.answers {
        write!(out, "  - \u{201c}{}\u{201d}", one_line(question))?;
        for agent in silent {
            write!(out, " {agent} did not answer.")?;
        }
        match answer {
            Some((agent, told)) => writeln!(out, " {agent}: {}", one_line(told))?,
            None => writeln!(out, " Nobody answered.")?,
        }
    }
    Ok(())
}

/// A task that went from one agent to another because the first was not heard of any more.
pub struct Takeover<'a> {
    /// Who held it.
    pub from: &'a str,
    /// Who claimed it next.
    pub to: &'a str,
    /// Seconds between the two claims.
    pub seconds: f64,
}

/// The take-overs in a task's history.
pub fn takeovers(task: &Task) -> Vec<Takeover<'_>> {
    let mut found = Vec::new();
    for (at, _) in task.history.iter().enumerate().filter(|(_, step)| step.what == "lapsed") {
        let claim = |step: &&Step| step.what == "claimed";
        let before = task.history.get(..at).and_then(|steps| steps.iter().rev().find(claim));
        let after = task.history.get(at..).and_then(|steps| steps.iter().find(claim));
        if let (Some(before), Some(after)) = (before, after)
            && let (Some(from), Some(to)) = (&before.agent_id, &after.agent_id)
        {
            found.push(Takeover { from, to, seconds: after.at.seconds_since(before.at) });
        }
    }
    found
}

/// Every task but the report itself.
fn all_tasks(hub: &Hub) -> Result<Vec<Task>, Error> {
    let (mut tasks, mut cursor) = (Vec::new(), None);
    loop {
        let page = hub.run(List { cursor, limit: Some(1_000), ..List::default() })?;
        tasks.extend(page.tasks.into_iter().filter(|task| task.task_id != REPORT_TASK));
        match page.next_cursor {
            Some(next) => cursor = Some(next),
            None => return Ok(tasks),
        }
    }
}

fn killed(hub: &Hub) -> Result<Vec<Value>, Error> {
    let filter = Filter { event_types: vec![KILLED.to_owned()], ..Filter::default() };
    let page = hub.run(Read { filter: Some(filter), ..Read::default() })?;
    Ok(page.events.iter().filter_map(|event| event.to_value().pointer("/data/payload").cloned()).collect())
}
