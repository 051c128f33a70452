//! A forked child, for tests of what it may not do.

/// Forks and runs something in the child, which then ends at once; whether it answered true and did not die.
/// `meanwhile` runs in the parent.
#[must_use]
pub fn in_a_forked_child(child: impl FnOnce() -> bool, meanwhile: impl FnOnce()) -> bool {
    // SAFETY: the child runs `child` on the only thread it has, and leaves without unwinding or running handlers.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child)).unwrap_or(false);
        // SAFETY: leaves at once.
        unsafe { libc::_exit(if done { 0 } else { 1 }) };
    }
    // What the child uses is let go of here, so that a child that died is noticed at the end of its pipes.
    drop(child);
    meanwhile();
    let mut status = 0;
    // SAFETY: `status` outlives the call, and the child is ours.
    pid > 0
        && unsafe { libc::waitpid(pid, &raw mut status, 0) } == pid
        && libc::WIFEXITED(status)
        && libc::WEXITSTATUS(status) == 0
}
