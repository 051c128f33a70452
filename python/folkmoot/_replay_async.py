"""A replay for event loops."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _native
from ._errors import UnavailableError
from ._replay import Played, played_of

if TYPE_CHECKING:
    from ._async import AsyncHub

# How many items are taken from the engine at once.
_AT_ONCE = 100


class AsyncReplay:
    """Plays back what happened, for event loops; made by `AsyncHub.replay`.

    >>> async for event in hub.replay(session_id="sess-1", speed=10):
    ...     print(event.time, event.kind)
    """

    def __init__(self, hub: AsyncHub, open: Callable[[], _native.Playback]) -> None:
        self._hub = hub  # an open replay keeps its hub
        self._open = open
        self._native: _native.Playback | None = None
        self._items: deque[Any] = deque()
        self._left: float | None = 0.0
        self._ended = asyncio.Event()

    def __aiter__(self) -> AsyncReplay:
        return self

    async def __anext__(self) -> Played:
        while not self._items:
            if self._left is None or self._ended.is_set():
                raise StopAsyncIteration
            if self._left > 0:
                await self._rest(self._left)
            try:
                items, self._left = await self._hub._away(self._ready)
            except UnavailableError:
                if self.closed:
                    raise StopAsyncIteration from None
                raise
            self._items.extend(items)
        return played_of(self._items.popleft())

    def _ready(self) -> tuple[list[Any], float | None]:
        if self._native is None:
            self._native = self._open()
        return self._native.ready(_AT_ONCE)

    async def _rest(self, seconds: float) -> None:
        """Until the time is up, the replay is closed, or it is time to look whether the hub still is open."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._ended.wait(), min(seconds, 0.5))

    async def play(self, handler: Callable[[Played], object]) -> int:
        """Calls a function or coroutine function with each item in its turn; answers how many there were."""
        count = 0
        async for item in self:
            done = handler(item)
            if asyncio.iscoroutine(done):
                await done
            count += 1
        return count

    @property
    def closed(self) -> bool:
        """Whether it, or its hub, is closed."""
        return self._ended.is_set() or self._hub.closed

    def close(self) -> None:
        """Ends the replay; whoever waits in it is woken."""
        self._ended.set()
        if self._native is not None:
            self._native.close()

    async def __aenter__(self) -> AsyncReplay:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<AsyncReplay{' (closed)' if self.closed else ''}>"
