//! Events for everyone: the log read, filtered, followed and published to.

pub mod consumers;
pub mod event;
pub mod filter;
pub mod publish;
pub mod queries;
pub mod subscription;

pub use consumers::{AckConsumer, OpenConsumer, ReadConsumer};
pub use publish::Publish;
pub use queries::{HubStats, HubStatus, Read, Stats, StatusOf};
