//! The one path that every change takes: command → decide → append → apply → publish.
//!
//! - [`command`]: a request with its typed input, and how it is held while it waits;
//! - [`decide`]: what a decision may look at, and the events it proposes;
//! - [`queue`]: group commit: whoever waits is committed together;
//! - [`append`]: one transaction for a batch: decide each in turn, write its events, apply them;
//! - [`publish`]: fan-out to subscriptions by interest.

pub mod append;
pub mod command;
pub mod decide;
pub mod publish;
pub mod queue;
