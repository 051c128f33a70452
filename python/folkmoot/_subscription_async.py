"""A subscription as an asynchronous iterator."""

from __future__ import annotations

import asyncio
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import _native
from ._bridge import Bridge
from ._errors import UnavailableError
from ._records import Position, Record
from ._subscription import Item, item_of

if TYPE_CHECKING:
    from ._async import AsyncHub

T = TypeVar("T")
C = TypeVar("C", bound="AsyncCursor[Any]")

# How many items are taken from the engine at once.
_AT_ONCE = 100
# After how much silence the engine says how far it has come.
_POSITION_SECONDS = 5.0


class AsyncCursor(Generic[T]):
    """What is read from the log item by item, for event loops."""

    # After how much silence it looks whether the engine has something to say that rings no bell.
    _look_seconds: float | None = None

    def __init__(self, hub: AsyncHub, native: _native.Subscription, timeout: float | None) -> None:
        self._hub = hub  # an open cursor keeps its hub
        self._native = native
        self._timeout = timeout
        self._items: deque[Any] = deque()
        self._position = native.position
        self._rung = asyncio.Event()
        self._bridge: Bridge | None = None
        self._ticket = 0

    def _given(self, raw: Any) -> T | None:
        """An item as the native part gives it; None for one that was not asked for."""
        raise NotImplementedError

    async def next(self, timeout: float | None = None) -> T | None:
        """Waits for the next item.

        Args:
            timeout: Seconds to wait; for ever when left out.

        Returns:
            The item; None when the time is up, or when nothing more can come.

        Raises:
            UnavailableError: It, or its hub, is closed.
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
                raw = self._items.popleft()
                self._position = max(self._position, _seq_of(raw))
                item = self._given(raw)
                if item is not None:
                    return item
            if self._native.ended:
                return None
            left = None if until is None else until - loop.time()
            if left is not None and left <= 0:
                return None
            await self._silence(left)

    async def _silence(self, left: float | None) -> None:
        """Until the bell rings or the time is up."""
        if self._look_seconds is not None:
            left = self._look_seconds if left is None else min(left, self._look_seconds)
        if left is None:
            await self._rung.wait()
            return
        timer = asyncio.get_running_loop().call_later(left, self._rung.set)
        try:
            await self._rung.wait()
        finally:
            timer.cancel()

    def __aiter__(self: C) -> C:
        return self

    async def __anext__(self) -> T:
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
        """The last ``seq`` that was given or passed over: go on with ``after`` this."""
        # What was taken from the engine and not given yet is still to come.
        return self._position if self._items else self._native.position

    @property
    def closed(self) -> bool:
        """Whether it, or its hub, is closed."""
        return self._native.closed

    def close(self) -> None:
        """Ends it; whoever waits in it is woken."""
        self._native.close()
        self._rung.set()
        if self._bridge is not None:
            self._bridge.forget(self._ticket)

    async def __aenter__(self: C) -> C:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.position}{', closed' if self.closed else ''}>"


def _seq_of(raw: Any) -> int:
    """Up to where an item goes, as the native part gives it."""
    if isinstance(raw, tuple):
        return int(raw[1])
    return int(raw["seq"]) if isinstance(raw, Record) else int(raw)


class AsyncSubscription(AsyncCursor[Item]):
    """A cursor on the log, with a filter, for event loops.

    >>> async with hub.subscribe("task.*") as events:
    ...     async for event in events:
    ...         print(event.seq, event.kind, event.data)
    """

    def __init__(
        self, hub: AsyncHub, native: _native.Subscription, timeout: float | None, positions: bool
    ) -> None:
        super().__init__(hub, native, timeout)
        self._positions = positions
        self._look_seconds = _POSITION_SECONDS if positions else None

    def _given(self, raw: Any) -> Item | None:
        item = item_of(raw)
        return item if self._positions or not isinstance(item, Position) else None
