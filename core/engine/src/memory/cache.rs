//! Heads of keys that were read lately, good only while nothing was committed by anyone.
//!
//! All processes share a commit counter, odd while a commit is under way. A head that was read while the counter stood
//! at an even number is still the head while the counter stands there.

use std::collections::HashMap;
use std::sync::Arc;

use folkmoot_sys::sync::Mutex;

use super::{MemoryError, tables};
use crate::core::Core;
use crate::error::Result;

/// How many heads are kept, and how large one may be.
const MOST: usize = 4_096;
const LARGEST: usize = 16 << 10;

#[derive(Default)]
pub(crate) struct Cache {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    counter: u64,
    heads: HashMap<String, Arc<str>>,
}

impl Cache {
    /// The head of a key if it was read since the last commit of anyone; never waits.
    pub fn hit(&self, core: &Core, key: &str) -> Option<Arc<str>> {
        let counter = core.storage.counter();
        let state = self.state.lock();
        if state.counter == counter { state.heads.get(key).cloned() } else { None }
    }

    /// The head of a key as JSON text, for a caller who may read everything.
    pub fn get(&self, core: &Core, key: &str) -> Result<Arc<str>> {
        let counter = core.storage.counter();
        if let Some(head) = self.hit(core, key) {
            return Ok(head);
        }
        let (head, lasting) = core.storage.read_one(|reader| {
            let (body, expires): (String, bool) = tables::head_text(reader.db, key, reader.steady)?
                .ok_or_else(|| MemoryError::Unknown(key.to_owned()))?;
            Ok((Arc::<str>::from(body), !expires))
        })?;
        if lasting && counter.is_multiple_of(2) && head.len() <= LARGEST {
            let mut state = self.state.lock();
            if core.storage.counter() == counter {
                if state.counter != counter || state.heads.len() >= MOST {
                    state.heads.clear();
                    state.counter = counter;
                }
                state.heads.insert(key.to_owned(), head.clone());
            }
        }
        Ok(head)
    }
}
