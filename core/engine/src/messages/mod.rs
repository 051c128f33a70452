//! Messages (stub).
pub(crate) mod events {
    pub(crate) fn decode(_: &str, _: &str) -> crate::Result<Option<Box<dyn crate::events::event::Body>>> {
        Ok(None)
    }
}
pub(crate) mod search {
    pub(crate) fn index(_: &rusqlite::Connection, _: &crate::Event) -> crate::Result<()> {
        Ok(())
    }
}
