//! folkmoot.
pub use folkmoot_engine::*;
