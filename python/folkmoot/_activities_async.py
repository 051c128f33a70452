"""Activities for event loops: following the feed, and writing it out."""

from __future__ import annotations

import os
from typing import IO, Any

from ._activities import PART, text_file
from ._operations_async import Activities as _Activities
from ._subscription_async import AsyncSubscription


class AsyncActivities(_Activities):
    """Operations on activities."""

    __slots__ = ("_hub",)

    def __init__(self, native: Any, call: Any, hub: Any) -> None:
        super().__init__(native, call)
        self._hub = hub

    def follow(
        self,
        *,
        after: int | None = None,
        timeout: float | None = None,
        positions: bool = False,
        **filter: Any,
    ) -> AsyncSubscription:
        """Follows the feed live, as `Activities.follow` does."""
        return AsyncSubscription(self._hub, self._native.follow_feed(filter, after), timeout, positions)

    async def export_to(
        self, to: str | os.PathLike[str] | IO[str], format: str | None = None, **filter: Any
    ) -> int:
        """Writes the feed into a file, as `Activities.export_to` does."""
        given = {"format": format or "jsonl", "limit": PART, **filter}
        part = await self._call("activity.export", given)
        count: int = part.count
        with text_file(to) as file:
            file.write(part.content)
            while part.next_cursor is not None:
                part = await self._call("activity.export", {**given, "cursor": part.next_cursor})
                file.write(part.content)
                count += part.count
        return count
