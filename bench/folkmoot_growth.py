"""P12: what has piled up must not make the next operation dearer.

Each figure is a ratio: the cost with much stored over the cost with little, taken in alternation.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

from folkmoot_tasks import cycle
from harness.hub import NORMAL, fresh_path, open_hub, register
from harness.measure import QUICK, SECONDS, attempt, figure, loop_us, wanted

FEW = 1_000
MANY = 100_000 if QUICK else 1_000_000
IDLE = 1_000 if QUICK else 10_000
AT_ONCE = 1_000
ROUNDS = 7
OPENINGS = 7


def main() -> None:
    if not wanted("P12"):
        return
    with attempt("P12", "folkmoot", "idle subscriptions"):
        subscriptions()
    with attempt("P12", "folkmoot", "stored keys"):
        stored_keys()
    with attempt("P12", "folkmoot", "stored tasks"):
        stored_tasks()


def compare(metric: str, few: Callable[[], object], many: Callable[[], object], count: int) -> None:
    """Both calls in alternation, so that a slow spell of the machine meets both."""
    calls = max(50, int(SECONDS * 2_000))
    pairs = [(loop_us(few, calls), loop_us(many, calls)) for _ in range(ROUNDS)]
    before, after = (statistics.median(column) for column in zip(*pairs, strict=True))
    figure(
        "P12",
        "folkmoot",
        metric,
        after / before,
        "x",
        from_us=round(before, 2),
        to_us=round(after, 2),
        count=count,
    )


def subscriptions() -> None:
    quiet, crowded = open_hub(), open_hub(max_subscriptions=IDLE)
    idle = [crowded.subscribe(kinds=["task.*"], agents=[f"idle-{number}"]) for number in range(IDLE)]
    one = quiet.subscribe(kinds=["task.*"])
    compare(
        "growth with idle subscriptions",
        lambda: quiet.memory.set("k", 1),
        lambda: crowded.memory.set("k", 1),
        len(idle),
    )
    one.close()
    quiet.close()
    crowded.close()


def stored_keys() -> None:
    few, path = open_hub(), fresh_path()
    many = open_hub(path)
    fill_keys(few, FEW)
    fill_keys(many, MANY)
    compare("growth of memory.set", lambda: few.memory.set("n/1", 1), lambda: many.memory.set("n/1", 1), MANY)
    publish = lambda hub: hub.events.publish(event_type="bench", source_agent="a", payload=1)
    compare("growth of event.publish", lambda: publish(few), lambda: publish(many), MANY)
    compare("growth of memory.get", lambda: few.memory.get("n/2"), lambda: many.memory.get("n/2"), MANY)
    few.close()
    many.close()
    opening(path)


def fill_keys(hub, count: int) -> None:
    for start in range(0, count, AT_ONCE):
        hub.memory.set_many(
            [{"key": f"n/{number}", "value": number} for number in range(start, start + AT_ONCE)]
        )


def opening(path: Path) -> None:
    """From the call until the hub answers a read."""
    times = []
    for _ in range(OPENINGS):
        start = time.perf_counter()
        with open_hub(path) as hub:
            hub.memory.get("n/2")
            times.append((time.perf_counter() - start) * 1e3)
    figure("P12", "folkmoot", "open", statistics.median(times), "ms", count=MANY, **NORMAL)


def stored_tasks() -> None:
    few, many = open_hub(), open_hub()
    for hub, count in ((few, FEW), (many, MANY)):
        register(hub, "worker")
        for _ in range(0, count, AT_ONCE):
            tasks = [{"title": "stored", "requires": ["nobody"]}] * (AT_ONCE // 2) + [{"title": "stored"}] * (
                AT_ONCE // 2
            )
            hub.tasks.create_many(creator_id="worker", tasks=tasks)
    compare("growth of a task's life", lambda: cycle(few, "worker"), lambda: cycle(many, "worker"), MANY)
    few.close()
    many.close()


if __name__ == "__main__":
    main()
