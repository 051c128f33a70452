//! What one read by key costs.

use std::path::Path;
use std::time::Instant;

use rusqlite::{CachedStatement, Connection};
use serde_json::json;

use crate::Outcome;
use crate::event::{Checkpoint, KEYS, Writer, create, key};
use crate::line::print;

const READS: u64 = 200_000;

/// One row by its key: each in a transaction of its own, then all inside one; and the cheapest question
/// SQLite answers, whether another connection has changed anything.
pub fn measure(folder: &Path) -> Outcome<()> {
    let connection = create(folder, "NORMAL", Checkpoint::InCommit)?;
    let mut writer = Writer::new(&connection)?;
    (0..KEYS).try_for_each(|number| writer.write(number))?;

    print("rusqlite", "point read", point_reads(&connection)?, "us", json!({}));
    connection.execute_batch("BEGIN")?;
    print("rusqlite", "point read, transaction held", point_reads(&connection)?, "us", json!({}));
    connection.execute_batch("COMMIT")?;

    let mut version = connection.prepare_cached("PRAGMA data_version")?;
    let cost = each_us(|_| Ok(version.query_row([], |row| row.get::<_, i64>(0))?))?;
    print("rusqlite", "data_version", cost, "us", json!({}));
    Ok(())
}

fn point_reads(connection: &Connection) -> Outcome<f64> {
    let keys: Vec<String> = (0..KEYS).map(key).collect();
    let mut select: CachedStatement = connection.prepare_cached("SELECT data FROM state WHERE key = ?1")?;
    each_us(|number| {
        let key = keys.get((number.wrapping_mul(7_919) % KEYS) as usize).ok_or("no such key")?;
        let data: Vec<u8> = select.query_row([key], |row| row.get(0))?;
        Ok(data.len() as i64)
    })
}

/// Microseconds a call. The answers are added up, so that no call can be optimised away.
fn each_us(mut call: impl FnMut(u64) -> Outcome<i64>) -> Outcome<f64> {
    let start = Instant::now();
    let mut sum = 0;
    for number in 0..READS {
        sum += call(number)?;
    }
    let spent = start.elapsed();
    std::hint::black_box(sum);
    Ok(spent.as_secs_f64() * 1e6 / READS as f64)
}
