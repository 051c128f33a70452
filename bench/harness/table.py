"""The table that `make bench` prints, and the same rows for the page."""

import sys
from collections.abc import Sequence

from harness.figures import UNITS, Figure, Key, shown
from harness.history import Change
from harness.targets import LIMITS, Goal, Verdict

HEADINGS = ("", "what", "goal", "folkmoot", "limit", "peer", "ratio", "")
COLOURS = {"met": "32", "missed": "33", "red": "31"}


def row(verdict: Verdict) -> tuple[str, ...]:
    """One goal as text, in the order of `HEADINGS`."""
    goal, theirs = verdict.goal, beside(verdict)
    is_limit = goal.against is not None and goal.against.peer in LIMITS
    ratio = "" if verdict.ratio is None else f"{verdict.ratio:,.2f} ×"
    limit, peer = (theirs, "") if is_limit else ("", theirs)
    return goal.target, goal.what, goal_text(goal), value(verdict.ours), limit, peer, ratio, verdict.word


def goal_text(goal: Goal) -> str:
    """What has to be reached."""
    if goal.at_most is not None:
        return f"≤ {goal.at_most:g} {UNITS.get(goal.unit, goal.unit)}"
    return f"≥ {goal.times:g} ×" if goal.times is not None else ""


def beside(verdict: Verdict) -> str:
    """What it is compared with, by name and value."""
    against = verdict.goal.against
    return "" if against is None else f"{label(against)} {value(verdict.theirs)}"


def label(key: Key) -> str:
    """Who is compared with; our own other figures are told by their metric."""
    return key.metric if key.peer == "folkmoot" else key.peer


def value(figure: Figure | None) -> str:
    return "not measured" if figure is None else shown(figure.value, figure.unit)


def print_table(verdicts: Sequence[Verdict]) -> None:
    """Columns as wide as they need to be."""
    rows = [HEADINGS, *(row(verdict) for verdict in verdicts)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        print(coloured(line, cells[-1]))


def print_changes(changes: Sequence[Change], compared_with: str) -> None:
    """What became slower than in the committed run, in red."""
    print(f"\nCompared with {compared_with}:", "nothing is more than 15 % slower." if not changes else "")
    for change in changes:
        print(
            coloured(
                f"  {change.name}: {change.by:.0%} slower ({change.before:.3g} → {change.after:.3g})", "red"
            )
        )


def coloured(text: str, kind: str) -> str:
    """In colour on a terminal, plain in a file."""
    code = COLOURS.get(kind)
    return f"\033[{code}m{text}\033[0m" if code and sys.stdout.isatty() else text
