//! A commit whose writes are gathered is one write, and is all there.
#![allow(clippy::unwrap_used)]

use std::path::Path;

use folkmoot_sys::gather;
use rusqlite::Connection;

fn open(path: &Path) -> Connection {
    let _ = folkmoot_sys::fork_generation();
    let db = Connection::open(path).unwrap();
    db.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA wal_autocheckpoint=0;")
        .unwrap();
    db
}

fn commit(db: &Connection) -> rusqlite::Result<()> {
    gather::commit_at_once(|| db.execute_batch("COMMIT"))
}

fn begin(db: &Connection) {
    gather::transaction_begins();
    db.execute_batch("BEGIN IMMEDIATE").unwrap();
}

/// What another process would read: only what lies in the files.
fn seen_elsewhere(path: &Path) -> i64 {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    std::fs::copy(path, &copy).unwrap();
    std::fs::copy(path.with_extension("db-wal"), folder.path().join("copy.db-wal")).unwrap();
    let db = Connection::open(copy).unwrap();
    let sound: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(sound, "ok");
    db.query_row("SELECT total(length(body)) FROM note", [], |row| row.get::<_, f64>(0)).unwrap() as i64
}

#[cfg(target_os = "linux")]
fn writes() -> u64 {
    let io = std::fs::read_to_string("/proc/thread-self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("syscw: ")).unwrap().parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_commit_of_many_pages_is_one_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let db = open(&path);
    db.execute_batch("CREATE TABLE note (body TEXT)").unwrap();
    for round in 1..=5 {
        let before = writes();
        begin(&db);
        db.execute("INSERT INTO note VALUES (?1)", ["x".repeat(40_000)]).unwrap();
        commit(&db).unwrap();
        assert_eq!(writes() - before, 1, "round {round}");
        assert_eq!(seen_elsewhere(&path), round * 40_000);
    }
}

#[test]
fn a_transaction_that_outgrows_its_cache_is_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let db = open(&path);
    db.execute_batch("PRAGMA cache_size=10; CREATE TABLE note (body TEXT)").unwrap();
    for round in 1..=3 {
        begin(&db);
        for _ in 0..200 {
            db.execute("INSERT INTO note VALUES (?1)", ["x".repeat(1_000)]).unwrap();
        }
        // Pages that were written already are written again.
        db.execute("UPDATE note SET body = body || 'y'", []).unwrap();
        db.execute("UPDATE note SET body = substr(body, 1, 1000)", []).unwrap();
        commit(&db).unwrap();
        assert_eq!(seen_elsewhere(&path), round * 200_000);
    }
}

#[test]
fn a_commit_that_fails_leaves_nothing_and_the_next_one_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.db");
    let db = open(&path);
    db.execute_batch("PRAGMA foreign_keys=ON; CREATE TABLE note (body TEXT)").unwrap();
    db.execute_batch(
        "CREATE TABLE owner (id INTEGER PRIMARY KEY);
        CREATE TABLE owned (owner INTEGER REFERENCES owner (id) DEFERRABLE INITIALLY DEFERRED)",
    )
    .unwrap();
    begin(&db);
    db.execute("INSERT INTO note VALUES ('lost')", []).unwrap();
    db.execute("INSERT INTO owned VALUES (7)", []).unwrap();
    commit(&db).unwrap_err();
    db.execute_batch("ROLLBACK").unwrap();
    begin(&db);
    db.execute("INSERT INTO note VALUES ('kept')", []).unwrap();
    commit(&db).unwrap();
    assert_eq!(seen_elsewhere(&path), 4);
}
