//! What the activity feed promises.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod feeds;

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use feeds::{PATIENCE, config, exported, feed, fill, ids, of, record, still};
use folkmoot_engine::activity::{
    self, ActivityFilter, Complete, Feed, FollowItem, Format, Outcome, Record, Stats,
};
use folkmoot_engine::clock::Time;
use folkmoot_engine::seams::Seams;
use folkmoot_engine::{Code, Hub, HubConfig, agents, memory, tasks};
use serde_json::json;

#[test]
fn an_activity_takes_as_long_as_from_its_start_to_its_completion() {
    let (hub, clock) = still(config());
    let begun = record(&hub, "ana", activity::COUNCIL_DEBATE);
    clock.advance(Duration::from_millis(2_500));
    let ended =
        hub.run(Complete { outcome: Some(Outcome::Failed), ..Complete::new(&begun.activity_id) }).unwrap();
    assert_eq!((ended.open, ended.outcome), (false, Some(Outcome::Failed)));
    assert_eq!(ended.duration_seconds, Some(2.5));
    assert_eq!(feed(&hub, ActivityFilter::default()), [ended]);
    let begun = record(&hub, "ana", activity::COUNCIL_DEBATE);
    clock.jump_wall(-3_600.0);
    let ended = hub.run(Complete::new(&begun.activity_id)).unwrap();
    assert_eq!(ended.duration_seconds, Some(0.0), "a clock that was set back makes no negative span");
    hub.check().unwrap();
}

/// Filters of every sort.
fn filters() -> Vec<ActivityFilter> {
    let text = |text: &str| Some(text.to_owned());
    let at = |time: &str| Time::parse(time);
    let all = ActivityFilter::default;
    vec![
        all(),
        ActivityFilter { agent_id: text("bob"), ..all() },
        ActivityFilter { department: text("research"), ..all() },
        ActivityFilter { activity_type: text("memory_write"), ..all() },
        ActivityFilter { session_id: text("s-1"), ..all() },
        ActivityFilter { related_agent: text("bob"), ..all() },
        ActivityFilter { since: at("2026-01-14T14:51:30Z"), until: at("2026-01-14T14:52:30Z"), ..all() },
        ActivityFilter { open: Some(true), ..all() },
        ActivityFilter { open: Some(false), activity_type: text("reading"), ..all() },
        ActivityFilter { query: text("walrus"), ..all() },
        ActivityFilter { query: text("wal* reading"), open: Some(true), ..all() },
        ActivityFilter { query: text("message"), related_agent: text("bob"), ..all() },
        ActivityFilter { query: text("unicorn"), ..all() },
    ]
}

#[test]
fn what_no_index_knows_yet_is_found_as_what_it_knows() {
    // A hub that is open to read only cannot bring its indexes up to date: it must answer the same all the same.
    let folder = tempfile::tempdir().unwrap();
    let (hub, clock) = still(config());
    fill(&hub, &clock);
    let copy = |name: &str| {
        let path = folder.path().join(name);
        hub.backup(&path).unwrap();
        let seams = Seams { clock: clock.clone(), background: false, ..Seams::default() };
        Hub::open_with(&path, HubConfig { read_only: true, ..config() }, seams).unwrap()
    };
    let untouched = copy("untouched.db");
    assert_eq!(feed(&hub, ActivityFilter::default()).len(), 302);
    fill(&hub, &clock);
    let half = copy("half.db");
    for filter in filters() {
        let expected = feed(&half, filter.clone());
        assert_eq!(ids(&expected), ids(&feed(&hub, filter.clone())), "{filter:?}");
        assert_eq!(expected.is_empty(), filter.query.as_deref() == Some("unicorn"), "{filter:?}");
        let old: Vec<_> =
            expected.iter().filter(|activity| activity.seq <= untouched_head(&untouched)).collect();
        let found = feed(&untouched, filter.clone());
        assert_eq!(found.iter().collect::<Vec<_>>(), old, "{filter:?}");
        let lines = exported(&half, filter.clone(), Format::Jsonl);
        assert_eq!(lines, exported(&hub, filter.clone(), Format::Jsonl), "{filter:?}");
        let stats: Stats = serde_json::from_value(serde_json::to_value(&filter).unwrap()).unwrap();
        assert_eq!(half.run(stats.clone()).unwrap(), hub.run(stats).unwrap(), "{filter:?}");
    }
    hub.check().unwrap();
}

fn untouched_head(hub: &Hub) -> u64 {
    hub.run(folkmoot_engine::events::HubStatus {}).unwrap().seq
}

