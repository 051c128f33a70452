//! Fan-out: each event to the subscriptions that want it.
//!
//! Subscriptions are indexed by what they ask for most narrowly (a task, a session, an agent, a key prefix, a kind), so
//! that an event costs the same however many idle ones there are. An event is pushed to bounded queues; a queue that is
//! full is dropped whole and its subscription reads on from the log. Events of other processes come from the log too.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use folkmoot_sys::sync::Mutex;

use crate::core::Core;
use crate::error::{Error, Result};
use crate::events::event::Event;
use crate::events::filter::{Filter, in_tree};
use crate::events::subscription::Shared;
use crate::log;

/// How many events are read from the log at once.
pub(crate) const PAGE: usize = 512;

/// The subscriptions of one hub in this process.
#[derive(Default)]
pub(crate) struct Publisher {
    state: Mutex<State>,
    count: AtomicUsize,
    /// The commit counter at which everything that was committed had been handed out.
    settled: AtomicU64,
}

#[derive(Default)]
struct State {
    /// The last `seq` that was handed out; holds while there are subscriptions.
    last: u64,
    index: Index,
    next_id: u64,
}

impl Publisher {
    /// Whether anyone listens in this process.
    pub fn has_subscribers(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// How many listen in this process.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Adds a subscription; answers its id and the `seq` from which it hears live.
    ///
    /// It is counted before the end of the log is read, so that whatever is committed later is collected for it.
    pub fn add(&self, core: &Core, shared: &Arc<Shared>) -> Result<(u64, u64)> {
        let most = core.config.max_subscriptions;
        let mut state = self.state.lock();
        let count = self.count.fetch_add(1, Ordering::AcqRel) as u64;
        if count >= most {
            self.count.fetch_sub(1, Ordering::AcqRel);
            return Err(Error::limit("subscriptions of a hub", most, count + 1));
        }
        let head = match core.storage.read(|reader| log::head(reader.db)) {
            Ok(head) => head,
            Err(error) => {
                self.count.fetch_sub(1, Ordering::AcqRel);
                return Err(error);
            }
        };
        if count == 0 {
            state.last = head.seq;
        } else if head.seq > state.last {
            let error = self.fill(core, &mut state, head.seq).err();
            if let Some(error) = error {
                self.count.fetch_sub(1, Ordering::AcqRel);
                return Err(error);
            }
        }
        state.next_id += 1;
        let id = state.next_id;
        shared.begin(state.last);
        state.index.insert(id, shared);
        Ok((id, state.last))
    }

    /// Takes a subscription out.
    pub fn remove(&self, id: u64, filter: &Filter) {
        if self.state.lock().index.remove(id, filter) {
            self.count.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Hands out a batch that this process has just committed, up to `last`, leaving the commit counter at `counter`.
    pub fn publish(&self, core: &Core, events: Vec<Arc<Event>>, last: u64, counter: u64) {
        if !self.has_subscribers() {
            return;
        }
        let mut state = self.state.lock();
        if last <= state.last {
            return;
        }
        let next = state.last + 1;
        let whole =
            events.first().is_some_and(|event| event.seq == next) && events.len() as u64 == last - state.last;
        if whole {
            state.last = last;
            events.iter().for_each(|event| state.index.push(event));
        } else if let Err(error) = self.fill(core, &mut state, last) {
            tracing::warn!(%error, "events could not be read back; subscribers hear them later");
            return;
        }
        self.settled.store(counter, Ordering::Release);
    }

    /// Hands out what other processes have committed.
    pub fn catch_up(&self, core: &Core) -> Result<()> {
        if !self.has_subscribers() {
            return Ok(());
        }
        // A commit of this process wakes this one too; what it wrote was handed out already.
        let counter = core.storage.counter();
        if counter == self.settled.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut state = self.state.lock();
        let head = core.storage.read(|reader| log::head(reader.db))?;
        if head.seq > state.last {
            self.fill(core, &mut state, head.seq)?;
        }
        // During a commit the counter is odd, and what it stands for is not known yet.
        if counter.is_multiple_of(2) {
            self.settled.store(counter, Ordering::Release);
        }
        Ok(())
    }

    /// Hands a frame without a `seq` to whoever listens for its kind.
    pub fn announce(&self, frame: &Arc<Event>) {
        self.state.lock().index.push(frame);
    }

    /// Lets a subscription go live if it has read the log up to what was handed out.
    pub fn go_live(&self, read_to: u64, switch: impl FnOnce()) -> bool {
        let state = self.state.lock();
        let live = read_to >= state.last;
        if live {
            switch();
        }
        live
    }

    /// The last `seq` that was handed out.
    pub fn last(&self) -> u64 {
        self.state.lock().last
    }

    /// Wakes everyone, for the hub is closing.
    pub fn close(&self) {
        self.state.lock().index.for_each(|shared| shared.close());
    }

    fn fill(&self, core: &Core, state: &mut State, upto: u64) -> Result<()> {
        while state.last < upto {
            let events =
                core.storage.read(|reader| log::read(reader.db, core.storage.hub_id, state.last, PAGE))?;
            let Some(last) = events.last().map(|event| event.seq) else { break };
            for event in events {
                state.index.push(&Arc::new(event));
            }
            state.last = last;
        }
        state.last = state.last.max(upto);
        Ok(())
    }
}

/// Which subscriptions to look at for an event.
#[derive(Default)]
struct Index {
    buckets: HashMap<Bucket, Vec<(u64, Arc<Shared>)>>,
    /// Lengths of the key prefixes that are asked for, with how many ask.
    prefix_lengths: HashMap<usize, usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Bucket {
    Task(String),
    Session(String),
    Correlation(String),
    Agent(String),
    Prefix(String),
    Type(String),
    /// The tree of a task.
    Execution(String),
    /// An exact kind, or the stem of a glob (`task.`).
    Kind(String),
    All,
}

/// The buckets a filter stands in: those of its narrowest part.
fn buckets(filter: &Filter) -> Vec<Bucket> {
    if let Some(task) = &filter.task_id {
        return vec![Bucket::Task(task.clone())];
    }
    if let Some(task) = &filter.execution_id {
        return vec![Bucket::Task(task.clone()), Bucket::Execution(task.clone())];
    }
    if let Some(correlation) = &filter.correlation_id {
        return vec![Bucket::Correlation(correlation.clone())];
    }
    if let Some(session) = &filter.session_id {
        return vec![Bucket::Session(session.clone())];
    }
    if !filter.agents.is_empty() {
        return filter.agents.iter().cloned().map(Bucket::Agent).collect();
    }
    if let Some(prefix) = &filter.key_prefix {
        return vec![Bucket::Prefix(prefix.clone())];
    }
    if !filter.event_types.is_empty() {
        return filter.event_types.iter().cloned().map(Bucket::Type).collect();
    }
    if filter.kinds.is_empty() || filter.kinds.iter().any(|kind| kind == "*") {
        return vec![Bucket::All];
    }
    filter.kinds.iter().map(|kind| Bucket::Kind(kind.trim_end_matches('*').to_owned())).collect()
}

impl Index {
    fn insert(&mut self, id: u64, shared: &Arc<Shared>) {
        for bucket in buckets(&shared.filter) {
            if let Bucket::Prefix(prefix) = &bucket {
                *self.prefix_lengths.entry(prefix.len()).or_default() += 1;
            }
            self.buckets.entry(bucket).or_default().push((id, shared.clone()));
        }
    }

    fn remove(&mut self, id: u64, filter: &Filter) -> bool {
        let mut found = false;
        for bucket in buckets(filter) {
            let Some(list) = self.buckets.get_mut(&bucket) else { continue };
            let before = list.len();
            list.retain(|(other, _)| *other != id);
            let gone = list.len() < before;
            found |= gone;
            if list.is_empty() {
                self.buckets.remove(&bucket);
            }
            if let (Bucket::Prefix(prefix), true) = (&bucket, gone) {
                let length = prefix.len();
                let left = self.prefix_lengths.get(&length).copied().unwrap_or(1) - 1;
                if left == 0 {
                    self.prefix_lengths.remove(&length);
                } else {
                    self.prefix_lengths.insert(length, left);
                }
            }
        }
        found
    }

    fn push(&self, event: &Arc<Event>) {
        let place = &event.place;
        self.push_bucket(Bucket::All, event);
        if let Some(task) = &place.task_id {
            self.push_bucket(Bucket::Task(task.clone()), event);
        }
        if let Some(correlation) = &place.correlation_id {
            self.push_bucket(Bucket::Correlation(correlation.clone()), event);
        }
        if let Some(session) = &place.session_id {
            self.push_bucket(Bucket::Session(session.clone()), event);
        }
        if place.target_agents.iter().any(|target| target == "*") {
            self.push_everyone(event);
        } else {
            for agent in place.agent_id.iter().chain(&place.target_agents) {
                self.push_bucket(Bucket::Agent(agent.clone()), event);
            }
        }
        if let Some(subject) = &place.subject {
            if event.kind.starts_with("memory.") {
                for length in self.prefix_lengths.keys() {
                    if let Some(prefix) = subject.get(..*length) {
                        self.push_bucket(Bucket::Prefix(prefix.to_owned()), event);
                    }
                }
            } else if in_tree(&event.kind) {
                self.push_bucket(Bucket::Execution(subject.clone()), event);
            } else {
                self.push_bucket(Bucket::Type(subject.clone()), event);
            }
        }
        if let Some(stem) = event.kind.find('.').and_then(|dot| event.kind.get(..=dot)) {
            self.push_bucket(Bucket::Kind(stem.to_owned()), event);
        }
        self.push_bucket(Bucket::Kind(event.kind.clone().into_owned()), event);
    }

    /// An event for all agents concerns whoever listens for any.
    fn push_everyone(&self, event: &Arc<Event>) {
        for (bucket, list) in &self.buckets {
            if matches!(bucket, Bucket::Agent(_)) {
                list.iter().for_each(|(_, shared)| shared.offer(event));
            }
        }
    }

    fn push_bucket(&self, bucket: Bucket, event: &Arc<Event>) {
        if let Some(list) = self.buckets.get(&bucket) {
            list.iter().for_each(|(_, shared)| shared.offer(event));
        }
    }

    fn for_each(&self, f: impl Fn(&Shared)) {
        self.buckets.values().flatten().for_each(|(_, shared)| f(shared));
    }
}
