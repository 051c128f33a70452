//! The one path that every change takes: command → decide → append → apply → publish.
//!
//! - [`command`]: a request with its typed input, and how it is held while it waits;
//! - [`decide`]: what a decision may look at, and the events it proposes;
//! - [`queue`]: group commit: whoever waits is committed together;
//! - [`append`]: one transaction for a batch; [`round`] decides each of its commands in turn, writes its events and
//!   applies them; [`idempotency`] knows the calls that were made before;
//! - [`publish`]: fan-out to subscriptions by interest.

pub mod append;
pub mod command;
pub mod decide;
pub(crate) mod idempotency;
pub mod publish;
pub mod queue;
pub(crate) mod round;
