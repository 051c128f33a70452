"""Measuring inside one benchmark script.

A script measures one product. Each figure goes to standard output as one JSON line and says which targets
it serves, so that `run.py --only P3` runs nothing else. A call that fails becomes a line with the error:
the other figures are still wanted.
"""

import atexit
import contextlib
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

SECONDS = float(os.environ.get("BENCH_SECONDS", "1"))
QUICK = os.environ.get("BENCH_QUICK") == "1"
ONLY = set(filter(None, os.environ.get("BENCH_ONLY", "").split(",")))

# About 250 bytes of JSON, like one presence update.
BODY = {
    "agent_id": "agent-0001",
    "status": "active",
    "last_tool_name": "Edit",
    "current_feature_id": "feat-8c1b2",
    "session_id": "sess-19f2",
    "tokens": 1234,
    "detail": "x" * 100,
}
TEXT = json.dumps(BODY)


def wanted(targets: str) -> bool:
    """Whether any of these targets (`"P2 P3"`) was asked for."""
    return not ONLY or not ONLY.isdisjoint(targets.split())


def figure(targets: str, peer: str, metric: str, value: float, unit: str, **more: Any) -> None:
    """Says one figure."""
    line = {
        "peer": peer,
        "metric": metric,
        "value": round(value, 3),
        "unit": unit,
        "targets": targets.split(),
    }
    print(json.dumps({**line, **more}), flush=True)


@contextlib.contextmanager
def attempt(targets: str, peer: str, metric: str) -> Iterator[None]:
    """Turns an error into a line that says so."""
    try:
        yield
    except Exception as error:  # whatever a product throws, the others are still measured
        line = {"peer": peer, "metric": metric, "error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps({**line, "targets": targets.split()}), flush=True)


def scratch() -> Path:
    """A fresh folder on the disk that is measured; gone when the script ends."""
    base = Path(os.environ.get("BENCH_FOLDER", ".data"))
    base.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=base)).resolve()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which the share `part` lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def spread(times_ns: Sequence[float]) -> dict[str, float]:
    """Median and p99 in microseconds."""
    return {f"p{part}_us": round(percentile(times_ns, part / 100) / 1e3, 2) for part in (50, 99)}


def rate(
    targets: str, peer: str, metric: str, call: Callable[[int], object], each: int = 1, **more: Any
) -> None:
    """Calls `call(number)` until the time is up. The figure is calls a second, times `each`."""
    if not wanted(targets):
        return
    with attempt(targets, peer, metric):
        times: list[int] = []
        clock = time.perf_counter_ns
        for number in range(3):
            call(number)
        number, start = 3, clock()
        now, end = start, start + int(SECONDS * 1e9)
        while now < end:
            call(number)
            number, before, now = number + 1, now, clock()
            times.append(now - before)
        value = len(times) * each / ((now - start) / 1e9)
        figure(targets, peer, metric, value, "ops/s", **(spread(times) if each == 1 else {}), **more)


def cost(
    targets: str, peer: str, metric: str, call: Callable[[], object], each: int = 1, **more: Any
) -> None:
    """Microseconds a call, over `each`, for calls too cheap to time singly: the median of five loops."""
    if not wanted(targets):
        return
    with attempt(targets, peer, metric):
        few = max(3, 100 // each)
        loop_us(call, few)
        count = max(few, int(SECONDS / 5 * 1e6 / max(loop_us(call, few), 0.01)))
        loops = [loop_us(call, count) for _ in range(5)]
        figure(targets, peer, metric, statistics.median(loops) / each, "us", **more)


def loop_us(call: Callable[[], object], count: int) -> float:
    """Microseconds a call in one loop of `count`."""
    start = time.perf_counter_ns()
    for _ in repeat(None, count):
        call()
    return (time.perf_counter_ns() - start) / count / 1e3
