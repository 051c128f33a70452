//! Leases: who still holds what, judged by counters and one's own clock.
//!
//! A lease is not a time in the file: clocks jump and differ. It is a counter that its holder moves on. Whoever looks
//! notes, on its own boot clock, when it first saw the counter stand where it stands; once it has stood for the whole
//! time to live, the lease is over, and a command says so that holds only if the counter still stands. Opening a hub
//! therefore grants every lease one full time to live.

use std::collections::HashMap;
use std::time::Duration;

use folkmoot_sys::sync::Mutex;

/// A lease as it stands in the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// `task:<id>` or `agent:<id>`; `away:<id>` for a task reserved for an agent that is offline;
    /// `client:<session>\t<client>`.
    pub entity: String,
    /// The fencing token; 0 for an agent's presence.
    pub token: u64,
    /// The sum of the counters that keep it alive.
    pub count: i64,
    /// How long it lasts without a move.
    pub ttl: Duration,
}

/// What this process has seen of the leases.
#[derive(Debug, Default)]
pub struct LeaseWatch {
    seen: Mutex<HashMap<String, Seen>>,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    token: u64,
    count: i64,
    since: Duration,
    /// Its holder was told that it is over: it stays so, whatever the counter does afterwards.
    refused: bool,
}

impl LeaseWatch {
    /// How much of the lease is left by what this process has seen; zero once it is over.
    pub fn left(&self, lease: &Lease, now: Duration) -> Duration {
        let mut seen = self.seen.lock();
        let fresh = Seen { token: lease.token, count: lease.count, since: now, refused: false };
        let known = seen.entry(lease.entity.clone()).or_insert(fresh);
        if known.token == lease.token && known.refused {
            return Duration::ZERO;
        }
        if known.token != lease.token || known.count != lease.count {
            *known = fresh;
        }
        lease.ttl.saturating_sub(now.saturating_sub(known.since))
    }

    /// Notes a lease that is granted now. A token is a `seq`, which a commit that failed gives to the next one: whatever
    /// was seen under it before was of a lease that never came to be.
    pub fn grant(&self, lease: &Lease, now: Duration) {
        let fresh = Seen { token: lease.token, count: lease.count, since: now, refused: false };
        self.seen.lock().insert(lease.entity.clone(), fresh);
    }

    /// Notes that its holder was told that the lease is over. A later beat of its process must not revive what the
    /// holder has given up: nobody would work on it, and nobody could have it.
    pub fn refuse(&self, lease: &Lease) {
        if let Some(known) = self.seen.lock().get_mut(&lease.entity) {
            known.refused |= known.token == lease.token;
        }
    }

    /// Forgets leases that are no more.
    pub fn keep_only(&self, live: &[Lease]) {
        let mut seen = self.seen.lock();
        if seen.len() > live.len() {
            let live: std::collections::HashSet<&str> =
                live.iter().map(|lease| lease.entity.as_str()).collect();
            seen.retain(|entity, _| live.contains(entity.as_str()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_lasts_while_its_counter_moves_and_no_longer() {
        let watch = LeaseWatch::default();
        let ttl = Duration::from_secs(10);
        let mut lease = Lease { entity: "task:a".into(), token: 1, count: 0, ttl };
        assert_eq!(watch.left(&lease, Duration::from_secs(100)), ttl, "a first look grants all of it");
        assert_eq!(watch.left(&lease, Duration::from_secs(109)), Duration::from_secs(1));
        lease.count += 1;
        assert_eq!(watch.left(&lease, Duration::from_secs(109)), ttl, "a move grants it anew");
        assert_eq!(watch.left(&lease, Duration::from_secs(119)), Duration::ZERO);
        watch.refuse(&lease);
        lease.count += 1;
        assert_eq!(
            watch.left(&lease, Duration::from_secs(119)),
            Duration::ZERO,
            "what was refused stays over"
        );
        watch.grant(&lease, Duration::from_secs(119));
        assert_eq!(
            watch.left(&lease, Duration::from_secs(119)),
            ttl,
            "a grant knows nothing of one that failed"
        );
        lease.token += 1;
        assert_eq!(
            watch.left(&lease, Duration::from_secs(119)),
            ttl,
            "another holder's lease is another lease"
        );
    }
}
