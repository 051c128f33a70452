"""Activities: following the feed, and writing it out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from ._operations import Activities as _Activities
from ._subscription import Subscription

# Activities of one part of an export.
PART = 1_000


@contextmanager
def text_file(to: str | os.PathLike[str] | IO[str]) -> Iterator[IO[str]]:
    """The file to write to: a new one, or the one that was given."""
    if isinstance(to, (str, os.PathLike)):
        with open(to, "x", encoding="utf-8", newline="") as file:
            yield file
    else:
        yield to


class Activities(_Activities):
    """Operations on activities."""

    __slots__ = ()

    def follow(
        self,
        *,
        after: int | None = None,
        timeout: float | None = None,
        positions: bool = False,
        **filter: Any,
    ) -> Subscription:
        """Follows the feed live: first what was, then what comes, nothing twice.

        Args:
            after: Start after this ``seq``, 0 for the beginning; from now when left out.
            timeout: Seconds of silence after which iterating ends; never when left out.
            positions: Also give a `Position` now and then while nothing matches.
            **filter: Fields of ``activity.feed``: ``agent_id``, ``activity_type``, ``query`` …

        >>> for activity in hub.activities.follow(agent_id="ana"):
        ...     print(activity.activity_type, activity.open)
        """
        return Subscription(self, self._native.follow_feed(filter, after), timeout, positions)

    def export_to(
        self, to: str | os.PathLike[str] | IO[str], format: str | None = None, **filter: Any
    ) -> int:
        """Writes the feed into a file, oldest first, in bounded memory; answers how many there were.

        Args:
            to: The path of a file that is not there yet, or an open text file.
            format: ``jsonl`` (also when left out), ``json`` or ``csv``.
            **filter: Fields of ``activity.feed``: ``agent_id``, ``since``, ``query`` …

        Raises:
            FileExistsError: The path is there already.
        """
        given = {"format": format or "jsonl", "limit": PART, **filter}
        part = self._call("activity.export", given)
        count: int = part.count
        with text_file(to) as file:
            file.write(part.content)
            while part.next_cursor is not None:
                part = self._call("activity.export", {**given, "cursor": part.next_cursor})
                file.write(part.content)
                count += part.count
        return count