#[test]
fn a_feed_is_read_in_pages_without_a_gap_or_a_double() {
    let (hub, clock) = still(config());
    fill(&hub, &clock);
    for filter in filters() {
        let whole = feed(&hub, filter.clone());
        let mut paged = Vec::new();
        let mut page = Feed { limit: Some(7), ..of(filter) };
        loop {
            let found = hub.run(page.clone()).unwrap();
            assert!(found.activities.len() <= 7);
            paged.extend(found.activities);
            page.cursor = found.next_cursor;
            if page.cursor.is_none() {
                break;
            }
            // What comes in between is newer: no page of this reading shows it.
            record(&hub, "eve", "interruption");
        }
        assert_eq!(ids(&paged), ids(&whole));
        assert!(paged.is_sorted_by(|a, b| a.seq > b.seq), "newest first");
    }
}

#[test]
fn the_feed_forgets_by_count_and_by_age_but_keeps_the_newest() {
    let keep = HubConfig { retain_activities: 50, ..config() };
    let (hub, _) = still(keep);
    let begun: Vec<_> = (0..80).map(|_| record(&hub, "ana", "x").activity_id).collect();
    hub.tend().unwrap();
    let kept = feed(&hub, ActivityFilter::default());
    assert_eq!(ids(&kept), begun[30..].iter().rev().map(String::as_str).collect::<Vec<_>>());
    let error = hub.run(Complete::new(&begun[29])).unwrap_err();
    assert_eq!(error.code(), Code::NotFound, "{error}");
    hub.run(Complete::new(&begun[30])).unwrap();
    hub.check().unwrap();

    let keep = HubConfig { retain_activity_days: 1.0, retain_activities_least: 20, ..config() };
    let (hub, clock) = still(keep);
    for n in 0..60 {
        hub.run(memory::Set::new(&format!("walrus/{n}"), json!(n))).unwrap();
    }
    clock.advance(Duration::from_secs(2 * 86_400));
    for _ in 0..5 {
        record(&hub, "ana", "x");
    }
    hub.tend().unwrap();
    let kept = feed(&hub, ActivityFilter::default());
    assert_eq!(kept.len(), 20, "old ones stay while they are among the newest");
    let found = feed(&hub, ActivityFilter { query: Some("walrus".into()), ..ActivityFilter::default() });
    assert_eq!(found.len(), 15, "what is forgotten is not found");
    hub.check().unwrap();
}

#[test]
fn at_least_the_last_thousand_stay_by_default_even_when_the_log_has_lost_them() {
    let (hub, clock) = still(HubConfig { retain_events: 10, ..config() });
    for n in 0..1_200 {
        hub.run(memory::Set::new("k", json!(n))).unwrap();
    }
    clock.advance(Duration::from_secs(400 * 86_400));
    hub.tend().unwrap();
    let status = hub.run(folkmoot_engine::events::HubStatus {}).unwrap();
    assert_eq!(status.base_seq, 1_199, "the log keeps the newest of those that are too old");
    let kept = feed(&hub, ActivityFilter::default());
    assert_eq!(kept.len(), 1_000);
    assert_eq!(kept[999].metadata.to_value()["version"], 201);
    hub.check().unwrap();
}

#[test]
fn a_follower_hears_history_and_then_what_comes_once_and_in_order() {
    let hub = Hub::open(":memory:", HubConfig { subscription_queue: 16, ..config() }).unwrap();
    let before: Vec<_> = (0..200).map(|_| record(&hub, "ana", "before").activity_id).collect();
    let only = ActivityFilter { agent_id: Some("ana".into()), ..ActivityFilter::default() };
    let mut follow = hub.follow_activity(only, Some(0)).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..300 {
                    record(&hub, "ana", "during");
                    record(&hub, "bob", "beside");
                }
            });
        }
        let mut heard: Vec<String> = Vec::new();
        while heard.len() < 800 {
            match follow.next(PATIENCE).unwrap().expect("nothing came") {
                FollowItem::Activity(activity) => {
                    assert_eq!(activity.agent_id.as_deref(), Some("ana"));
                    heard.push(activity.activity_id);
                }
                FollowItem::Position { .. } => {}
                gap => panic!("{gap:?}"),
            }
        }
        assert_eq!(heard[..200], before);
        assert_eq!(heard.iter().collect::<HashSet<_>>().len(), 800);
    });
    hub.run(Complete::new(&before[0])).unwrap();
    match follow.next(PATIENCE).unwrap().expect("nothing came") {
        FollowItem::Activity(activity) => assert!(!activity.open && activity.activity_id == before[0]),
        other => panic!("{other:?}"),
    }
    hub.close();
    assert_eq!(follow.next(PATIENCE).unwrap_err().code(), Code::Unavailable);
}

