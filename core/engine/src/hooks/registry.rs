//! The hooks of one process, by name.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use folkmoot_sys::sync::RwLock;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Handler, Hook, OnError, Point};
use crate::error::{Error, Result};
use crate::events::filter::{Filter, kind_matches};
use crate::operations::{self, OPERATIONS};
use crate::pool::Pool;

/// The most hooks of one process.
const MOST: usize = 1_000;

/// A hook that is registered.
pub(crate) struct Registered {
    pub hook: Hook,
    pub handler: Handler,
    pub counters: Counters,
    /// Calls that were given up and have not come back.
    pub hanging: AtomicU32,
    /// Its number: no other hook ever has it.
    pub order: u64,
    gone: AtomicBool,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub calls: AtomicU64,
    pub refused: AtomicU64,
    pub changed: AtomicU64,
    pub failed: AtomicU64,
    pub timed_out: AtomicU64,
}

/// How a hook of this process fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HookStats {
    /// Its name.
    pub name: String,
    /// Where it is called.
    pub point: Point,
    /// The operations or kinds it is called for.
    pub pattern: String,
    /// What a before hook that fails does to the call.
    pub on_error: OnError,
    /// How often it was called.
    pub calls: u64,
    /// How often it refused.
    pub refused: u64,
    /// How often it changed the input.
    pub changed: u64,
    /// How often it failed, with the calls that were given up among them.
    pub failed: u64,
    /// How often it was given up, for its time was over.
    pub timed_out: u64,
}

impl Registered {
    /// Refuses to go on once the hook was taken away.
    pub fn check_there(&self) -> Result<()> {
        if self.gone.load(Ordering::Acquire) {
            return Err(Error::unavailable(format!("hook {:?} was taken away", self.hook.name)));
        }
        Ok(())
    }

    fn stats(&self) -> HookStats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HookStats {
            name: self.hook.name.clone(),
            point: self.hook.point,
            pattern: self.hook.pattern.clone(),
            on_error: self.hook.on_error,
            calls: count(&self.counters.calls),
            refused: count(&self.counters.refused),
            changed: count(&self.counters.changed),
            failed: count(&self.counters.failed),
            timed_out: count(&self.counters.timed_out),
        }
    }
}

/// The hooks of one hub in this process.
#[derive(Default)]
pub(crate) struct Hooks {
    /// Whether any operation is hooked: all that a call looks at where there are no hooks.
    armed: AtomicBool,
    any: AtomicBool,
    state: RwLock<State>,
    /// Runs functions of this language; a hook that hangs must not keep the engine's own threads.
    pub pool: Arc<Pool>,
}

#[derive(Default)]
struct State {
    all: BTreeMap<String, Arc<Registered>>,
    /// Hooks by operation, in the order of their registration.
    before: HashMap<&'static str, Vec<Arc<Registered>>>,
    next: u64,
    closed: bool,
}

impl Hooks {
    /// Adds a hook.
    pub fn add(&self, hook: Hook, handler: Handler) -> Result<Arc<Registered>> {
        hook.check()?;
        check_pattern(&hook)?;
        let mut state = self.state.write();
        if state.closed {
            return Err(Error::unavailable("this hub is closed").with("reason", "closed"));
        }
        if state.all.contains_key(&hook.name) {
            return Err(Error::already_exists("hook", &hook.name)
                .hint("give it another name, or take the other one away first"));
        }
        if state.all.len() >= MOST {
            return Err(Error::limit("hooks of a process", MOST as u64, MOST as u64 + 1));
        }
        state.next += 1;
        let registered = Arc::new(Registered {
            order: state.next,
            handler,
            counters: Counters::default(),
            hanging: AtomicU32::new(0),
            gone: AtomicBool::new(false),
            hook,
        });
        state.all.insert(registered.hook.name.clone(), registered.clone());
        self.rearm(&mut state);
        Ok(registered)
    }

    /// Takes a hook away; answers whether it was there.
    pub fn remove(&self, name: &str) -> bool {
        let mut state = self.state.write();
        let Some(hook) = state.all.remove(name) else { return false };
        hook.gone.store(true, Ordering::Release);
        self.rearm(&mut state);
        true
    }

    /// Takes a hook away unless another one has its name by now.
    pub fn remove_own(&self, name: &str, order: u64) {
        let own = self.state.read().all.get(name).is_some_and(|hook| hook.order == order);
        if own {
            self.remove(name);
        }
    }

    /// Takes all hooks away: no more calls wait for one.
    pub fn close(&self) {
        let mut state = self.state.write();
        state.closed = true;
        for hook in std::mem::take(&mut state.all).into_values() {
            hook.gone.store(true, Ordering::Release);
        }
        self.rearm(&mut state);
        self.pool.close();
    }

    fn rearm(&self, state: &mut State) {
        state.before.clear();
        let mut hooks: Vec<_> =
            state.all.values().filter(|hook| hook.hook.point == Point::Before).cloned().collect();
        hooks.sort_by_key(|hook| hook.order);
        self.any.store(!state.all.is_empty(), Ordering::Release);
        self.armed.store(!hooks.is_empty(), Ordering::Release);
        for operation in OPERATIONS {
            let fit = |hook: &&Arc<Registered>| kind_matches(&hook.hook.pattern, operation.name);
            let fits: Vec<_> = hooks.iter().filter(fit).cloned().collect();
            if !fits.is_empty() {
                state.before.insert(operation.name, fits);
            }
        }
    }

    /// Whether there are any hooks.
    pub fn any(&self) -> bool {
        self.any.load(Ordering::Acquire)
    }

    /// The hooks to ask before an operation.
    pub fn before(&self, operation: &str) -> Option<Vec<Arc<Registered>>> {
        if !self.armed.load(Ordering::Acquire) {
            return None;
        }
        self.state.read().before.get(operation).cloned()
    }

    /// Whether any hook is asked before an operation.
    pub fn hooked(&self, operation: &str) -> bool {
        self.armed.load(Ordering::Acquire) && self.state.read().before.contains_key(operation)
    }

    /// The plug-in of this name, or the one that was registered first.
    pub fn plug_in(&self, point: Point, name: Option<&str>) -> Option<Arc<Registered>> {
        let state = self.state.read();
        match name {
            Some(name) => state.all.get(name).filter(|hook| hook.hook.point == point).cloned(),
            None => {
                let of_point = state.all.values().filter(|hook| hook.hook.point == point);
                of_point.min_by_key(|hook| hook.order).cloned()
            }
        }
    }

    /// How each hook fares, by name.
    pub fn stats(&self) -> Vec<HookStats> {
        self.state.read().all.values().map(|hook| hook.stats()).collect()
    }
}

/// Refuses a pattern that nothing fits.
fn check_pattern(hook: &Hook) -> Result<()> {
    match hook.point {
        Point::Before => {
            let pattern = hook.pattern.as_str();
            let Some(stem) = pattern.strip_suffix('*') else { return operations::find(pattern).map(drop) };
            let whole = stem.is_empty() || stem.ends_with('.');
            if whole && OPERATIONS.iter().any(|operation| operation.name.starts_with(stem)) {
                return Ok(());
            }
            Err(Error::invalid("operations", pattern, "fits no operation")
                .hint("name an operation, all of a noun (`task.*`), or `*`"))
        }
        Point::After => Filter::kinds([hook.pattern.as_str()]).check(),
        Point::Summarizer | Point::Collector => Ok(()),
    }
}
