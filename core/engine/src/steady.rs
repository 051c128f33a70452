//! The wall clock without its jumps.
//!
//! A deadline that must mean the same in every process and after a restart (a key's time to live, a back-off, what
//! retention takes by age) is a moment of the wall clock. But that clock may be set wrong for a while, by years. So a jump
//! is not believed until it has stood for an hour: meanwhile time goes on by the boot clock from where it was before.
//! Small steps, as those that keep a clock in time, are followed at once.
//!
//! A process that is started while the clock is wrong has seen no jump, and believes the clock.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use folkmoot_sys::sync::Mutex;

use crate::clock::{Clock, Time};

/// How far the wall clock may be from where it should be without having jumped, in milliseconds.
const STEP: u64 = 1_000;
/// How long a jump must stand to be believed.
const STANDS: Duration = Duration::from_secs(3_600);

/// What is known of the distance between the wall clock and the boot clock, in milliseconds.
#[derive(Debug)]
pub(crate) struct Steady {
    believed: AtomicI64,
    jumping: AtomicBool,
    jump: Mutex<Option<Jump>>,
}

#[derive(Debug, Clone, Copy)]
struct Jump {
    distance: i64,
    since: Duration,
}

impl Steady {
    /// Believes the wall clock as it stands.
    pub fn new(clock: &dyn Clock) -> Steady {
        let believed = AtomicI64::new(distance(clock.wall(), clock.boot()));
        Steady { believed, jumping: AtomicBool::new(false), jump: Mutex::new(None) }
    }

    /// The time now, by these readings of the two clocks.
    pub fn at(&self, wall: Time, boot: Duration) -> Time {
        let distance = distance(wall, boot);
        let believed = self.believed.load(Ordering::Relaxed);
        if distance.abs_diff(believed) > STEP {
            return self.jumped(wall, boot, distance);
        }
        if distance != believed {
            self.believed.store(distance, Ordering::Relaxed);
        }
        if self.jumping.swap(false, Ordering::Relaxed) {
            *self.jump.lock() = None;
        }
        wall
    }

    fn jumped(&self, wall: Time, boot: Duration, distance: i64) -> Time {
        let mut jump = self.jump.lock();
        let seen = jump.filter(|seen| seen.distance.abs_diff(distance) <= STEP);
        let since = seen.map_or(boot, |seen| seen.since);
        if boot.saturating_sub(since) >= STANDS {
            *jump = None;
            self.believed.store(distance, Ordering::Relaxed);
            return wall;
        }
        *jump = Some(Jump { distance, since });
        self.jumping.store(true, Ordering::Relaxed);
        Time::from_millis(self.believed.load(Ordering::Relaxed).saturating_add(boot.as_millis() as i64))
    }
}

fn distance(wall: Time, boot: Duration) -> i64 {
    wall.millis().saturating_sub(boot.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    const YEARS: f64 = 10.0 * 365.0 * 86_400.0;

    #[test]
    fn a_jump_is_believed_once_it_has_stood_for_an_hour() {
        let clock = ManualClock::at(Time::from_millis(1_800_000_000_000));
        let steady = Steady::new(&*clock);
        let now = || steady.at(clock.wall(), clock.boot());
        let (start, minute) = (now(), Duration::from_secs(60));
        for jump in [YEARS, -YEARS] {
            clock.jump_wall(jump);
            assert_eq!(now(), start);
            clock.jump_wall(-jump);
            assert_eq!(now(), start, "a jump back to where it was changes nothing");
        }
        clock.jump_wall(YEARS);
        for minutes in 0..60 {
            assert_eq!(now(), start.plus_seconds(f64::from(minutes) * 60.0), "after {minutes} minutes");
            clock.advance(minute);
        }
        assert_eq!(now(), clock.wall());
        assert_eq!(now().seconds_since(start), YEARS + 3_600.0);
        // Half an hour there and half an hour back is no hour.
        let believed = now();
        clock.jump_wall(YEARS);
        let _ = (now(), clock.advance(minute * 30));
        clock.jump_wall(-YEARS);
        let _ = (now(), clock.jump_wall(YEARS));
        let _ = (now(), clock.advance(minute * 30));
        assert_eq!(now().seconds_since(believed), 3_600.0);
    }

    #[test]
    fn small_steps_are_followed_however_many() {
        let clock = ManualClock::at(Time::from_millis(1_800_000_000_000));
        let steady = Steady::new(&*clock);
        for _ in 0..100 {
            clock.jump_wall(0.9);
            assert_eq!(steady.at(clock.wall(), clock.boot()), clock.wall());
        }
    }
}
