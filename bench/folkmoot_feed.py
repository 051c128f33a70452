"""FEED: a feed of many activities: found, searched, counted, written out and played.

One process fills the hub. Each way of reading it runs in a process of its own, so that the peak of memory is
that way's alone.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from harness.hub import fresh_path, open_hub
from harness.measure import QUICK, attempt, figure, scratch, wanted

COUNT = 50_000 if QUICK else 1_000_000
AGENTS, DEPARTMENTS, SESSIONS = 100, 8, 1_000
TYPES = ("council_debate", "council_synthesis", "memory_read", "agent_started", "reading", "writing")
# One in so many is completed; one in so many has a word that hardly any other has.
COMPLETED, RARE = 10, 10_000
# One in so many is what the engine did: a key that was written.
ENGINE = 10
CALLS = 9
# More than the defaults keep, so that nothing is taken away while it is measured.
KEEP = {"retain_activities": 10 * COUNT, "retain_events": 10 * COUNT}


def main() -> None:
    if not wanted("FEED"):
        return
    path = fresh_path()
    with attempt("FEED", "folkmoot", "feed: recorded"):
        fill(path)
        for way in WAYS:
            subprocess.run([sys.executable, "-m", "folkmoot_feed", way, str(path)], check=True)


def fill(path: Path) -> None:
    """The activities, in the mixture that the names above say."""
    hub = open_hub(path, **KEEP)
    start = time.perf_counter()
    for number in range(COUNT):
        if number % ENGINE == 1:
            hub.memory.set(f"plans/{number % SESSIONS}", number, agent_id=f"agent-{number % AGENTS}")
            continue
        word = f"rare{number // RARE}" if number % RARE == 0 else "common"
        activity = hub.activities.record(
            f"agent-{number % AGENTS}",
            TYPES[number % len(TYPES)],
            department=f"department-{number % DEPARTMENTS}",
            session_id=f"session-{number % SESSIONS}",
            related_agents=[f"agent-{(number + 1) % AGENTS}"],
            metadata={"topic": f"a {word} topic", "number": number},
        )
        if number % COMPLETED == 0:
            hub.activities.complete(activity.activity_id, result={"votes": 3})
    written = time.perf_counter()
    hub.activities.feed(limit=1)  # waits for the indexes
    indexed = time.perf_counter()
    rate = COUNT / (indexed - start)
    figure(
        "FEED",
        "folkmoot",
        "feed: recorded and indexed",
        rate,
        "events/s",
        count=COUNT,
        write_seconds=round(written - start, 2),
        index_seconds=round(indexed - written, 2),
    )
    hub.close()
    size = sum(file.stat().st_size for file in path.parent.iterdir())
    figure("FEED", "folkmoot", "feed: bytes of file an activity", size / COUNT, "bytes", count=COUNT)


def find(path: Path) -> None:
    """A page of the newest hundred, by every filter."""
    hub = open_hub(path, **KEEP)
    newest, oldest = began(hub.activities.feed(limit=1).activities[0]), began(first(hub))
    span = (newest - oldest) / 10
    for name, filter in (
        ("newest", {}),
        ("by agent", {"agent_id": "agent-7"}),
        ("by type", {"activity_type": "reading"}),
        ("by agent and type", {"agent_id": "agent-8", "activity_type": "memory_read"}),
        ("by department", {"department": "department-3"}),
        ("by session", {"session_id": "session-42"}),
        ("by related agent", {"related_agent": "agent-9"}),
        ("open", {"open": True}),
        ("since", {"since": (newest - span).isoformat()}),
        ("since a moment ago", {"since": newest.isoformat()}),
        ("until", {"until": (oldest + span).isoformat()}),
        ("a rare word", {"query": "rare1"}),
        ("a common word", {"query": "common"}),
        ("a word of an agent", {"query": "common", "agent_id": "agent-5"}),
        ("a word that is nowhere", {"query": "nowhere"}),
    ):
        call = lambda filter=filter: hub.activities.feed(**filter)
        figure("FEED", "folkmoot", f"feed: {name}", milliseconds(call), "ms", found=len(call().activities))
    figure("FEED", "folkmoot", "feed: finding, peak memory", peak_mib(), "MiB")
    hub.close()


def first(hub):
    """The oldest activity."""
    follow = hub.activities.follow(after=0)
    with follow:
        return next(follow)


def began(activity) -> datetime:
    return datetime.fromisoformat(activity.timestamp)


def count(path: Path) -> None:
    hub = open_hub(path, **KEEP)
    spent = seconds(lambda: hub.activities.stats(bucket_seconds=1))
    figure("FEED", "folkmoot", "feed: figures of all", spent, "s", count=COUNT, peak_mib=peak_mib())
    hub.close()


def export(path: Path, format: str) -> None:
    hub = open_hub(path, **KEEP)
    before = peak_mib()
    to = scratch() / f"feed.{format}"
    spent = seconds(lambda: hub.activities.export_to(to, format))
    size = round(to.stat().st_size / 2**20, 1)
    figure("FEED", "folkmoot", f"feed: export, {format}", COUNT / spent, "events/s", file_mib=size)
    figure("FEED", "folkmoot", f"feed: export, {format}, peak memory", peak_mib(), "MiB", before_mib=before)
    hub.close()


def play(path: Path) -> None:
    hub = open_hub(path, **KEEP)
    played = 0

    def hear(_) -> None:
        nonlocal played
        played += 1

    spent = seconds(lambda: hub.replay(speed="max").play(hear))
    figure(
        "FEED", "folkmoot", "feed: replay without waiting", played / spent, "events/s", peak_mib=peak_mib()
    )
    hub.close()


WAYS: dict[str, Callable[[Path], None]] = {
    "find": find,
    "count": count,
    "csv": lambda path: export(path, "csv"),
    "json": lambda path: export(path, "json"),
    "jsonl": lambda path: export(path, "jsonl"),
    "play": play,
}


def milliseconds(call: Callable[[], object]) -> float:
    """The median of several calls, after one to warm up."""
    call()
    return statistics.median(seconds(call) for _ in range(CALLS)) * 1e3


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def peak_mib() -> float:
    """The most memory that this process has held, program and libraries included."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return round(int(status.split("VmHWM:")[1].split()[0]) / 1024, 1)


if __name__ == "__main__":
    WAYS[sys.argv[1]](Path(sys.argv[2])) if len(sys.argv) > 1 else main()