#[test]
fn a_follower_with_words_hears_what_a_search_finds() {
    let hub = Hub::open(":memory:", config()).unwrap();
    let filter =
        ActivityFilter { query: Some("näive wal*".into()), open: Some(true), ..ActivityFilter::default() };
    let mut follow = hub.follow_activity(filter.clone(), None).unwrap();
    for note in ["Naive walrus", "walrus", "naive", "a NAÏVE wall"] {
        let metadata = Some(json!({ "note": note }).into());
        hub.run(Record { metadata, ..Record::new("ana", "x") }).unwrap();
    }
    let mut heard = Vec::new();
    while let Some(item) = follow.try_next().unwrap() {
        if let FollowItem::Activity(activity) = item {
            heard.push(activity.metadata.to_value()["note"].clone());
        }
    }
    assert_eq!(heard, ["Naive walrus", "a NAÏVE wall"]);
    assert_eq!(feed(&hub, filter).len(), 2);
    let bad = ActivityFilter { query: Some("...".into()), ..ActivityFilter::default() };
    assert_eq!(hub.follow_activity(bad, None).err().unwrap().details()["field"], "query");
}

#[test]
fn figures_are_those_of_the_activities() {
    let (hub, clock) = still(config());
    for seconds in 1..=20 {
        let begun = record(&hub, if seconds % 4 == 0 { "bob" } else { "ana" }, "reading");
        clock.advance(Duration::from_secs(seconds));
        hub.run(Complete::new(&begun.activity_id)).unwrap();
    }
    record(&hub, "ana", "reading");
    hub.run(tasks::Create::new("ana", "work")).unwrap();
    hub.run(agents::Register::new("bob")).unwrap();
    let task = hub.run(tasks::Claim::new("bob")).unwrap().unwrap();
    clock.advance(Duration::from_secs(4));
    let (task_id, token) = (task.task_id, Some(task.token));
    hub.run(tasks::Complete { task_id, agent_id: Some("bob".into()), token, ..tasks::Complete::default() })
        .unwrap();
    let stats = hub.run(Stats { bucket_seconds: Some(60.0), ..Stats::default() }).unwrap();
    let of_type = |name: &str| stats.by_type.iter().find(|of| of.activity_type == name).unwrap();
    let reading = of_type("reading");
    assert_eq!((reading.count, reading.open, reading.timed), (21, 1, 20));
    assert_eq!((reading.mean_seconds, reading.p95_seconds), (Some(10.5), Some(19.0)));
    assert_eq!(of_type("task_completed").mean_seconds, Some(4.0), "from claim to completion");
    let ana = &stats.by_agent[0];
    assert_eq!((ana.agent_id.as_str(), ana.count, ana.open), ("ana", 17, 1));
    assert_eq!(stats.buckets.iter().map(|bucket| bucket.count).sum::<u64>(), stats.total);
    assert_eq!(stats.buckets[0].start, Time::parse("2026-01-14T14:50:00Z").unwrap());
    assert_eq!(stats.open, 1);
}

#[test]
fn the_summary_on_demand_is_the_one_that_is_sent() {
    let hub = Hub::open(":memory:", HubConfig { status_interval_seconds: 0.05, ..config() }).unwrap();
    hub.run(agents::Register::new("ana")).unwrap();
    record(&hub, "ana", activity::COUNCIL_SYNTHESIS);
    let asked = hub.run(activity::Status {}).unwrap();
    assert_eq!(asked.agents[0].current_activity.as_deref(), Some("council_synthesis"));
    let filter = folkmoot_engine::Filter::kinds(["agent.status"]);
    let mut listening = hub.subscribe(filter, None).unwrap();
    match listening.next(PATIENCE).unwrap() {
        Some(folkmoot_engine::Item::Event(sent)) => {
            assert_eq!(sent.data.to_value()["agents"], json!(asked.agents));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_feed_is_the_same_after_opening_the_file_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path: &Path = &folder.path().join("team.db");
    let hub = Hub::open(path, config()).unwrap();
    let open = record(&hub, "ana", "x");
    hub.run(memory::Set::new("k", json!(1))).unwrap();
    let before = feed(&hub, ActivityFilter::default());
    hub.close();
    let hub = Hub::open(path, config()).unwrap();
    assert_eq!(feed(&hub, ActivityFilter::default()), before);
    hub.run(Complete::new(&open.activity_id)).unwrap();
    hub.check().unwrap();
}
