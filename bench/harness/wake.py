"""How soon another process hears of a write.

The writer notes when each write starts, the listener notes when each arrives; the two lists are matched by
position. `time.monotonic_ns` reads the same clock in every process of a machine.
"""

import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from harness.measure import QUICK, attempt, figure, percentile, wanted

COUNT = 200 if QUICK else 600
BETWEEN_WRITES = 0.004
PATIENCE = 30.0

# A listener is a function of its module: `listen(ready, count, *arguments)` calls `ready()` once it listens
# and returns the `count` times of arrival.
Listen = Callable[..., list[int]]


def wake_up(
    targets: str,
    peer: str,
    metric: str,
    listen: Listen,
    arguments: tuple[Any, ...],
    write: Callable[[int], object],
    **more: Any,
) -> None:
    """Two figures in microseconds from the start of a write to its arrival: the median and the p99."""
    if not wanted(targets):
        return
    with attempt(targets, peer, metric):
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        child = context.Process(target=_child, args=(theirs, listen, COUNT, arguments), daemon=True)
        child.start()
        try:
            _expect(ours, "ready")
            started = []
            time.sleep(0.1)
            for number in range(COUNT):
                started.append(time.monotonic_ns())
                write(number)
                time.sleep(BETWEEN_WRITES)
            arrived = _expect(ours, "arrived")
        finally:
            child.join(2)
            if child.is_alive():
                child.kill()
        delays = [(to - from_) / 1e3 for from_, to in zip(started, arrived, strict=True)]
        figure(targets, peer, metric, percentile(delays, 0.5), "us", **more)
        figure(targets, peer, f"{metric}, p99", percentile(delays, 0.99), "us", **more)


def _child(pipe: Connection, listen: Listen, count: int, arguments: tuple[Any, ...]) -> None:
    arrived = listen(lambda: pipe.send(("ready", None)), count, *arguments)
    pipe.send(("arrived", arrived))


def _expect(pipe: Connection, word: str) -> Any:
    if not pipe.poll(PATIENCE):
        raise TimeoutError(f"the listener was not {word} within {PATIENCE:.0f} s")
    said, what = pipe.recv()
    if said != word:
        raise RuntimeError(f"the listener said {said!r} instead of {word!r}")
    return what
