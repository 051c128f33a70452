//! The VFS that fails on request. Needs `--features faults`.
#![cfg(feature = "faults")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::Path;
use std::sync::Arc;

use folkmoot_sys::{FaultCode, FaultOp, FaultVfs};
use rusqlite::{Connection, ErrorCode, OpenFlags};

fn open(faults: &FaultVfs, path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags_and_vfs(path, OpenFlags::default(), faults.name())?;
    db.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE IF NOT EXISTS t(a)")?;
    Ok(db)
}

fn insert(db: &Connection) -> Result<(), ErrorCode> {
    db.execute("INSERT INTO t VALUES(1)", []).map(|_| ()).map_err(|error| error.sqlite_error_code().unwrap())
}

fn rows(db: &Connection) -> i64 {
    db.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap()
}

#[test]
fn the_same_name_is_the_same_vfs() {
    assert!(Arc::ptr_eq(&FaultVfs::register("twice"), &FaultVfs::register("twice")));
}

#[test]
fn without_faults_it_is_an_ordinary_database() {
    let dir = tempfile::tempdir().unwrap();
    let faults = FaultVfs::register("ordinary");
    let db = open(&faults, &dir.path().join("db")).unwrap();
    let mode: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    insert(&db).unwrap();
    db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA mmap_size=1000000; VACUUM").unwrap();
    assert_eq!(rows(&db), 1);
    for op in [FaultOp::Read, FaultOp::Write, FaultOp::Sync, FaultOp::Truncate, FaultOp::Open, FaultOp::Lock]
    {
        assert!(faults.calls(op) > 0, "{op:?} was never called");
        assert_eq!(faults.injected(op), 0);
    }
    assert!(faults.calls(FaultOp::ShmMap) > 0);
    drop(db);
    assert!(faults.calls(FaultOp::Delete) > 0, "closing the last connection deletes the WAL");
}

#[test]
fn a_full_disk_fails_one_insert_and_spares_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let faults = FaultVfs::register("full");
    let db = open(&faults, &dir.path().join("db")).unwrap();
    faults.fail_next(FaultOp::Write, 1, FaultCode::Full);
    assert_eq!(insert(&db), Err(ErrorCode::DiskFull));
    assert_eq!(faults.injected(FaultOp::Write), 1);
    insert(&db).unwrap();
    assert_eq!(rows(&db), 1);
}

#[test]
fn a_failed_sync_fails_the_commit_until_cleared() {
    let dir = tempfile::tempdir().unwrap();
    let faults = FaultVfs::register("sync");
    let db = open(&faults, &dir.path().join("db")).unwrap();
    faults.fail_all(FaultOp::Sync, FaultCode::Io);
    for _ in 0..3 {
        assert_eq!(insert(&db), Err(ErrorCode::SystemIoFailure));
    }
    faults.clear();
    insert(&db).unwrap();
    assert_eq!(rows(&db), 1);
}

#[test]
fn a_file_that_cannot_be_opened_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let faults = FaultVfs::register("cantopen");
    faults.fail_next(FaultOp::Open, 1, FaultCode::CantOpen);
    let error = open(&faults, &dir.path().join("db")).unwrap_err();
    assert_eq!(error.sqlite_error_code(), Some(ErrorCode::CannotOpen));
    open(&faults, &dir.path().join("db")).unwrap();
}

/// Whichever call of an insert fails, the database is whole afterwards and knows exactly what it acknowledged.
#[test]
fn every_single_fault_leaves_the_database_whole() {
    for op in [FaultOp::Read, FaultOp::Write, FaultOp::Sync, FaultOp::Lock, FaultOp::ShmMap] {
        for code in [FaultCode::Io, FaultCode::Full, FaultCode::Torn] {
            for nth in 1..=12 {
                let dir = tempfile::tempdir().unwrap();
                let faults = FaultVfs::register("every");
                faults.clear();
                let path = dir.path().join("db");
                let mut db = open(&faults, &path).unwrap();
                let mut kept = 0;
                faults.fail_next(op, nth, code);
                for _ in 0..4 {
                    kept += i64::from(insert(&db).is_ok());
                }
                faults.clear();
                assert_eq!(rows(&db), kept, "{op:?} {code:?} {nth}");
                drop(db);
                db = open(&faults, &path).unwrap();
                assert_eq!(rows(&db), kept, "{op:?} {code:?} {nth}, opened again");
                let said: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
                assert_eq!(said, "ok", "{op:?} {code:?} {nth}");
            }
        }
    }
}
