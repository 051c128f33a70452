//! Idempotency keys: a repeated call gets the first one's answer and changes nothing.

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};

use super::queue::Job;
use crate::clock::Time;
use crate::error::{Error, Result};

/// What is known of an idempotency key.
pub(crate) enum Remembered {
    Answer(String),
    New(NewKey),
}

pub(crate) struct NewKey {
    principal: String,
    key: String,
    input: [u8; 32],
}

impl Remembered {
    pub fn find(db: &Connection, job: &Job, key: &str) -> Result<Remembered> {
        crate::id::check_name("idempotency_key", key)?;
        let input: [u8; 32] = Sha256::digest(job.command.input_json()?).into();
        let principal = job.principal.stored();
        let found: Option<(Vec<u8>, String)> = db
            .prepare_cached(
                "SELECT input_hash, answer FROM idem WHERE principal = ?1 AND op = ?2 AND key = ?3",
            )?
            .query_row(params![principal, job.op, key], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match found {
            None => Ok(Remembered::New(NewKey { principal, key: key.to_owned(), input })),
            Some((hash, answer)) if hash == input => Ok(Remembered::Answer(answer)),
            Some(_) => Err(Error::conflict(
                format!("idempotency_key {key:?} was used for another {} before", job.op),
                serde_json::Value::Null,
            )
            .with("field", "idempotency_key")
            .hint("use a new key for a new call")),
        }
    }
}

impl NewKey {
    pub fn keep(self, db: &Connection, job: &Job, now: Time) -> Result<()> {
        let answer = String::from_utf8(job.command.answer_json()?)
            .map_err(|_| Error::internal("an answer was written as something other than UTF-8"))?;
        db.prepare_cached("INSERT INTO idem VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(params![
            self.principal,
            job.op,
            self.key,
            &self.input[..],
            answer,
            now.millis()
        ])?;
        Ok(())
    }
}
