"""What a run leaves for the next: `latest.json`, and the comparison with the committed one.

Runs are compared by their scores: ratios to what ran beside them where there are any, since absolute figures
drift with the machine.
"""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from harness.figures import KNOWN, Figure, Figures, Key
from harness.jobs import BENCH, ROOT, Pace
from harness.targets import Verdict

LATEST = BENCH / "latest.json"
TOO_MUCH = 0.15


@dataclass(frozen=True)
class Change:
    """A score that fell."""

    name: str
    before: float
    after: float

    @property
    def by(self) -> float:
        return 1 - self.after / self.before


def record(figures: Figures, verdicts: Iterable[Verdict], pace: Pace, left_out: list[str]) -> dict[str, Any]:
    """Everything of one run, as it is written to `latest.json`."""
    return {
        "when": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "quick": pace.quick,
        "rounds": pace.rounds,
        "machine": machine(),
        "left_out": left_out,
        "apart": [],
        "scores": scores(verdicts),
        "figures": [_figure(figure) for figure in figures.values()],
    }


def scores(verdicts: Iterable[Verdict]) -> dict[str, float]:
    """Each goal's score, by its name."""
    return {name(verdict): round(verdict.score, 6) for verdict in verdicts if verdict.score is not None}


def renewed(run: dict[str, Any], measured: Figures, only: Sequence[str]) -> tuple[dict[str, Any], Figures]:
    """The saved run with the figures of these goals as they were measured now, and all of its figures."""
    saved = json.loads(LATEST.read_text())
    ours = {key: figure for key, figure in measured.items() if not set(figure.targets).isdisjoint(only)}
    kept = [_read(line) for line in saved["figures"]]
    figures = {figure.key: figure for figure in kept if set(figure.targets).isdisjoint(only)} | ours
    apart = [each for each in saved.get("apart", []) if set(each["goals"]).isdisjoint(only)]
    about = {name: run[name] for name in ("when", "commit", "quick", "rounds")}
    saved["apart"] = [*apart, {"goals": list(only), **about}]
    saved["left_out"] += [reason for reason in run["left_out"] if reason not in saved["left_out"]]
    saved["figures"] = [_figure(figure) for figure in figures.values()]
    return saved, figures


def machine() -> str:
    """What a reader has to know of the machine."""
    python = f"Python {platform.python_version()}"
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, {python}"


def name(verdict: Verdict) -> str:
    """One goal, the same in every run."""
    goal = verdict.goal
    return f"{goal.target} {goal.what}" + (f" beside {goal.against}" if goal.against else "")


def save(run: dict[str, Any]) -> None:
    LATEST.write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n")


def committed() -> dict[str, Any] | None:
    """The last committed run, or nothing."""
    text = _git("show", "HEAD:bench/latest.json")
    return json.loads(text) if text else None


def regressions(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """Scores that fell by more than 15 %."""
    pairs = [(each, before["scores"].get(each), score) for each, score in after["scores"].items()]
    changes = [Change(each, old, new) for each, old, new in pairs if old]
    return [change for change in changes if change.by > TOO_MUCH]


def _figure(figure: Figure) -> dict[str, Any]:
    key = figure.key
    about = {"peer": key.peer, "metric": key.metric, "durability": key.durability, "targets": figure.targets}
    if figure.value is None:
        return {**about, "error": figure.error}
    spread = {"low": figure.low, "high": figure.high, "rounds": figure.rounds}
    return {**about, "value": figure.value, "unit": figure.unit, **spread, **figure.more}


def _read(line: dict[str, Any]) -> Figure:
    """What `_figure` wrote."""
    key = Key(line["peer"], line["metric"], line["durability"])
    targets = tuple(line["targets"])
    if "value" not in line:
        return Figure(key, "", targets, None, error=line["error"])
    spread = {name: line[name] for name in ("low", "high", "rounds")}
    more = {name: value for name, value in line.items() if name not in KNOWN | spread.keys()}
    return Figure(key, line["unit"], targets, line["value"], more=more, **spread)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
