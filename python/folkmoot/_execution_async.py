"""A task followed from outside, for event loops."""

from __future__ import annotations

from typing import Any

from ._execution import Update
from ._subscription_async import AsyncCursor


class AsyncExecution(AsyncCursor[Update]):
    """A task that is followed: what has happened, then live, to its end.

    >>> async for update in hub.tasks.follow(task.id):
    ...     print(update.type, update.task_id, update.status)
    """

    def _given(self, raw: Any) -> Update:
        update: Update = raw
        return update

    @property
    def ended(self) -> bool:
        """Whether the task has ended and its end was given."""
        return self._native.ended and not self._items
