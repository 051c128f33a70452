//! Whether a history could have happened one after another.
//!
//! Everything judged here has versions that only grow: a key's version, a task's fencing token. That makes the question
//! easy. An operation that *makes* version `v` stands at `v`, one that *sees* it stands right behind; an order exists if
//! and only if no version is made twice and nothing that had ended before another began stands behind it.

use std::collections::{BTreeMap, HashMap};

/// One operation, with the times between which it happened.
#[derive(Debug, Clone)]
pub struct Op {
    pub key: String,
    pub makes: bool,
    pub version: u64,
    pub began: u64,
    pub ended: u64,
    pub who: String,
}

impl Op {
    /// Reads what [`Op::to_line`] wrote.
    pub fn parse(line: &str) -> Option<Op> {
        let words: Vec<&str> = line.split(' ').collect();
        let ["op", key, makes, version, began, ended, who] = words[..] else { return None };
        Some(Op {
            key: key.to_owned(),
            makes: makes == "makes",
            version: version.parse().ok()?,
            began: began.parse().ok()?,
            ended: ended.parse().ok()?,
            who: who.to_owned(),
        })
    }

    pub fn to_line(&self) -> String {
        let makes = if self.makes { "makes" } else { "sees" };
        format!("op {} {makes} {} {} {} {}", self.key, self.version, self.began, self.ended, self.who)
    }

    fn place(&self) -> u64 {
        self.version * 2 + u64::from(!self.makes)
    }
}

/// Judges each key's history; answers how many there were, or why one cannot have been.
pub fn judge(ops: &[Op]) -> Result<usize, String> {
    let mut histories: BTreeMap<&str, Vec<&Op>> = BTreeMap::new();
    ops.iter().for_each(|op| histories.entry(&op.key).or_default().push(op));
    for history in histories.values_mut() {
        one_winner(history)?;
        in_order(history)?;
    }
    Ok(histories.len())
}

fn one_winner(history: &[&Op]) -> Result<(), String> {
    let mut makers = HashMap::new();
    for op in history.iter().filter(|op| op.makes) {
        if let Some(other) = makers.insert(op.version, op) {
            return Err(format!("two winners: {op:?} and {other:?}"));
        }
    }
    Ok(())
}

fn in_order(history: &mut [&Op]) -> Result<(), String> {
    let mut by_end = history.to_vec();
    by_end.sort_by_key(|op| op.ended);
    history.sort_by_key(|op| op.began);
    let (mut ended, mut furthest) = (by_end.into_iter().peekable(), None::<&Op>);
    for op in history.iter() {
        while let Some(before) = ended.next_if(|before| before.ended < op.began) {
            if furthest.is_none_or(|other| before.place() > other.place()) {
                furthest = Some(before);
            }
        }
        if let Some(before) = furthest.filter(|before| before.place() > op.place()) {
            return Err(format!("{before:?} had ended before {op:?} began"));
        }
    }
    Ok(())
}

mod planted {
    use super::{Op, judge};

    fn op(makes: bool, version: u64, began: u64, ended: u64) -> Op {
        Op { key: "k".into(), makes, version, began, ended, who: format!("{began}") }
    }

    #[test]
    fn what_could_have_been_passes() {
        let ops = [
            op(true, 1, 0, 10),
            op(false, 1, 5, 6),
            op(false, 0, 5, 7),
            op(true, 2, 8, 30),
            op(false, 1, 12, 20),
            op(false, 2, 12, 14),
            op(true, 3, 15, 40),
            op(false, 3, 41, 42),
        ];
        // Version 2 was seen at 14 and version 1 until 20, both while 2 was being made: the reads overlap.
        assert_eq!(judge(&ops), Ok(1));
        let other = Op { key: "other".into(), ..op(true, 1, 90, 91) };
        assert_eq!(judge(&[op(true, 5, 0, 1), other]), Ok(2));
    }

    #[test]
    fn every_planted_bug_is_caught() {
        for (ops, says) in [
            (vec![op(true, 1, 0, 10), op(true, 1, 5, 6)], "two winners"),
            (vec![op(true, 1, 0, 10), op(true, 1, 50, 60)], "two winners"),
            // A stale read.
            (vec![op(true, 1, 0, 1), op(true, 2, 2, 3), op(false, 1, 4, 5)], "had ended"),
            // A value seen before anyone began to write it.
            (vec![op(false, 1, 0, 1), op(true, 1, 2, 3)], "had ended"),
            // Two reads that go backwards, while the write is still under way.
            (vec![op(true, 1, 0, 90), op(false, 1, 5, 6), op(false, 0, 7, 8)], "had ended"),
            // A worker that completes by an older token after the task was given to another.
            (vec![op(true, 7, 0, 1), op(true, 9, 4, 5), op(false, 7, 6, 8)], "had ended"),
            // A lost update: a later write of an earlier version.
            (vec![op(true, 2, 0, 1), op(true, 1, 2, 3)], "had ended"),
        ] {
            let why = judge(&ops).expect_err(says);
            assert!(why.contains(says), "{why}");
        }
    }

    #[test]
    fn a_line_reads_back() {
        let line = op(true, 3, 4, 5).to_line();
        assert_eq!(Op::parse(&line).map(|op| op.to_line()), Some(line));
        assert!(Op::parse("op k makes 3 4").is_none());
    }
}
