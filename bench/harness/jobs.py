"""What there is to run, which targets it serves, and how its output is gathered."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
LIMITS = BENCH / "limits" / "target" / "release" / "folkmoot-limits"
SCRATCH = BENCH / ".data"

Line = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """One program that prints figures."""

    name: str
    command: tuple[str, ...]
    targets: frozenset[str]
    needs: str = ""
    """What `setup` must have found or built for it."""
    once: bool = False
    """Whether one run is enough, however many rounds there are."""


@dataclass(frozen=True)
class Pace:
    """How long and how often to measure."""

    seconds: float
    rounds: int
    quick: bool


QUICK = Pace(seconds=0.3, rounds=1, quick=True)
THOROUGH = Pace(seconds=1.0, rounds=3, quick=False)


def jobs(pace: Pace, only: Iterable[str]) -> list[Job]:
    """Limits, peers and folkmoot in turn: what is compared runs close together in time."""
    everything = [
        _limit(pace, "writes", "P1", "P2"),
        _peer("redis", "redis-server", "P1", "P2", "P3", "P4", "P5"),
        Job("folkmoot: pipeline", PIPELINE, frozenset({"P1"}), needs="pipeline"),
        _peer("honker", "", "P2", "P4", "P7"),
        _ours("writes", "P2", "P6"),
        _peer("nats", "nats-server", "P4", "P6"),
        _peer("htmlgraph", "", "P3"),
        _ours("presence", "P3"),
        _limit(pace, "wake", "P4"),
        _ours("wake", "P4"),
        _limit(pace, "reads", "P5"),
        _peer("diskcache", "", "P2", "P5"),
        _ours("memory", "P5"),
        _peer("litequeue", "", "P7"),
        _peer("huey", "", "P7"),
        _ours("tasks", "P7"),
        _limit(pace, "processes", "P11"),
        _ours("processes", "P11"),
        _ours("growth", "P12", once=True),
        _ours("feed", "FEED", once=True),
    ]
    asked = frozenset(only)
    return [job for job in everything if not asked or job.targets & asked]


# The harness builds this beforehand, so that no round measures beside a compiler.
PIPELINE = ("cargo", "bench", "-q", "-p", "folkmoot-engine", "--bench", "pipeline", "--", "--json")


def _limit(pace: Pace, name: str, *targets: str) -> Job:
    command = (str(LIMITS), str(SCRATCH / "limits"), str(pace.seconds), name)
    return Job(f"limit: {name}", command, frozenset(targets), needs="limits")


def _peer(name: str, needs: str, *targets: str) -> Job:
    return Job(f"peer: {name}", (sys.executable, "-m", f"peers.{name}_peer"), frozenset(targets), needs)


def _ours(name: str, *targets: str, once: bool = False) -> Job:
    command = (sys.executable, "-m", f"folkmoot_{name}")
    return Job(f"folkmoot: {name}", command, frozenset(targets), "python", once)


PROBE = Job("probe", (sys.executable, "-m", "harness.probe"), frozenset())


def run(job: Job, pace: Pace, only: Sequence[str]) -> tuple[list[Line], str | None]:
    """The lines that the job printed, and a sentence if it did not end well."""
    environment = {
        **os.environ,
        "BENCH_SECONDS": str(pace.seconds),
        "BENCH_QUICK": "1" if pace.quick else "0",
        "BENCH_ONLY": ",".join(only),
        "BENCH_FOLDER": str(SCRATCH),
    }
    where = ROOT if job.command[0] == "cargo" else BENCH
    try:
        done = subprocess.run(
            job.command, cwd=where, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
    except subprocess.TimeoutExpired:
        return [], "took longer than 10 minutes"
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    for line in lines:
        line.setdefault("targets", sorted(job.targets))
    last_words = (done.stderr.strip().splitlines() or ["no message"])[-1]
    return lines, None if done.returncode == 0 else last_words
