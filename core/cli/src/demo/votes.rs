//! How each of the team votes: by the figures that its own work is about.

use std::collections::BTreeMap;

use folkmoot::Error;

use super::findings::{Figures, Findings};
use super::meeting::Vote;
use super::survey::Inspection;
use super::team::{COUNT, INSPECT, Role, SUMMARIZE};
use crate::output::plural;

/// Whom this role votes for, and why; nobody when it has seen nothing that speaks for one.
pub fn choose(findings: &Findings<'_>, role: &Role) -> Result<Option<Vote>, Error> {
    let tally = findings.tally()?;
    let can = |what| role.can.contains(&what);
    let best = match (can(COUNT), can(INSPECT), can(SUMMARIZE)) {
        (true, true, _) => most(
            &tally,
            |figures| figures.marks,
            |marks| format!("it has the most work put off, {}", plural(marks, "marked line")),
        ),
        (true, _, _) => most(
            &tally,
            |figures| Some(figures.count.as_ref()?.total().lines),
            |lines| format!("it is the largest, {}", plural(lines, "line")),
        ),
        (_, true, _) => return longest(findings, &tally),
        (_, _, true) => most(
            &tally,
            |figures| figures.functions,
            |functions| format!("it has the most to understand, {}", plural(functions, "function")),
        ),
        _ => None,
    };
    Ok(best)
}

/// The module with the highest figure above 0, the first of equals.
fn most(
    tally: &BTreeMap<String, Figures>,
    figure: impl Fn(&Figures) -> Option<u64>,
    because: impl Fn(u64) -> String,
) -> Option<Vote> {
    let found = tally.iter().filter_map(|(number, figures)| Some((number, figures, figure(figures)?)));
    let (number, figures, figure) = found.rev().max_by_key(|(_, _, figure)| *figure)?;
    let vote = Vote { number: number.clone(), module: figures.module.clone(), because: because(figure) };
    (figure > 0).then_some(vote)
}

/// The module with the longest function.
fn longest(findings: &Findings<'_>, tally: &BTreeMap<String, Figures>) -> Result<Option<Vote>, Error> {
    let mut best: Option<(u64, Vote)> = None;
    for (number, figures) in tally {
        let Inspection { longest, .. } = findings.inspection(number)?;
        let Some(function) = longest.first() else { continue };
        let lines = function.lines;
        if best.as_ref().is_none_or(|(most, _)| lines > *most) {
            let because = format!("it has the longest function, {} ({lines} lines)", function.name);
            best = Some((lines, Vote { number: number.clone(), module: figures.module.clone(), because }));
        }
    }
    Ok(best.map(|(_, vote)| vote))
}

/// The vote that most have, the first module of equals; and how many each module has. Nothing without votes.
pub fn count<'a>(votes: impl Iterator<Item = &'a Vote>) -> Option<(Vote, BTreeMap<String, u64>)> {
    let mut by_number: BTreeMap<&str, (u64, &Vote)> = BTreeMap::new();
    for vote in votes {
        by_number.entry(&vote.number).or_insert((0, vote)).0 += 1;
    }
    let (_, chosen) = by_number.values().rev().max_by_key(|(count, _)| *count)?;
    let tally = by_number.values().map(|(count, vote)| (vote.module.clone(), *count)).collect();
    Some(((*chosen).clone(), tally))
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    fn vote(number: &str) -> Vote {
        Vote { number: number.to_owned(), module: format!("module {number}"), because: String::new() }
    }

    #[test]
    fn the_module_with_most_votes_is_chosen_and_of_equals_the_first() {
        let votes = [vote("03"), vote("01"), vote("03"), vote("02")];
        let (chosen, tally) = count(votes.iter()).expect("there are votes");
        assert_eq!(chosen.number, "03");
        assert_eq!(tally.get("module 03"), Some(&2));
        let votes = [vote("02"), vote("01")];
        assert_eq!(count(votes.iter()).expect("there are votes").0.number, "01");
        assert!(count([].iter()).is_none());
    }
}
