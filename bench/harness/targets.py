"""The goals, and whether they are met. This is the only place that knows them.

A goal is either a ratio to something measured in the same run, or a bound of its own. Ratios are turned so
that more is better: for rates ours/theirs, for times theirs/ours.
"""

from dataclasses import dataclass

from harness.figures import Figure, Figures, Key

LIMITS = {"rusqlite", "wake-up"}


@dataclass(frozen=True)
class Goal:
    """What one figure of ours has to reach."""

    target: str
    what: str
    ours: Key
    times: float | None = None
    """The ratio to reach; without it the figure is only shown beside ours."""
    against: Key | None = None
    at_most: float | None = None
    unit: str = "us"
    """Of `at_most`."""


@dataclass(frozen=True)
class Verdict:
    """A goal beside what was measured. `ratio` and `met` are missing when either side was not measured."""

    goal: Goal
    ours: Figure | None
    theirs: Figure | None
    ratio: float | None
    met: bool | None

    @property
    def word(self) -> str:
        if self.met is None:
            return "beside" if self.ratio is not None else "not measured"
        return "met" if self.met else "missed"

    @property
    def score(self) -> float | None:
        """More is better; what a later run is compared by."""
        if self.ratio is not None or self.ours is None or not self.ours.value:
            return self.ratio
        return 1 / self.ours.value if self.goal.at_most is not None else None


def _folkmoot(metric: str, durability: str = "") -> Key:
    return Key("folkmoot", metric, durability)


def _pipeline() -> list[Goal]:
    goals = []
    for level in ("NORMAL", "FULL"):
        for batch in (1, 10, 100, 1000):
            ours = _folkmoot(f"pipeline batch={batch}", level)
            what = f"events through the pipeline, batch {batch}, {level.lower()}"
            goals.append(Goal("P1", what, ours, 0.7, Key("rusqlite", f"event+state batch={batch}", level)))
    redis = Key("redis AOF always", "SET, 100 in a pipeline", "FULL")
    goals.append(
        Goal("P1", "the same, batch 100, beside Redis", _folkmoot("pipeline batch=100", "FULL"), None, redis)
    )
    return goals


def _one_write() -> list[Goal]:
    presence = Key("redis", "presence: HSET, PUBLISH")
    goals = []
    for metric in ("memory.set", "event.publish"):
        ours = _folkmoot(metric, "NORMAL")
        goals += [
            Goal("P2", f"one {metric}, normal", ours, 0.7, Key("rusqlite", "event+state batch=1", "NORMAL")),
            Goal("P2", f"one {metric}, normal", ours, 2.5, presence),
            Goal("P2", f"one {metric}, normal", ours, 1.5, Key("honker", "publish", "NORMAL")),
        ]
    return goals


def _presence() -> list[Goal]:
    call = _folkmoot("presence.update, a call")
    kept = _folkmoot("presence.update, each event kept")
    return [
        Goal("P3", "presence.update, a call", call, at_most=1.5),
        Goal("P3", "presence.update, a call", call, 50, Key("redis", "presence: HSET, PUBLISH, a call")),
        Goal("P3", "sustained, each event kept", kept, 8, Key("redis", "presence: HSET, PUBLISH")),
        Goal("P3", "sustained, each event kept", kept, 80, Key("htmlgraph", "update_presence with SQLite")),
    ]


def _wake() -> list[Goal]:
    ours = _folkmoot("memory.set to subscriber", "NORMAL")
    return [
        Goal("P4", "write to subscriber, p50", ours, at_most=150),
        Goal(
            "P4",
            "write to subscriber, p99",
            _folkmoot("memory.set to subscriber, p99", "NORMAL"),
            at_most=1000,
        ),
        Goal("P4", "an idle process", _folkmoot("idle process"), at_most=0.5, unit="% of a core"),
        Goal("P4", "write to subscriber, p50", ours, None, Key("wake-up", "write to seen, futex", "NORMAL")),
        Goal("P4", "write to subscriber, p50", ours, None, Key("honker", "notify to listener", "NORMAL")),
        Goal("P4", "write to subscriber, p50", ours, None, Key("redis", "HSET, PUBLISH to subscriber")),
        Goal("P4", "write to subscriber, p50", ours, None, Key("nats", "KV put to watcher", "NORMAL")),
    ]


