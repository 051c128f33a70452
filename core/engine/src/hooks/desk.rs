//! Where questions wait for a language that runs its functions on threads or loops of its own.

use std::collections::VecDeque;
use std::sync::Arc;

use folkmoot_sys::sync::{Condvar, Mutex};

use super::{Ask, Handler};

/// A queue of questions. Threads wait in [`Desk::next`]; event loops are told by their bell and [`Desk::take`] all.
pub struct Desk {
    state: Mutex<State>,
    more: Condvar,
    bell: Option<Box<dyn Fn() + Send + Sync>>,
}

#[derive(Default)]
struct State {
    asks: VecDeque<Ask>,
    closed: bool,
}

impl Desk {
    /// A desk at which threads wait.
    pub fn new() -> Arc<Desk> {
        Arc::new(Desk { state: Mutex::default(), more: Condvar::new(), bell: None })
    }

    /// A desk whose bell is rung when a question has come. The bell must not wait.
    pub fn with_bell(bell: impl Fn() + Send + Sync + 'static) -> Arc<Desk> {
        Arc::new(Desk { state: Mutex::default(), more: Condvar::new(), bell: Some(Box::new(bell)) })
    }

    /// What leaves questions here.
    pub fn handler(self: &Arc<Desk>) -> Handler {
        let desk = self.clone();
        Arc::new(move |ask| desk.put(ask))
    }

    fn put(&self, ask: Ask) {
        let mut state = self.state.lock();
        if state.closed {
            drop(state);
            return drop(ask);
        }
        state.asks.push_back(ask);
        drop(state);
        self.more.notify_one();
        if let Some(bell) = &self.bell {
            bell();
        }
    }

    /// Waits for a question that is still wanted; `None` once the desk is closed.
    pub fn next(&self) -> Option<Ask> {
        let mut state = self.state.lock();
        loop {
            match state.asks.pop_front() {
                Some(ask) if ask.is_wanted() => return Some(ask),
                Some(late) => drop(late),
                None if state.closed => return None,
                None => self.more.wait(&mut state),
            }
        }
    }

    /// The questions that wait now.
    pub fn take(&self) -> Vec<Ask> {
        let asks = std::mem::take(&mut self.state.lock().asks);
        asks.into_iter().filter(Ask::is_wanted).collect()
    }

    /// Takes no more; what waits counts as failed, and whoever waits is woken.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        let left = std::mem::take(&mut state.asks);
        drop(state);
        self.more.notify_all();
        drop(left);
    }
}
