//! The few lines of `unsafe` that folkmoot stands on.
//!
//! Many processes share one SQLite file. What SQLite does not give them lives here, each in a small room:
//!
//! - [`sidecar`]: a page of memory all of them share, with a counter, a word to sleep on and locks that die with
//!   their owner;
//! - [`turn`]: whose turn it is to write, passed on quickly and fairly;
//! - [`fork`]: noticing that this process is a forked child;
//! - [`fs`]: which file is this, and does it lie on a network;
//! - [`clock`]: time that goes on while the machine sleeps;
//! - [`gather`]: one write for a whole commit;
//! - [`sync`]: locks that a fork leaves usable;
//! - `faults` (feature `faults`): a SQLite VFS that fails on request, for tests.
//!
//! Everything is made for Linux first. Other unixes get the same promises with polling in the place of futexes.
#![cfg(unix)]

pub mod clock;
mod create;
#[cfg(feature = "faults")]
pub mod faults;
pub mod fork;
pub mod fs;
mod futex;
pub mod gather;
pub mod lock;
mod page;
mod queue;
mod registry;
pub mod sidecar;
mod sqlite;
pub mod sync;
pub mod turn;

pub use clock::{boot_time, set_timer_slack};
#[cfg(feature = "faults")]
pub use faults::{FaultCode, FaultOp, FaultVfs};
pub use fork::fork_generation;
pub use fs::{file_id, network_file_system};
pub use lock::Byte;
pub use sidecar::Sidecar;
pub use turn::TurnGuard;
