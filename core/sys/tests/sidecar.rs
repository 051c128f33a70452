//! The sidecar file: one per process, the same for all, and left alone if it is not ours.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod children;

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use children::{Actor, say, start};
use folkmoot_sys::{Byte, Sidecar};

fn sidecar(dir: &Path) -> Arc<Sidecar> {
    Sidecar::open(&dir.join("side")).unwrap()
}

/// A part played in a process of its own; without a role there is nothing to play.
#[test]
fn child() {
    let Some((role, dir)) = children::role() else { return };
    let sidecar = sidecar(&dir);
    match role.as_str() {
        "identity" => say(&format!("{:?}", sidecar.identity())),
        "tries" => {
            for byte in [Byte::Version, Byte::Housekeeper] {
                let got = sidecar.try_lock_exclusive(byte).unwrap();
                say(if got { "got it" } else { "taken" });
            }
        }
        "keeps" => {
            sidecar.lock_shared(Byte::Version).unwrap();
            say(&format!("housekeeper: {}", sidecar.try_lock_exclusive(Byte::Housekeeper).unwrap()));
            thread::sleep(Duration::from_secs(60));
        }
        other => panic!("no part called {other}"),
    }
}

/// What another process gets of (the version, the housekeeper).
fn another_gets(dir: &Path) -> (String, String) {
    let mut other = start("tries", dir);
    (other.hear(), other.hear())
}

#[test]
fn one_file_is_one_sidecar_by_whatever_path() {
    let dir = tempfile::tempdir().unwrap();
    let first = sidecar(dir.path());
    symlink(dir.path().join("side"), dir.path().join("link")).unwrap();
    fs::hard_link(dir.path().join("side"), dir.path().join("twin")).unwrap();
    for path in ["side", "link", "twin", "./side"] {
        assert!(Arc::ptr_eq(&first, &Sidecar::open(&dir.path().join(path)).unwrap()), "{path}");
    }
}

#[test]
fn opening_again_does_not_lose_the_locks() {
    let dir = tempfile::tempdir().unwrap();
    let first = sidecar(dir.path());
    assert!(first.try_lock_exclusive(Byte::Housekeeper).unwrap());
    drop(first);
    drop(sidecar(dir.path()));
    assert_eq!(another_gets(dir.path()), ("got it".into(), "taken".into()));
}

#[test]
fn processes_that_create_it_at_once_agree_on_its_identity() {
    for _ in 0..5 {
        let dir = tempfile::tempdir().unwrap();
        let mut actors: Vec<Actor> = (0..6).map(|_| start("identity", dir.path())).collect();
        let expected = format!("{:?}", sidecar(dir.path()).identity());
        for actor in &mut actors {
            assert_eq!(actor.hear(), expected);
        }
    }
}

#[test]
fn every_sidecar_has_an_identity_of_its_own() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, two) = (sidecar(one.path()).identity(), sidecar(two.path()).identity());
    assert_ne!(one, two);
    assert!(one != [0; 16] && two != [0; 16]);
}

#[test]
fn it_notices_when_it_was_deleted_or_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("side");
    let first = sidecar(dir.path());
    assert!(first.still_there());
    fs::remove_file(&path).unwrap();
    assert!(!first.still_there());
    let second = sidecar(dir.path());
    assert!(second.still_there() && !first.still_there());
    assert_ne!(first.identity(), second.identity());
}

#[test]
fn what_a_killed_creator_left_behind_is_finished() {
    for unfinished in [0, 1, 2048, 4096] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("side"), vec![0; unfinished]).unwrap();
        assert_ne!(sidecar(dir.path()).identity(), [0; 16]);
        assert_eq!(fs::metadata(dir.path().join("side")).unwrap().len(), 4096);
    }
}

#[test]
fn what_is_not_a_sidecar_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("side");
    for foreign in
        ["my thesis, the only copy", "x", "folkmoot-side-99 of a later version", "folkmoot-side-01"]
    {
        fs::write(&path, foreign).unwrap();
        let error = Sidecar::open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains("side"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), foreign);
    }
    fs::write(&path, [0; 5000]).unwrap();
    assert_eq!(Sidecar::open(&path).unwrap_err().kind(), ErrorKind::InvalidData);
    assert!(Sidecar::open(dir.path()).is_err());
    let missing = Sidecar::open(&dir.path().join("no/such/side")).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
}

#[test]
fn many_share_the_version_and_one_has_it_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mine = sidecar(dir.path());
    mine.lock_shared(Byte::Version).unwrap();
    let mut other = start("keeps", dir.path());
    assert_eq!(other.hear(), "housekeeper: true");
    assert!(!mine.try_lock_exclusive(Byte::Version).unwrap());
    assert!(!mine.try_lock_exclusive(Byte::Housekeeper).unwrap());
    other.kill();
    assert!(mine.try_lock_exclusive(Byte::Version).unwrap());
    assert!(mine.try_lock_exclusive(Byte::Housekeeper).unwrap());
    assert_eq!(another_gets(dir.path()), ("taken".into(), "taken".into()));
    mine.lock_shared(Byte::Version).unwrap();
    mine.unlock(Byte::Housekeeper).unwrap();
    assert_eq!(another_gets(dir.path()), ("taken".into(), "got it".into()));
}
