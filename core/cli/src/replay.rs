//! `folkmoot replay`: what happened, line by line, at its own pace or another.

use folkmoot::activity::Replay;
use folkmoot::{Error, Item};

use crate::arguments::ReplayArgs;
use crate::failure::Failure;
use crate::hub;
use crate::interrupt;
use crate::watch::Shown;

/// Runs the command.
pub fn run(args: &ReplayArgs) -> Result<(), Failure> {
    let filter = args.filter.filter()?;
    let hub = hub::open_to_read(&args.path, &args.config)?;
    interrupt::listen();
    let replay = Replay {
        since: args.since,
        until: args.until,
        speed: Some(args.speed),
        filter: Some(filter),
        ..Replay::default()
    };
    let mut shown = Shown::new(args.json);
    let mut playback = hub.replay(replay)?;
    let mut stop = || match interrupt::asked() {
        true => Err(Error::unavailable("the end was asked for")),
        false => Ok(()),
    };
    loop {
        let item = playback.next_until(&mut stop);
        interrupt::check()?;
        match item? {
            Some(Item::Event(event)) => shown.event(&event)?,
            Some(Item::Gap { from, to }) => shown.gap(from, to)?,
            Some(Item::Position { .. }) => {}
            None => return Ok(()),
        }
    }
}
