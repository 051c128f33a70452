//! Which activities a feed, its statistics, an export or a follower are about.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Activity;
use super::words::Words;
use crate::clock::Time;
use crate::error::Result;
use crate::events::filter::Filter;
use crate::{id, search};

/// Makes an input that has, beside its own fields, those of a filter over activities.
macro_rules! filtered {
    ($(#[$meta:meta])* pub struct $name:ident { $( $(#[$of:meta])* pub $field:ident: $kind:ty, )* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $( $(#[$of])* pub $field: $kind, )*
            /// Who did it.
            #[serde(default)]
            pub agent_id: Option<String>,
            /// The department it was done for.
            #[serde(default)]
            pub department: Option<String>,
            /// Its type.
            #[serde(default)]
            pub activity_type: Option<String>,
            /// The session it was done in.
            #[serde(default)]
            pub session_id: Option<String>,
            /// The task it is about.
            #[serde(default)]
            pub task_id: Option<String>,
            /// An agent that it concerns beside the one who did it.
            #[serde(default)]
            pub related_agent: Option<String>,
            /// Begun at this time or later.
            #[serde(default)]
            pub since: Option<$crate::clock::Time>,
            /// Begun before this time.
            #[serde(default)]
            pub until: Option<$crate::clock::Time>,
            /// Only those that go on (true) or that do not (false).
            #[serde(default)]
            pub open: Option<bool>,
            /// Words that must all be in the type or the metadata; `word*` for beginnings.
            #[serde(default)]
            pub query: Option<String>,
        }

        impl $name {
            /// The part that says which activities.
            pub fn filter(&self) -> $crate::activity::ActivityFilter {
                $crate::activity::ActivityFilter {
                    agent_id: self.agent_id.clone(),
                    department: self.department.clone(),
                    activity_type: self.activity_type.clone(),
                    session_id: self.session_id.clone(),
                    task_id: self.task_id.clone(),
                    related_agent: self.related_agent.clone(),
                    since: self.since,
                    until: self.until,
                    open: self.open,
                    query: self.query.clone(),
                }
            }
        }
    };
}
pub(crate) use filtered;

/// A filter over activities. Fields left out match everything; those given must all match.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ActivityFilter {
    /// Who did it.
    pub agent_id: Option<String>,
    /// The department it was done for.
    pub department: Option<String>,
    /// Its type.
    pub activity_type: Option<String>,
    /// The session it was done in.
    pub session_id: Option<String>,
    /// The task it is about.
    pub task_id: Option<String>,
    /// An agent that it concerns beside the one who did it.
    pub related_agent: Option<String>,
    /// Begun at this time or later.
    pub since: Option<Time>,
    /// Begun before this time.
    pub until: Option<Time>,
    /// Only those that go on (true) or that do not (false).
    pub open: Option<bool>,
    /// Words that must all be in the type or the metadata; `word*` for beginnings.
    pub query: Option<String>,
}

impl ActivityFilter {
    /// Refuses what no activity can match.
    pub fn check(&self) -> Result<()> {
        for (field, name) in [
            ("agent_id", &self.agent_id),
            ("department", &self.department),
            ("activity_type", &self.activity_type),
            ("session_id", &self.session_id),
            ("task_id", &self.task_id),
            ("related_agent", &self.related_agent),
        ] {
            id::check_optional(field, name.as_deref())?;
        }
        self.fts().map(drop)
    }

    /// The words that are looked for, as a query of full-text search.
    pub(crate) fn fts(&self) -> Result<Option<String>> {
        self.query.as_deref().map(|query| search::fts_query("query", query)).transpose()
    }

    /// The filter over events that lets every event of such an activity through, and others.
    pub(crate) fn of_events(&self) -> Filter {
        Filter {
            kinds: super::view::kinds(),
            agents: self.agent_id.iter().cloned().collect(),
            session_id: self.session_id.clone(),
            task_id: self.task_id.clone(),
            ..Filter::default()
        }
    }
}

/// A filter with what it takes to judge activities one by one.
pub(crate) struct Judge {
    filter: ActivityFilter,
    words: Option<Words>,
}

impl Judge {
    pub fn new(filter: ActivityFilter) -> Result<Judge> {
        filter.check()?;
        let words = filter.fts()?.map(Words::new).transpose()?;
        Ok(Judge { filter, words })
    }

    /// Whether the activity is wanted.
    pub fn wants(&self, activity: &Activity) -> Result<bool> {
        let wanted = &self.filter;
        let same = |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || wanted == is;
        let fits = same(&wanted.agent_id, &activity.agent_id)
            && same(&wanted.department, &activity.department)
            && wanted.activity_type.as_ref().is_none_or(|kind| *kind == activity.activity_type)
            && same(&wanted.session_id, &activity.session_id)
            && same(&wanted.task_id, &activity.task_id)
            && wanted.related_agent.as_ref().is_none_or(|id| activity.related_agents.contains(id))
            && wanted.since.is_none_or(|since| activity.timestamp >= since)
            && wanted.until.is_none_or(|until| activity.timestamp < until)
            && wanted.open.is_none_or(|open| open == activity.open);
        match &self.words {
            Some(words) if fits => words.are_in(activity),
            _ => Ok(fits),
        }
    }
}
