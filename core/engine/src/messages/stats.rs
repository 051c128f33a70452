//! `message.stats`: how much is said, by whom, when, and how fast questions are answered.

use std::collections::{BTreeMap, HashMap};

use rusqlite::params_from_iter;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Audience;
use super::selection::Selection;
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::pipeline::command::Query;
use crate::principal::Principal;
use crate::storage::Reader;

/// Seconds of a bucket when the call does not say.
const BUCKET_SECONDS: f64 = 300.0;
/// The most buckets of one answer.
const MOST_BUCKETS: u64 = 10_000;
/// The most agents, and the most types, of one answer.
const MOST_ROWS: usize = 1_000;

/// Input of `message.stats`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stats {
    /// Only messages about this task.
    #[serde(default)]
    pub task_id: Option<String>,
    /// Only messages of this session.
    #[serde(default)]
    pub session_id: Option<String>,
    /// Only messages sent at this time or later.
    #[serde(default)]
    pub since: Option<Time>,
    /// Only messages sent before this time.
    #[serde(default)]
    pub until: Option<Time>,
    /// Seconds of a bucket, 1 to 31,622,400; 300 when left out.
    #[serde(default)]
    pub bucket_seconds: Option<f64>,
}

/// Answer of `message.stats`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StatsOf {
    /// How many messages there are.
    pub total: u64,
    /// How many of them were for all.
    pub broadcasts: u64,
    /// By type, the most frequent first; at most 1,000 types.
    pub by_type: Vec<TypeStats>,
    /// By agent, the busiest first; at most 1,000 agents.
    pub by_agent: Vec<AgentStats>,
    /// Seconds of a bucket.
    pub bucket_seconds: f64,
    /// By time, oldest first; spans in which nothing was sent are left out.
    pub buckets: Vec<Bucket>,
    /// How long questions wait for their first answer.
    pub answers: AnswerTimes,
}

/// One type of messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TypeStats {
    /// The type.
    pub message_type: String,
    /// How many there are.
    pub count: u64,
    /// The first one.
    pub first: Mark,
    /// The last one.
    pub last: Mark,
}

/// A message and when it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mark {
    /// The message.
    pub message_id: String,
    /// When it was sent.
    pub timestamp: Time,
}

/// What one agent sent and got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentStats {
    /// The agent.
    pub agent_id: String,
    /// Messages that it sent.
    pub sent: u64,
    /// Messages that were for it by name.
    pub received: u64,
    /// When it sent the first one; null when it sent none.
    pub first_active: Option<Time>,
    /// When it sent the last one.
    pub last_active: Option<Time>,
}

/// A span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bucket {
    /// When it begins.
    pub start: Time,
    /// Messages sent in it.
    pub count: u64,
}

/// How long questions wait: from a message of type `question` to the first reply by someone else.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AnswerTimes {
    /// Questions that were answered.
    pub answered: u64,
    /// Questions that were not.
    pub unanswered: u64,
    /// Mean seconds; null when none was answered.
    pub mean_seconds: Option<f64>,
    /// Half were answered within this many seconds.
    pub p50_seconds: Option<f64>,
    /// 95 of 100 were answered within this many seconds.
    pub p95_seconds: Option<f64>,
}

/// What is counted while the messages pass by.
#[derive(Default)]
struct Counts {
    total: u64,
    broadcasts: u64,
    types: HashMap<String, TypeStats>,
    agents: HashMap<String, AgentStats>,
    buckets: BTreeMap<i64, u64>,
    /// Questions by id: who asked, when, and after how many seconds someone answered.
    questions: HashMap<String, (String, Time, Option<f64>)>,
}

/// What of a message is counted.
#[derive(Deserialize)]
struct Row {
    message_id: String,
    message_type: String,
    sender_id: String,
    timestamp: Time,
    reply_to: Option<String>,
    audience: Audience,
    recipient_id: Option<String>,
    recipients: Option<Vec<String>>,
}

impl Query for Stats {
    type Output = StatsOf;

    fn read(&self, cx: &Reader<'_>, by: &Principal) -> Result<StatsOf> {
        const MOST_SECONDS: f64 = 31_622_400.0;
        let bucket_seconds = self.bucket_seconds.unwrap_or(BUCKET_SECONDS);
        if !(1.0..=MOST_SECONDS).contains(&bucket_seconds) {
            let must = format!("must be from 1 to {MOST_SECONDS} seconds");
            return Err(Error::invalid("bucket_seconds", bucket_seconds, must));
        }
        let selection = Selection {
            task_id: self.task_id.as_deref(),
            session_id: self.session_id.as_deref(),
            since: self.since,
            until: self.until,
            ..Selection::default()
        };
        selection.check()?;
        let mut counts = Counts::default();
        let width = (bucket_seconds * 1000.0) as i64;
        let (sql, values) = selection.oldest_first(by.agent_id());
        let mut statement = cx.db.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            let body = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
            let row = serde_json::from_str(body)
                .map_err(|e| Error::storage(format!("the file is damaged: a message cannot be read: {e}")))?;
            counts.take(row, width)?;
        }
        Ok(counts.answer(bucket_seconds))
    }
}

