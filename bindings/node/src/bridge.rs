//! The way back into a thread of Node: a queue, and a bell that tells Node to empty it.
//!
//! There is one bridge for each thread of JavaScript. Threads of the engine leave answers in its queue and ring. The bell
//! is a weak thread-safe function: it keeps no process alive, and it does nothing once its thread of JavaScript is gone.
//! It is rung only when Node was not told yet, so that a burst costs one wake-up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use folkmoot_engine::error::caught;
use folkmoot_engine::hooks::{Desk, with_depth};
use folkmoot_engine::{Error, HubConfig, Principal, Result};
use folkmoot_sys::sync::Mutex;
use napi::bindgen_prelude::{Either3, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;

use crate::hub::Hub;
use crate::text;

type Bell = ThreadsafeFunction<(), (), (), napi::Status, false, true>;

/// What lies in the array that [`Bridge::take`] gives: a ticket, what has come under it, and the thing itself.
type Part = Either3<f64, String, Hub>;

const RUNG: f64 = 0.0;
const ANSWER: f64 = 1.0;
const ERROR: f64 = 2.0;
const OPENED: f64 = 3.0;

#[napi]
pub struct Bridge {
    queue: Arc<Queue>,
}

pub struct Queue {
    state: Mutex<State>,
    bell: Bell,
}

#[derive(Default)]
struct State {
    last_ticket: u64,
    /// Calls under way, and whether their callers still want them.
    calls: HashMap<u64, Arc<AtomicBool>>,
    answers: Vec<(u64, Outcome)>,
    /// Tickets of subscriptions that may have something.
    rung: Vec<u64>,
    told: bool,
    /// What this thread of JavaScript has opened and not closed.
    open: HashMap<u64, folkmoot_engine::Hub>,
    /// Where questions to hooks of this thread of JavaScript wait.
    desks: Vec<Weak<Desk>>,
    ended: bool,
}

enum Outcome {
    Answer(Result<Vec<u8>>),
    Opened(folkmoot_engine::Hub),
}

impl Queue {
    pub fn ticket(&self) -> u64 {
        let mut state = self.state.lock();
        state.last_ticket += 1;
        state.last_ticket
    }

    fn put(&self, ticket: u64, outcome: Outcome) {
        let mut state = self.state.lock();
        state.calls.remove(&ticket);
        if state.ended {
            drop(state); // with it goes a hub that was opened too late: closing it takes a while
            return;
        }
        state.answers.push((ticket, outcome));
        self.tell(state);
    }

    /// Says that a subscription may have something.
    pub fn ring(&self, ticket: u64) {
        let mut state = self.state.lock();
        if !state.ended && !state.rung.contains(&ticket) {
            state.rung.push(ticket);
            self.tell(state);
        }
    }

    /// Has a desk closed when this thread of JavaScript ends: nobody is left to answer there.
    pub fn note_desk(&self, desk: &Arc<Desk>) {
        let mut state = self.state.lock();
        state.desks.retain(|desk| desk.strong_count() > 0);
        state.desks.push(Arc::downgrade(desk));
    }

    fn tell(&self, mut state: folkmoot_sys::sync::MutexGuard<'_, State>) {
        let told = std::mem::replace(&mut state.told, true);
        drop(state);
        if !told {
            // It fails only when the thread of JavaScript is ending: then nobody waits for the answer.
            self.bell.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    /// Hands an operation to the engine, as deep in hooks as its caller is; its answer comes under the ticket.
    pub fn submit(
        self: &Arc<Queue>,
        hub: &folkmoot_engine::Hub,
        by: &Principal,
        name: &str,
        input: &[u8],
        depth: u32,
    ) -> u64 {
        let wanted = Arc::new(AtomicBool::new(true));
        let ticket = self.ticket();
        self.state.lock().calls.insert(ticket, wanted.clone());
        let promise = Promise { queue: self.clone(), ticket };
        let of = hub.clone();
        let check = move || match wanted.load(Ordering::Acquire) {
            true => of.check_open(),
            false => Err(Error::unavailable("the call was cancelled")),
        };
        let submitted = caught(|| {
            let done = move |outcome| promise.keep(Outcome::Answer(outcome));
            with_depth(depth, || hub.submit(by, name, input, check, done));
            Ok(())
        });
        if let Err(error) = submitted {
            tracing::error!(%error, "an operation could not be handed in");
        }
        ticket
    }

    /// Runs something that may wait on a thread of its own; its answer comes under the ticket.
    pub fn away(self: &Arc<Queue>, work: impl FnOnce() -> Result<Vec<u8>> + Send + 'static) -> u64 {
        self.on_thread(move || caught(work).map(|answer| Outcome::Answer(Ok(answer))))
    }

    fn on_thread(self: &Arc<Queue>, work: impl FnOnce() -> Result<Outcome> + Send + 'static) -> u64 {
        let ticket = self.ticket();
        let promise = Promise { queue: self.clone(), ticket };
        let thread = std::thread::Builder::new().name("folkmoot-node".to_owned());
        let started = thread.spawn(move || {
            promise.keep(work().unwrap_or_else(|error| Outcome::Answer(Err(error))));
        });
        if let Err(error) = started {
            tracing::error!(%error, "a thread could not be started");
        }
        ticket
    }

    /// Closes a hub that this thread of JavaScript has opened.
    pub fn close(&self, id: u64) -> Result<()> {
        let open = self.state.lock().open.remove(&id);
        caught(|| {
            if let Some(hub) = open {
                hub.close();
            }
            Ok(())
        })
    }

    fn end(&self) {
        let (open, desks) = {
            let mut state = self.state.lock();
            state.ended = true;
            state.calls.values().for_each(|wanted| wanted.store(false, Ordering::Release));
            let open = (std::mem::take(&mut state.open), std::mem::take(&mut state.answers));
            (open, std::mem::take(&mut state.desks))
        };
        let closed = caught(|| {
            desks.iter().filter_map(Weak::upgrade).for_each(|desk| desk.close());
            open.0.values().for_each(folkmoot_engine::Hub::close);
            drop(open);
            Ok(())
        });
        if let Err(error) = closed {
            tracing::error!(%error, "a hub could not be closed");
        }
    }
}

/// Gives an answer even when the thread that worked on it ended in a panic.
struct Promise {
    queue: Arc<Queue>,
    ticket: u64,
}

impl Promise {
    fn keep(mut self, outcome: Outcome) {
        self.answer(outcome);
    }

    fn answer(&mut self, outcome: Outcome) {
        let ticket = std::mem::take(&mut self.ticket);
        if ticket > 0 {
            self.queue.put(ticket, outcome);
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        self.answer(Outcome::Answer(Err(Error::internal("the engine stopped in the middle of a call"))));
    }
}

#[napi]
impl Bridge {
    /// A bridge that calls `bell` when there is something to take.
    #[napi(constructor)]
    pub fn new(bell: Function<'_, (), ()>) -> napi::Result<Bridge> {
        let bell = bell.build_threadsafe_function::<()>().callee_handled::<false>().weak::<true>().build()?;
        Ok(Bridge { queue: Arc::new(Queue { state: Mutex::default(), bell }) })
    }

    /// Opens a hub; it comes under the ticket.
    #[napi]
    pub fn open(&self, path: String, config: String, toml: Option<String>, environment: bool) -> f64 {
        let ticket = self.queue.on_thread(move || {
            caught(|| {
                let config = HubConfig::layered(toml.as_deref(), environment, config.as_bytes())?;
                folkmoot_engine::Hub::open(path, config).map(Outcome::Opened)
            })
        });
        ticket as f64
    }

    /// Ends the wait of a call; its answer still comes.
    #[napi]
    pub fn cancel(&self, ticket: f64) {
        if let Some(wanted) = self.queue.state.lock().calls.get(&(ticket as u64)) {
            wanted.store(false, Ordering::Release);
        }
    }

    /// Takes what has come: three parts each, a ticket, what it is, and the thing itself.
    #[napi]
    pub fn take(&self) -> Vec<Part> {
        let (answers, rung) = {
            let mut state = self.queue.state.lock();
            state.told = false;
            (std::mem::take(&mut state.answers), std::mem::take(&mut state.rung))
        };
        let mut parts = Vec::with_capacity(3 * (answers.len() + rung.len()));
        let mut part = |ticket: u64, what: f64, thing: Part| {
            parts.extend([Either3::A(ticket as f64), Either3::A(what), thing]);
        };
        for ticket in rung {
            part(ticket, RUNG, Either3::A(0.0));
        }
        for (ticket, outcome) in answers {
            match outcome {
                Outcome::Opened(hub) => {
                    self.queue.state.lock().open.insert(ticket, hub.clone());
                    part(ticket, OPENED, Either3::C(Hub::new(hub, self.queue.clone(), ticket)));
                }
                Outcome::Answer(outcome) => match outcome.and_then(text) {
                    Ok(text) => part(ticket, ANSWER, Either3::B(text)),
                    Err(error) => part(ticket, ERROR, Either3::B(error.to_json().to_string())),
                },
            }
        }
        parts
    }

    /// Closes what is open and answers nothing any more: this thread of JavaScript ends.
    #[napi]
    pub fn end(&self) {
        self.queue.end();
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.queue.end();
    }
}