def _memory() -> list[Goal]:
    get = _folkmoot("memory.get", "NORMAL")
    set_if = _folkmoot("memory.set with expected_version", "NORMAL")
    return [
        Goal("P5", "memory.get", get, at_most=2.5),
        Goal("P5", "memory.get", get, None, Key("rusqlite", "point read")),
        Goal("P5", "memory.get", get, 2, Key("diskcache", "get")),
        Goal("P5", "memory.get", get, 30, Key("redis", "GET")),
        Goal("P6", "compare-and-set, normal", set_if, at_most=20),
        Goal(
            "P6",
            "compare-and-set, normal",
            set_if,
            8,
            Key("nats", "KV update with expected revision", "NORMAL"),
        ),
    ]


def _tasks() -> list[Goal]:
    cycle = "task create, claim, complete"
    huey = Key("huey", "enqueue, dequeue, execute", "FULL")
    normal, batch = _folkmoot(cycle, "NORMAL"), _folkmoot(f"{cycle}, batch=100", "NORMAL")
    hundred = Key("honker", "enqueue, claim, ack, batch=100", "NORMAL")
    return [
        Goal("P7", "a task's life, normal", normal, 2, Key("honker", "enqueue, claim, ack", "NORMAL")),
        Goal("P7", "a task's life, normal", normal, 1.2, Key("litequeue", "put, pop, done", "NORMAL")),
        Goal("P7", "a task's life, batch 100, normal", batch, 4, hundred),
        Goal("P7", "a task's life, full", _folkmoot(cycle, "FULL"), 0.85, huey),
        Goal("P7", "a task's life, full, 8 workers", _folkmoot(f"{cycle}, 8 workers", "FULL"), 3, huey),
    ]


def _processes_and_growth() -> list[Goal]:
    four, one = (_folkmoot(f"writing processes={count}", "NORMAL") for count in (4, 1))
    stall = _folkmoot("writing processes=4, longest stall", "NORMAL")
    raw, raw_stall = (Key("rusqlite", key.metric, "NORMAL") for key in (four, stall))
    return [
        Goal("P11", "four writing processes beside one", four, 0.8, one),
        Goal("P11", "four writing processes", four, None, raw),
        Goal("P11", "the longest stall of four", stall, at_most=20, unit="ms"),
        Goal("P11", "the longest stall of four", stall, None, raw_stall),
        Goal("P12", "idle subscriptions", _folkmoot("growth with idle subscriptions"), at_most=1.1, unit="x"),
        Goal(
            "P12",
            "memory.set, many keys and events stored",
            _folkmoot("growth of memory.set"),
            at_most=1.2,
            unit="x",
        ),
        Goal(
            "P12",
            "event.publish, many keys and events stored",
            _folkmoot("growth of event.publish"),
            at_most=1.2,
            unit="x",
        ),
        Goal(
            "P12",
            "memory.get, many keys and events stored",
            _folkmoot("growth of memory.get"),
            at_most=1.2,
            unit="x",
        ),
        Goal(
            "P12",
            "a task's life, many tasks stored",
            _folkmoot("growth of a task's life"),
            at_most=1.2,
            unit="x",
        ),
        Goal("P12", "opening a hub with many events", _folkmoot("open", "NORMAL"), at_most=50, unit="ms"),
    ]


def _feed() -> list[Goal]:
    goals = [
        Goal("FEED", f"a page of a large feed, {name}", _folkmoot(f"feed: {name}"), at_most=50, unit="ms")
        for name in ("newest", "by agent", "by type", "by session", "open", "a rare word", "a common word")
    ]
    for format in ("csv", "json", "jsonl"):
        peak = _folkmoot(f"feed: export, {format}, peak memory")
        goals.append(Goal("FEED", f"export as {format}, peak memory", peak, at_most=64, unit="MiB"))
    return goals


GOALS = [
    *_pipeline(),
    *_one_write(),
    *_presence(),
    *_wake(),
    *_memory(),
    *_tasks(),
    *_processes_and_growth(),
    *_feed(),
]


def judge(goal: Goal, figures: Figures) -> Verdict:
    """Compares one goal with what was measured."""
    ours = figures.get(goal.ours)
    theirs = figures.get(goal.against) if goal.against else None
    if ours is None or not ours.value:
        return Verdict(goal, ours, theirs, None, None)
    if goal.at_most is not None:
        return Verdict(goal, ours, None, None, ours.value <= goal.at_most)
    if theirs is None or not theirs.value:
        return Verdict(goal, ours, theirs, None, None)
    ratio = ours.value / theirs.value if ours.more_is_better else theirs.value / ours.value
    return Verdict(goal, ours, theirs, ratio, None if goal.times is None else ratio >= goal.times)


def verdicts(figures: Figures, only: set[str]) -> list[Verdict]:
    """One for each goal that was asked for."""
    return [judge(goal, figures) for goal in GOALS if not only or goal.target in only]