impl Counts {
    fn agent(&mut self, agent_id: &str) -> &mut AgentStats {
        self.agents.entry(agent_id.to_owned()).or_insert_with(|| AgentStats {
            agent_id: agent_id.to_owned(),
            sent: 0,
            received: 0,
            first_active: None,
            last_active: None,
        })
    }

    fn take(&mut self, row: Row, width: i64) -> Result<()> {
        self.total += 1;
        self.broadcasts += u64::from(row.audience == Audience::All);
        for agent_id in row.recipients.iter().flatten().chain(&row.recipient_id) {
            self.agent(agent_id).received += 1;
        }
        let mark = Mark { message_id: row.message_id.clone(), timestamp: row.timestamp };
        let of_type = self.types.entry(row.message_type.clone()).or_insert_with(|| TypeStats {
            message_type: row.message_type.clone(),
            count: 0,
            first: mark.clone(),
            last: mark.clone(),
        });
        of_type.count += 1;
        of_type.last = mark;
        let agent = self.agent(&row.sender_id);
        agent.sent += 1;
        agent.first_active.get_or_insert(row.timestamp);
        agent.last_active = Some(row.timestamp);
        let start = row.timestamp.millis().div_euclid(width) * width;
        *self.buckets.entry(start).or_default() += 1;
        if self.buckets.len() as u64 > MOST_BUCKETS {
            let got = self.buckets.len() as u64;
            return Err(Error::field_limit("bucket_seconds", "buckets of an answer", MOST_BUCKETS, got)
                .hint("ask for longer buckets, or for a shorter span of time"));
        }
        if let Some((asker, asked, answered)) =
            row.reply_to.as_ref().and_then(|id| self.questions.get_mut(id))
            && *asker != row.sender_id
        {
            answered.get_or_insert(row.timestamp.seconds_since(*asked).max(0.0));
        }
        if row.message_type == "question" {
            self.questions.insert(row.message_id, (row.sender_id, row.timestamp, None));
        }
        Ok(())
    }

    fn answer(self, bucket_seconds: f64) -> StatsOf {
        let mut by_type: Vec<TypeStats> = self.types.into_values().collect();
        by_type.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.message_type.cmp(&b.message_type)));
        by_type.truncate(MOST_ROWS);
        let mut by_agent: Vec<AgentStats> = self.agents.into_values().collect();
        let busy = |agent: &AgentStats| agent.sent + agent.received;
        by_agent.sort_by(|a, b| busy(b).cmp(&busy(a)).then_with(|| a.agent_id.cmp(&b.agent_id)));
        by_agent.truncate(MOST_ROWS);
        let buckets = self.buckets.into_iter();
        StatsOf {
            total: self.total,
            broadcasts: self.broadcasts,
            by_type,
            by_agent,
            bucket_seconds,
            buckets: buckets
                .map(|(start, count)| Bucket { start: Time::from_millis(start), count })
                .collect(),
            answers: answer_times(self.questions.into_values().map(|(_, _, answered)| answered)),
        }
    }
}

fn answer_times(questions: impl Iterator<Item = Option<f64>>) -> AnswerTimes {
    let mut unanswered = 0;
    let mut times: Vec<f64> = questions
        .filter_map(|answered| {
            unanswered += u64::from(answered.is_none());
            answered
        })
        .collect();
    times.sort_by(f64::total_cmp);
    // The nearest rank: the smallest time within which that share was answered.
    let share = |share: f64| {
        let rank = (times.len() as f64 * share).ceil() as usize;
        times.get(rank.saturating_sub(1)).copied()
    };
    let mean = times.iter().sum::<f64>() / times.len() as f64;
    AnswerTimes {
        answered: times.len() as u64,
        unanswered,
        mean_seconds: (!times.is_empty()).then_some(mean),
        p50_seconds: share(0.5),
        p95_seconds: share(0.95),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_times_that_were_measured() {
        let times = answer_times((1..=100).map(|seconds| Some(f64::from(seconds))).chain([None]));
        assert_eq!((times.answered, times.unanswered), (100, 1));
        assert_eq!(times.mean_seconds, Some(50.5));
        assert_eq!((times.p50_seconds, times.p95_seconds), (Some(50.0), Some(95.0)));
        assert_eq!(answer_times([None].into_iter()).mean_seconds, None);
    }
}
