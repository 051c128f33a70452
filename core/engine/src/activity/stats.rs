//! Analytics: how many activities of what, by whom and when, and how long they take.

use std::collections::{BTreeMap, HashMap};

use rusqlite::Row;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::filtered;
use super::rows::FeedReader;
use super::selection::{FIGURES, Span};
use super::{Activity, index};
use crate::clock::Time;
use crate::error::{Error, Result};
use crate::hub::{Check, Scope};
use crate::operations::Compose;

/// Seconds of a bucket when the call does not say.
const BUCKET_SECONDS: f64 = 300.0;
/// The most buckets of one answer.
const MOST_BUCKETS: u64 = 10_000;
/// The most agents, types and departments of one answer.
const MOST_ROWS: usize = 1_000;
/// Activities read at once where no index knows them yet.
const CHUNK: usize = 500;

filtered! {
    /// Input of `activity.stats`. Fields left out match everything; those given must all match.
    pub struct Stats {
        /// Seconds of a bucket, 1 to 31,622,400; 300 when left out.
        #[serde(default)]
        pub bucket_seconds: Option<f64>,
    }
}

/// Answer of `activity.stats`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ActivityStats {
    /// How many activities there are.
    pub total: u64,
    /// How many of them go on.
    pub open: u64,
    /// By type, the most frequent first; at most 1,000 types.
    pub by_type: Vec<TypeActivity>,
    /// By agent, the busiest first; at most 1,000 agents. What nobody in particular did is left out.
    pub by_agent: Vec<AgentActivity>,
    /// By department, the busiest first; at most 1,000. What was done for none is left out.
    pub by_department: Vec<DepartmentActivity>,
    /// Seconds of a bucket.
    pub bucket_seconds: f64,
    /// By time of beginning, oldest first; spans in which nothing began are left out.
    pub buckets: Vec<ActivityBucket>,
}

/// One type of activities.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TypeActivity {
    /// The type.
    pub activity_type: String,
    /// How many there are.
    pub count: u64,
    /// How many of them go on.
    pub open: u64,
    /// How many of them have a duration.
    pub timed: u64,
    /// Mean seconds that they took; null when none has a duration.
    pub mean_seconds: Option<f64>,
    /// 95 of 100 took at most this many seconds.
    pub p95_seconds: Option<f64>,
}

/// What one agent did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentActivity {
    /// The agent.
    pub agent_id: String,
    /// How many activities it began.
    pub count: u64,
    /// How many of them go on.
    pub open: u64,
    /// Seconds that those with a duration took together.
    pub busy_seconds: f64,
    /// When it began the last one.
    pub last_active: Time,
}

/// What was done for one department.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DepartmentActivity {
    /// The department.
    pub department: String,
    /// How many activities.
    pub count: u64,
    /// How many of them go on.
    pub open: u64,
}

/// Activities that began in a span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActivityBucket {
    /// When the span begins.
    pub start: Time,
    /// How many activities began in it.
    pub count: u64,
}

impl Compose for Stats {
    type Output = ActivityStats;

    fn compose(self, scope: &Scope<'_>, check: &mut Check<'_>) -> Result<ActivityStats> {
        const MOST_SECONDS: f64 = 31_622_400.0;
        let bucket_seconds = self.bucket_seconds.unwrap_or(BUCKET_SECONDS);
        if !(1.0..=MOST_SECONDS).contains(&bucket_seconds) {
            let must = format!("must be from 1 to {MOST_SECONDS} seconds");
            return Err(Error::invalid("bucket_seconds", bucket_seconds, must));
        }
        let mut reader = FeedReader::new(scope.core, scope.by, self.filter())?;
        index::catch_up(scope.core)?;
        let (fed, head) =
            scope.core.storage.read(|reader| Ok((index::upto(reader.db)?, index::head(reader.db)?)))?;
        let mut counts = Counts { width: (bucket_seconds * 1_000.0) as i64, ..Counts::default() };
        reader.each_indexed(FIGURES, Span::Between(0, fed), |row| counts.take(&Figures::of_row(row)?))?;
        let mut after = fed;
        while after < head {
            check()?;
            let found = reader.oldest(after, head, CHUNK)?;
            found.activities.iter().try_for_each(|activity| counts.take(&Figures::of(activity)))?;
            after = found.looked_to.unwrap_or(head);
        }
        Ok(counts.answer(bucket_seconds))
    }
}

/// What of an activity is counted.
struct Figures {
    time: i64,
    agent_id: Option<String>,
    department: Option<String>,
    activity_type: String,
    took_ms: Option<i64>,
    open: bool,
}

impl Figures {
    fn of_row(row: &Row<'_>) -> Result<Figures> {
        Ok(Figures {
            time: row.get(6)?,
            agent_id: row.get(7)?,
            department: row.get(8)?,
            activity_type: row.get(9)?,
            took_ms: row.get(10)?,
            open: row.get(11)?,
        })
    }

