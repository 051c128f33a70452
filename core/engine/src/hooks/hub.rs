//! Hooks as the hub's users register them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde_json::Value;

use super::before::{Request, Verdict, with_depth};
use super::{Ask, Handler, Hook, Measure, Point, Reply, after, collect};
use crate::error::{Error, Result};
use crate::events::event::Event;
use crate::hub::Hub;
use crate::json::Json;

impl Hub {
    /// Has a function asked before operations: it may refuse them or change their input.
    ///
    /// Hooks are asked in the order of their registration, each about what the one before made of the input, and bind
    /// this process only. They go with the handle that registered them, or by [`Hub::unhook`].
    ///
    /// # Errors
    ///
    /// `already_exists` when the name is taken; `invalid_input` when no operation fits the pattern.
    ///
    /// ```
    /// use folkmoot_engine::hooks::{Hook, Verdict};
    /// use folkmoot_engine::{Code, Hub, HubConfig, tasks};
    ///
    /// let hub = Hub::open(":memory:", HubConfig::default())?;
    /// hub.before(Hook::before("polite", "task.create"), |request| {
    ///     let title = request.input["title"].as_str().unwrap_or("");
    ///     Ok(match title.ends_with('!') {
    ///         true => Verdict::Refuse("titles do not shout".into()),
    ///         false => Verdict::Allow,
    ///     })
    /// })?;
    /// let refused = hub.run(tasks::Create::new("ana", "Do it now!")).unwrap_err();
    /// assert_eq!(refused.code(), Code::NotAllowed);
    /// assert_eq!(refused.details()["hook"], "polite");
    /// # Ok::<(), folkmoot_engine::Error>(())
    /// ```
    pub fn before(
        &self,
        hook: Hook,
        f: impl Fn(&Request<'_>) -> Result<Verdict> + Send + Sync + 'static,
    ) -> Result<()> {
        let run = move |ask: &Ask| {
            let input = serde_json::from_str(ask.text())
                .map_err(|error| Error::internal(format!("an input cannot be read back: {error}")))?;
            f(&Request { operation: ask.subject(), by: ask.by(), input }).map(Reply::from)
        };
        self.hook_here(Hook { point: Point::Before, ..hook }, run)
    }

    /// Has a function hear events, off the write path: in order, one at a time, none missed however slow it is.
    pub fn after(
        &self,
        hook: Hook,
        f: impl Fn(&Arc<Event>) -> Result<()> + Send + Sync + 'static,
    ) -> Result<()> {
        let run = move |ask: &Ask| ask.event().map_or(Ok(()), &f).map(|()| Reply::Nothing);
        self.hook_here(Hook { point: Point::After, ..hook }, run)
    }

    /// Has a function write the summaries of `thread.summarize`. It is given the digest and the messages, as JSON.
    pub fn summarizer(
        &self,
        hook: Hook,
        f: impl Fn(&Value) -> Result<String> + Send + Sync + 'static,
    ) -> Result<()> {
        let run = move |ask: &Ask| {
            let matter = serde_json::from_str(ask.text())
                .map_err(|error| Error::internal(format!("messages cannot be read back: {error}")))?;
            f(&matter).map(|summary| Reply::Value(Value::String(summary).into()))
        };
        self.hook_here(Hook { point: Point::Summarizer, ..hook }, run)
    }

    /// Has a function give figures at the hook's interval; subscribers of `metric.collected` in this process hear them.
    pub fn collector(
        &self,
        hook: Hook,
        f: impl Fn() -> Result<Vec<Measure>> + Send + Sync + 'static,
    ) -> Result<()> {
        let run = move |_: &Ask| {
            let points = serde_json::to_value(f()?).map_err(|error| Error::internal(error.to_string()))?;
            Ok(Reply::Value(Json::from(points)))
        };
        self.hook_here(Hook { point: Point::Collector, ..hook }, run)
    }

    /// Registers a hook whose function is run by someone else: the seam for other languages.
    pub fn hook(&self, hook: Hook, handler: Handler) -> Result<()> {
        let core = self.present("nothing happens for a hook to be asked about")?;
        let name = hook.name.clone();
        let point = hook.point;
        let registered = core.hooks.add(hook, handler)?;
        let started = match point {
            Point::Before | Point::Summarizer => Ok(()),
            Point::After => after::listen(core, &registered),
            Point::Collector => collect::start(core, &registered),
        };
        if started.is_err() {
            core.hooks.remove(&name);
        } else {
            self.note_hook(name, registered.order);
        }
        started
    }

    /// Takes a hook away: it is asked nothing more. What it is doing just now it does to the end.
    ///
    /// # Errors
    ///
    /// `not_found` when there is no hook of this name.
    pub fn unhook(&self, name: &str) -> Result<()> {
        if self.core()?.hooks.remove(name) {
            return Ok(());
        }
        Err(Error::not_found("hook", name))
    }

    /// Whether this process has any hooks.
    pub fn has_hooks(&self) -> bool {
        self.core().is_ok_and(|core| core.hooks.any())
    }

    /// Whether hooks are asked before this operation.
    pub fn hooked(&self, operation: &str) -> bool {
        self.core().is_ok_and(|core| core.hooks.hooked(operation))
    }

    fn hook_here(
        &self,
        hook: Hook,
        run: impl Fn(&Ask) -> Result<Reply> + Send + Sync + 'static,
    ) -> Result<()> {
        let pool = self.core()?.hooks.pool.clone();
        let run = Arc::new(run);
        let handler = move |ask: Ask| {
            let run = run.clone();
            pool.run(move || {
                if ask.is_wanted() {
                    let reply = with_depth(ask.depth(), || answered(&*run, &ask));
                    ask.answer(reply);
                }
            });
        };
        self.hook(hook, Arc::new(handler))
    }
}

/// Runs a function of the program's; neither an error nor a panic goes further than the answer.
fn answered(run: &(impl Fn(&Ask) -> Result<Reply> + ?Sized), ask: &Ask) -> Reply {
    match catch_unwind(AssertUnwindSafe(|| run(ask))) {
        Ok(Ok(reply)) => reply,
        Ok(Err(error)) => Reply::Failed(error),
        Err(panic) => {
            let said = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no words");
            Reply::Failed(Error::unavailable(format!("it panicked: {said}")))
        }
    }
}
