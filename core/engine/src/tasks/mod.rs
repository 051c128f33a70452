//! Tasks (stub).
pub(crate) mod events {
    pub(crate) fn decode(_: &str, _: &str) -> crate::Result<Option<Box<dyn crate::events::event::Body>>> {
        Ok(None)
    }
}
pub(crate) mod keeper {
    use crate::{
        Result,
        pipeline::{command::Change, decide::Decide},
    };
    pub(crate) fn wake_due(_: &crate::core::Core) -> Result<std::time::Duration> {
        Ok(std::time::Duration::from_secs(1))
    }
    #[derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    pub(crate) struct Lapse {
        pub task_id: String,
        pub token: u64,
        pub count: i64,
    }
    impl Change for Lapse {
        type Output = bool;
        fn decide(&self, _: &mut Decide<'_>) -> Result<bool> {
            Ok(false)
        }
    }
}
pub(crate) mod tables {
    use crate::Result;
    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
    /// x
    pub struct TaskGlance {}
    pub(crate) fn performance(_: &rusqlite::Connection, _: &str) -> Result<crate::agents::Performance> {
        Ok(Default::default())
    }
    pub(crate) fn glance(_: &rusqlite::Connection, _: &str) -> Result<Option<TaskGlance>> {
        Ok(None)
    }
    pub(crate) fn leases(_: &rusqlite::Connection) -> Result<Vec<crate::leases::Lease>> {
        Ok(vec![])
    }
}
