"""A subscription as an asynchronous iterator."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _native
from ._bridge import Bridge
from ._errors import UnavailableError
from ._records import Position
from ._subscription import Item, item_of

if TYPE_CHECKING:
    from ._async import AsyncHub

# How many items are taken from the engine at once.
_AT_ONCE = 100
# After how much silence the engine says how far it has come.
_POSITION_SECONDS = 5.0


class AsyncSubscription:
    """A cursor on the log, with a filter, for event loops.

    >>> async with hub.subscribe("task.*") as events:
    ...     async for event in events:
    ...         print(event.seq, event.kind, event.data)
    """

    def __init__(
        self, hub: AsyncHub, native: _native.Subscription, timeout: float | None, positions: bool
    ) -> None:
        self._hub = hub  # an open subscription keeps its hub
        self._native = native
        self._timeout = timeout
        self._positions = positions
        self._items: deque[Any] = deque()
        self._rung = asyncio.Event()
        self._bridge: Bridge | None = None
        self._ticket = 0

    async def next(self, timeout: float | None = None) -> Item | None:
        """Waits for the next item.

        Args:
            timeout: Seconds to wait; for ever when left out.

        Returns:
            An `Event` (an `Activity` where the feed is followed), a `Gap`, a `Position` if they were asked
            for, or None when the time is up.

        Raises:
            UnavailableError: The subscription or its hub is closed.
        """
        loop = asyncio.get_running_loop()
        if self._bridge is None:
            self._bridge = self._hub._bridge()
            self._ticket = self._bridge.listen(self._native, self._rung.set)
        until = None if timeout is None else loop.time() + timeout
        while True:
            self._rung.clear()
            if not self._items:
                self._items.extend(self._native.take(_AT_ONCE))
            while self._items:
                item = item_of(self._items.popleft())
                if self._positions or not isinstance(item, Position):
                    return item
            left = None if until is None else until - loop.time()
            if left is not None and left <= 0:
                return None
            await self._silence(left)

    async def _silence(self, left: float | None) -> None:
        """Until the bell rings or the time is up."""
        if self._positions:
            left = _POSITION_SECONDS if left is None else min(left, _POSITION_SECONDS)
        if left is None:
            await self._rung.wait()
            return
        timer = asyncio.get_running_loop().call_later(left, self._rung.set)
        try:
            await self._rung.wait()
        finally:
            timer.cancel()

    def __aiter__(self) -> AsyncSubscription:
        return self

    async def __anext__(self) -> Item:
        try:
            item = await self.next(self._timeout)
        except UnavailableError:
            if self._native.closed:
                raise StopAsyncIteration from None
            raise
        if item is None:
            raise StopAsyncIteration
        return item

    @property
    def position(self) -> int:
        """The last ``seq`` that was given or passed over: subscribe again with ``after`` this."""
        return self._native.position

    @property
    def closed(self) -> bool:
        """Whether it, or its hub, is closed."""
        return self._native.closed

    def close(self) -> None:
        """Ends the subscription; whoever waits in it is woken."""
        self._native.close()
        self._rung.set()
        if self._bridge is not None:
            self._bridge.forget(self._ticket)

    async def __aenter__(self) -> AsyncSubscription:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<AsyncSubscription at {self.position}{', closed' if self.closed else ''}>"
