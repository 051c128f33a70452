"""From the lines of several rounds to one figure each: the median, and how far the rounds lay apart."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from harness.jobs import Line

UNITS = {"us": "µs", "x": "×", "ops/s": "/s", "events/s": "/s"}
KNOWN = {"peer", "metric", "value", "unit", "durability", "targets", "error"}


@dataclass(frozen=True)
class Key:
    """What a figure is about."""

    peer: str
    metric: str
    durability: str = ""

    def __str__(self) -> str:
        return f"{self.peer} {self.metric}" + (f" ({self.durability})" if self.durability else "")


@dataclass(frozen=True)
class Figure:
    """A median over rounds; `value` is missing when every round failed, and `error` says why."""

    key: Key
    unit: str
    targets: tuple[str, ...]
    value: float | None
    low: float = 0.0
    high: float = 0.0
    rounds: int = 0
    more: dict[str, Any] = field(default_factory=dict)
    error: str = ""

    @property
    def more_is_better(self) -> bool:
        """Rates are; times, shares and ratios of cost are not."""
        return self.unit.endswith("/s")


Figures = dict[Key, Figure]


def gather(lines: Iterable[Line]) -> Figures:
    """One figure for each (peer, metric, durability), in the order of their first appearance."""
    by_key: dict[Key, list[Line]] = {}
    for line in lines:
        key = Key(line["peer"], line["metric"], line.get("durability", ""))
        by_key.setdefault(key, []).append(line)
    return drop_answered_errors({key: _one(key, rounds) for key, rounds in by_key.items()})


def _one(key: Key, lines: list[Line]) -> Figure:
    good = [line for line in lines if "value" in line]
    targets = tuple(lines[0]["targets"])
    if not good:
        return Figure(key, "", targets, None, error=lines[-1].get("error", "no value"))
    values = [float(line["value"]) for line in good]
    numbers = {
        name for line in good for name, value in line.items() if isinstance(value, int | float)
    } - KNOWN
    more = {
        name: round(statistics.median(line[name] for line in good if name in line), 2)
        for name in sorted(numbers)
    }
    middle = statistics.median(values)
    return Figure(key, good[0]["unit"], targets, middle, min(values), max(values), len(values), more)


def drop_answered_errors(figures: Figures) -> Figures:
    """An error line knows no durability: it stands for a figure only where no round gave one."""
    measured = {(key.peer, key.metric) for key, figure in figures.items() if figure.value is not None}
    return {
        key: figure
        for key, figure in figures.items()
        if figure.value is not None or (key.peer, key.metric) not in measured
    }


def shown(value: float | None, unit: str) -> str:
    """A figure for people: three significant digits are all that a benchmark knows."""
    if value is None:
        return "not measured"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {UNITS.get(unit, unit)}".rstrip()