    fn of(activity: &Activity) -> Figures {
        Figures {
            time: activity.timestamp.millis(),
            agent_id: activity.agent_id.clone(),
            department: activity.department.clone(),
            activity_type: activity.activity_type.clone(),
            took_ms: activity.took_ms(),
            open: activity.open,
        }
    }
}

/// What is counted of one agent.
#[derive(Default)]
struct OfAgent {
    count: u64,
    open: u64,
    busy_ms: i64,
    last: Option<i64>,
}

/// What is counted while the activities pass by: names and durations are kept, activities are not.
#[derive(Default)]
struct Counts {
    width: i64,
    total: u64,
    open: u64,
    types: HashMap<String, (u64, u64, Vec<i64>)>,
    agents: HashMap<String, OfAgent>,
    departments: HashMap<String, (u64, u64)>,
    buckets: BTreeMap<i64, u64>,
}

impl Counts {
    fn take(&mut self, one: &Figures) -> Result<()> {
        let open = u64::from(one.open);
        self.total += 1;
        self.open += open;
        with(&mut self.types, &one.activity_type, |(count, going_on, durations)| {
            *count += 1;
            *going_on += open;
            durations.extend(one.took_ms);
        });
        if let Some(agent_id) = &one.agent_id {
            with(&mut self.agents, agent_id, |agent| {
                agent.count += 1;
                agent.open += open;
                agent.busy_ms += one.took_ms.unwrap_or(0);
                agent.last = agent.last.max(Some(one.time));
            });
        }
        if let Some(department) = &one.department {
            with(&mut self.departments, department, |(count, going_on)| {
                *count += 1;
                *going_on += open;
            });
        }
        *self.buckets.entry(one.time.div_euclid(self.width) * self.width).or_default() += 1;
        if self.buckets.len() as u64 > MOST_BUCKETS {
            let got = self.buckets.len() as u64;
            return Err(Error::field_limit("bucket_seconds", "buckets of an answer", MOST_BUCKETS, got)
                .hint("ask for longer buckets, or for a shorter span of time"));
        }
        Ok(())
    }

    fn answer(self, bucket_seconds: f64) -> ActivityStats {
        let mut by_type: Vec<TypeActivity> = self.types.into_iter().map(type_activity).collect();
        by_type.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.activity_type.cmp(&b.activity_type)));
        by_type.truncate(MOST_ROWS);
        let mut by_agent: Vec<AgentActivity> = self.agents.into_iter().map(agent_activity).collect();
        by_agent.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.agent_id.cmp(&b.agent_id)));
        by_agent.truncate(MOST_ROWS);
        let departments = self.departments.into_iter();
        let mut by_department: Vec<DepartmentActivity> = departments
            .map(|(department, (count, open))| DepartmentActivity { department, count, open })
            .collect();
        by_department.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.department.cmp(&b.department)));
        by_department.truncate(MOST_ROWS);
        let buckets = self.buckets.into_iter();
        ActivityStats {
            total: self.total,
            open: self.open,
            by_type,
            by_agent,
            by_department,
            bucket_seconds,
            buckets: buckets
                .map(|(start, count)| ActivityBucket { start: Time::from_millis(start), count })
                .collect(),
        }
    }
}

/// Changes the value of a name, made when it is new; a name that is known is not copied.
fn with<T: Default>(map: &mut HashMap<String, T>, name: &str, change: impl FnOnce(&mut T)) {
    match map.get_mut(name) {
        Some(value) => change(value),
        None => change(map.entry(name.to_owned()).or_default()),
    }
}

fn agent_activity((agent_id, of): (String, OfAgent)) -> AgentActivity {
    AgentActivity {
        agent_id,
        count: of.count,
        open: of.open,
        busy_seconds: of.busy_ms as f64 / 1_000.0,
        last_active: Time::from_millis(of.last.unwrap_or(0)),
    }
}

fn type_activity(
    (activity_type, (count, open, mut durations)): (String, (u64, u64, Vec<i64>)),
) -> TypeActivity {
    durations.sort_unstable();
    let timed = durations.len();
    // The nearest rank: the smallest duration within which that share was done.
    let rank = (timed as f64 * 0.95).ceil() as usize;
    let seconds = |ms: i64| ms as f64 / 1_000.0;
    let sum: f64 = durations.iter().map(|ms| seconds(*ms)).sum();
    TypeActivity {
        activity_type,
        count,
        open,
        timed: timed as u64,
        mean_seconds: (timed > 0).then(|| sum / timed as f64),
        p95_seconds: durations.get(rank.saturating_sub(1)).map(|ms| seconds(*ms)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_95th_of_100_is_one_that_was_measured() {
        let of = |durations| type_activity(("a".into(), (100, 0, durations)));
        let spread = of((1..=100).map(|seconds| seconds * 1_000).collect());
        assert_eq!((spread.mean_seconds, spread.p95_seconds), (Some(50.5), Some(95.0)));
        assert_eq!(of(vec![7]).p95_seconds, Some(0.007));
        assert_eq!((of(vec![]).mean_seconds, of(vec![]).p95_seconds), (None, None));
    }
}
