//! Threads for calls that wait, on behalf of event loops. Grown when all are busy, kept for a while when idle.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use folkmoot_sys::sync::{Condvar, Mutex};

/// The most threads of one hub; what comes beyond waits for one to be free.
const MOST: usize = 512;
const IDLE: Duration = Duration::from_secs(10);

type Work = Box<dyn FnOnce() + Send>;

/// A pool of threads that belongs to one hub (a forked child must not find its parent's).
#[derive(Default)]
pub(crate) struct Pool {
    state: Mutex<State>,
    more: Condvar,
}

#[derive(Default)]
struct State {
    work: VecDeque<Work>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl Pool {
    /// Runs something on a thread of the pool.
    pub fn run(self: &Arc<Pool>, work: impl FnOnce() + Send + 'static) {
        let mut state = self.state.lock();
        state.work.push_back(Box::new(work));
        if state.idle >= state.work.len() {
            self.more.notify_one();
        } else if state.threads < MOST {
            state.threads += 1;
            let pool = self.clone();
            let started =
                std::thread::Builder::new().name("folkmoot-pool".to_owned()).spawn(move || pool.serve());
            if started.is_err() {
                state.threads -= 1;
            }
        }
    }

    /// Lets idle threads end; work that was handed in is still done.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.more.notify_all();
    }

    fn serve(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(work) = state.work.pop_front() {
                drop(state);
                work();
                state = self.state.lock();
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let timed_out = self.more.wait_for(&mut state, IDLE).timed_out();
            state.idle -= 1;
            if timed_out && state.work.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}
