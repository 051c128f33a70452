//! Reading the feed: from its indexes, and past their end from the log.

use rusqlite::{Row, params_from_iter};

use super::filter::{ActivityFilter, Judge};
use super::selection::{ENTRIES, Span, statement};
use super::{Activity, index, tables, view};
use crate::core::Core;
use crate::error::Result;
use crate::events::event::Event;
use crate::log;
use crate::memory::access::Viewer;
use crate::principal::Principal;
use crate::storage::Reader;

/// Rows looked at for one page, although those who ask may see few of them.
const MOST_LOOKED_AT: usize = 20_000;
/// Events read from the log at once.
const STEP: usize = 200;

/// What a reader got, and how far it looked.
pub(crate) struct Found {
    pub activities: Vec<Activity>,
    /// The last `seq` that was looked at; `None` when there is no more.
    pub looked_to: Option<u64>,
}

/// Someone who reads the feed with a filter.
pub(crate) struct FeedReader<'a> {
    core: &'a Core,
    /// Whether the reader is an agent, who may not see everything.
    judged: bool,
    filter: ActivityFilter,
    judge: Judge,
    viewer: Viewer,
}

impl<'a> FeedReader<'a> {
    pub fn new(core: &'a Core, by: &Principal, filter: ActivityFilter) -> Result<FeedReader<'a>> {
        let judge = Judge::new(filter.clone())?;
        let viewer = Viewer::new(by.clone());
        Ok(FeedReader { core, judged: by.agent_id().is_some(), filter, judge, viewer })
    }

    /// The newest activities before this `seq`, newest first, at most `size`.
    pub fn newest(&mut self, before: u64, size: usize) -> Result<Found> {
        self.snapshot(|reader, mine| {
            let fed = index::upto(reader.db)?;
            let mut found = Found { activities: Vec::new(), looked_to: Some(before) };
            let from = fed.saturating_add(1);
            if before > from {
                mine.add_logged(reader, (fed, before), true, size, &mut found)?;
                if found.activities.len() == size || found.looked_to.is_some_and(|at| at > from) {
                    return Ok(found);
                }
            }
            mine.add_indexed(reader, Span::Before(before.min(from)), size, &mut found)?;
            Ok(found)
        })
    }

    /// The oldest activities after one `seq` and up to another, oldest first, at most `size`.
    pub fn oldest(&mut self, after: u64, upto: u64, size: usize) -> Result<Found> {
        self.snapshot(|reader, mine| {
            let fed = index::upto(reader.db)?;
            let mut found = Found { activities: Vec::new(), looked_to: Some(after) };
            if after < fed {
                mine.add_indexed(reader, Span::Between(after, upto.min(fed)), size, &mut found)?;
                if found.looked_to.is_some() {
                    return Ok(found);
                }
            }
            found.looked_to = Some(after.max(fed));
            let beyond = (after.max(fed), upto.saturating_add(1));
            mine.add_logged(reader, beyond, false, size, &mut found)?;
            if found.looked_to.is_some_and(|at| at >= upto) {
                found.looked_to = None;
            }
            Ok(found)
        })
    }

    /// Hands each row of a statement over the feed's indexes to `take` that this reader may see.
    pub fn each_indexed(
        &mut self,
        columns: &str,
        span: Span,
        mut take: impl FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        self.snapshot(|reader, mine| {
            let statement = statement(&mine.filter, columns, span)?;
            let mut prepared = reader.db.prepare_cached(&statement.sql)?;
            let mut rows = prepared.query(params_from_iter(&statement.values))?;
            while let Some(row) = rows.next()? {
                if mine.may_see(row)? {
                    take(row)?;
                }
            }
            Ok(())
        })
    }

    fn snapshot<T>(&mut self, read: impl FnOnce(&Reader<'_>, &mut Self) -> Result<T>) -> Result<T> {
        self.core.storage.read(|reader| read(reader, self))
    }

    /// Whether a row of the index may be seen, by the same rule as the event that it stands for.
    fn may_see(&mut self, row: &Row<'_>) -> Result<bool> {
        let Some(kind) = row.get::<_, Option<String>>(1)?.filter(|_| self.judged) else { return Ok(true) };
        let body = row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?;
        let mut place = tables::read(body)?.place();
        place.subject = row.get(2)?;
        if row.get(3)? {
            place.target_agents.push("*".to_owned());
        }
        self.viewer.may_see_of(self.core, &kind, &place)
    }

    fn add_indexed(&mut self, reader: &Reader<'_>, span: Span, size: usize, found: &mut Found) -> Result<()> {
        let statement = statement(&self.filter, ENTRIES, span)?;
        let mut prepared = reader.db.prepare_cached(&statement.sql)?;
        let mut rows = prepared.query(params_from_iter(&statement.values))?;
        let mut looked_at = 0;
        while found.activities.len() < size && looked_at < MOST_LOOKED_AT {
            let Some(row) = rows.next()? else {
                found.looked_to = None;
                return Ok(());
            };
            looked_at += 1;
            found.looked_to = Some(row.get::<_, i64>(0)? as u64);
            if !self.may_see(row)? {
                continue;
            }
            let own = row.get_ref(4)?.as_str_or_null().map_err(rusqlite::Error::from)?;
            let recorded = row.get_ref(5)?.as_str_or_null().map_err(rusqlite::Error::from)?;
            if let Some(body) = own.or(recorded) {
                found.activities.push(tables::read(body)?);
            }
        }
        Ok(())
    }

    /// Activities of the events between two `seq`, both left out, which no index knows yet.
    fn add_logged(
        &mut self,
        reader: &Reader<'_>,
        (mut after, mut before): (u64, u64),
        newest_first: bool,
        size: usize,
        found: &mut Found,
    ) -> Result<()> {
        let mut looked_at = 0;
        while found.activities.len() < size && looked_at < MOST_LOOKED_AT {
            let hub = self.core.storage.hub_id;
            let events = log::read_durable(reader.db, hub, (after, before), newest_first, STEP)?;
            let last_step = events.len() < STEP;
            for event in &events {
                if found.activities.len() == size {
                    return Ok(());
                }
                looked_at += 1;
                found.looked_to = Some(event.seq);
                if let Some(activity) = self.entry(reader, event)? {
                    found.activities.push(activity);
                }
            }
            match events.last().map(|event| event.seq) {
                Some(seq) if newest_first => before = seq,
                Some(seq) => after = seq,
                None => {}
            }
            if last_step {
                // Newest first, the index goes on from here; oldest first, this was the end.
                found.looked_to = newest_first.then_some(after + 1);
                return Ok(());
            }
        }
        Ok(())
    }

    /// The entry of an event, as it stands now, if it is wanted and may be seen.
    fn entry(&mut self, reader: &Reader<'_>, event: &Event) -> Result<Option<Activity>> {
        if event.kind == super::events::COMPLETED {
            return Ok(None);
        }
        let entry = match event.kind == super::events::RECORDED {
            true => tables::by_seq(reader.db, event.seq)?,
            false => view::of_event(event, |id| tables::department(reader.db, id))?,
        };
        let Some(activity) = entry else { return Ok(None) };
        let seen = self.judge.wants(&activity)? && self.viewer.may_see(self.core, event)?;
        Ok(seen.then_some(activity))
    }
}
