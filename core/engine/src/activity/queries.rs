//! Reading the feed, and the summary of everyone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::filter::filtered;
use super::rows::FeedReader;
use super::{Activity, index};
use crate::agents::summary::{self, StatusSummary};
use crate::error::Result;
use crate::hub::{Check, Scope};
use crate::lists;
use crate::operations::Compose;

filtered! {
    /// Input of `activity.feed`. Fields left out match everything; those given must all match.
    pub struct Feed {
        /// At most this many, 1 to 1,000; 100 when left out.
        #[serde(default)]
        pub limit: Option<u64>,
        /// The `next_cursor` of the page before.
        #[serde(default)]
        pub cursor: Option<String>,
        /// At most this many tokens, reckoned as bytes of JSON / 4: the newest that fit.
        #[serde(default)]
        pub max_tokens: Option<u64>,
    }
}

/// A page of the feed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ActivityPage {
    /// The activities, newest first.
    pub activities: Vec<Activity>,
    /// How many of the page were left out for `max_tokens`; `next_cursor` goes on with them.
    pub left_out: u64,
    /// Give this as `cursor` for the next page; null at the end.
    pub next_cursor: Option<String>,
}

impl Compose for Feed {
    type Output = ActivityPage;

    fn compose(self, scope: &Scope<'_>, _: &mut Check<'_>) -> Result<ActivityPage> {
        let size = lists::page_size(self.limit)?;
        let before = lists::seq_place(self.cursor.as_deref())?.unwrap_or(u64::MAX);
        let mut reader = FeedReader::new(scope.core, scope.by, self.filter())?;
        index::catch_up(scope.core)?;
        // One more than is wanted tells whether there is a next page.
        let mut found = reader.newest(before, size + 1)?;
        let more = found.activities.len() > size;
        found.activities.truncate(size);
        let page = lists::page(found.activities, more, self.max_tokens, |last| last.seq.to_string())?;
        // Where little may be seen, a page ends before it is full.
        let looked_to = found.looked_to.filter(|_| !more).map(|seq| lists::cursor(&seq.to_string()));
        Ok(ActivityPage {
            activities: page.items,
            left_out: page.left_out,
            next_cursor: page.next_cursor.or(looked_to),
        })
    }
}

/// Input of `activity.status`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Status {}

impl Compose for Status {
    type Output = StatusSummary;

    fn compose(self, scope: &Scope<'_>, _: &mut Check<'_>) -> Result<StatusSummary> {
        summary::now(scope.core)
    }
}
