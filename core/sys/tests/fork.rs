//! What a forked child may and may not do with its parent's sidecar.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::Arc;
use std::time::Duration;

use folkmoot_sys::{Byte, Sidecar, fork_generation};

/// Forks; the child answers `yes` by its exit code, and runs nothing else of the test.
fn in_a_forked_child(yes: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child only runs `yes`, whose code does not depend on other threads, and leaves without unwinding.
    let child = unsafe { libc::fork() };
    assert!(child >= 0);
    if child == 0 {
        let code = if yes() { 0 } else { 1 };
        // SAFETY: leaves at once.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: `status` outlives the call, and the child is ours.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

#[test]
fn a_forked_child_is_another_generation() {
    let mine = fork_generation();
    assert!(in_a_forked_child(|| fork_generation() == mine + 1));
    assert!(in_a_forked_child(|| in_a_forked_child(|| fork_generation() == mine + 2)));
    assert_eq!(fork_generation(), mine);
}

#[test]
fn a_forked_child_is_refused_its_parents_sidecar() {
    let dir = tempfile::tempdir().unwrap();
    let sidecar = Sidecar::open(&dir.path().join("side")).unwrap();
    assert!(in_a_forked_child(|| {
        sidecar.take_turn(Duration::ZERO, &|| false).is_err()
            && sidecar.lock_shared(Byte::Version).is_err()
            && sidecar.try_lock_exclusive(Byte::Housekeeper).is_err()
    }));
}

#[test]
fn a_forked_child_may_open_it_anew_while_its_parent_owns_the_turn() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("side");
    let sidecar = Sidecar::open(&path).unwrap();
    let turn = sidecar.take_turn(Duration::ZERO, &|| false).unwrap().unwrap();
    let try_in_child = || {
        let Ok(anew) = Sidecar::open(&path) else { return None };
        let same_file = !Arc::ptr_eq(&anew, &sidecar) && anew.identity() == sidecar.identity();
        let turn = anew.take_turn(Duration::ZERO, &|| false).ok()?;
        same_file.then_some(turn.is_some())
    };
    assert!(in_a_forked_child(|| try_in_child() == Some(false)));
    drop(turn);
    assert!(in_a_forked_child(|| try_in_child() == Some(true)));
    assert!(sidecar.take_turn(Duration::ZERO, &|| false).unwrap().is_some());
}

#[test]
fn a_child_that_drops_its_parents_guard_leaves_the_turn_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("side");
    let sidecar = Sidecar::open(&path).unwrap();
    let mut turn = sidecar.take_turn(Duration::ZERO, &|| false).unwrap();
    assert!(in_a_forked_child(|| {
        drop(turn.take());
        true
    }));
    let taken_by_another = || {
        Sidecar::open(&path)
            .is_ok_and(|anew| anew.take_turn(Duration::ZERO, &|| false).is_ok_and(|turn| turn.is_some()))
    };
    assert!(!in_a_forked_child(taken_by_another));
    drop(turn);
}
