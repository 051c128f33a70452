//! The part that listens, and is killed as well: it must hear every event once, in order.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use folkmoot_engine::{Durability, Event, Filter, Hub, Item, events};

use crate::players::{Player, say, setting};
use crate::writer::config;

/// An event as it was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub seq: u64,
    pub print: u64,
}

/// The fingerprint of an event's bytes.
pub fn print_of(event: &Event) -> u64 {
    let mut hasher = DefaultHasher::new();
    event.wire().hash(&mut hasher);
    hasher.finish()
}

pub fn listen(file: &Path) {
    let hub = Hub::open(file, config(Durability::Normal)).unwrap();
    let after = setting("FOLKMOOT_TEST_AFTER", 0);
    let mut subscription = hub.subscribe(Filter::default(), Some(after)).unwrap();
    loop {
        match subscription.next(Duration::from_secs(600)).unwrap() {
            Some(Item::Event(event)) if event.seq == 0 => {}
            Some(Item::Event(event)) => say(&format!("heard {} {}", event.seq, print_of(&event))),
            Some(Item::Position { seq }) => say(&format!("position {seq}")),
            other => say(&format!("odd {other:?}")),
        }
    }
}

/// Follows a file through listeners that are killed and resumed.
pub struct Listener {
    upto: Arc<AtomicU64>,
    thread: JoinHandle<Vec<Heard>>,
}

impl Listener {
    pub fn follow(file: &Path) -> Listener {
        let upto = Arc::new(AtomicU64::new(u64::MAX));
        let (end, file): (_, PathBuf) = (upto.clone(), file.to_owned());
        let thread = std::thread::spawn(move || {
            let mut heard: Vec<Heard> = Vec::new();
            loop {
                let after = heard.last().map_or(0, |heard| heard.seq);
                if after >= end.load(Ordering::SeqCst) {
                    return heard;
                }
                let settings = [("FOLKMOOT_TEST_AFTER", after.to_string())];
                let mut player = Player::start("listener", &file, &settings);
                // It lives for as many events as it takes to go live, fall behind and catch up.
                for _ in 0..3_000 {
                    let Some(line) = player.hear() else { panic!("a listener ended by itself") };
                    let mut words = line.split(' ');
                    match (words.next(), words.next(), words.next()) {
                        (Some("heard"), Some(seq), Some(print)) => {
                            heard.push(Heard { seq: seq.parse().unwrap(), print: print.parse().unwrap() });
                        }
                        (Some("position"), ..) => {}
                        _ => panic!("a listener heard something odd: {line}"),
                    }
                    if heard.last().is_some_and(|heard| heard.seq >= end.load(Ordering::SeqCst)) {
                        return heard;
                    }
                }
                player.kill();
            }
        });
        Listener { upto, thread }
    }

    /// Publishes a last event and answers all that was heard up to it.
    pub fn finish(self, file: &Path) -> Vec<Heard> {
        let hub = Hub::open(file, config(Durability::Normal)).unwrap();
        let publish = |word: &str| {
            let input = serde_json::json!({"event_type": word, "source_agent": "parent"});
            let publish: events::Publish = serde_json::from_value(input).unwrap();
            hub.run(publish).unwrap().seq
        };
        self.upto.store(publish("last"), Ordering::SeqCst);
        // One more wakes a listener that had heard the last one before it was known to be that.
        publish("after the last");
        let heard = self.thread.join().unwrap();
        hub.close();
        heard
    }
}
