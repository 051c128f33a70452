"""The way back into an event loop.

Calls are handed to threads of the engine; their answers come back through one pipe that the loop watches.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from . import _native


class Bridge:
    """The way back into one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, release: Callable[[str, Any], None]) -> None:
        self.native = _native.Bridge()
        self._loop = loop
        self._release = release
        self._futures: dict[int, asyncio.Future[Any]] = {}
        self._given_up: dict[int, str] = {}
        self._bells: dict[int, Callable[[], None]] = {}
        loop.add_reader(self.native.fileno(), self._drain)

    async def call(self, hub: _native.Hub, name: str, input: dict[str, Any]) -> Any:
        ticket = hub.submit(self.native, name, input)
        future = self._loop.create_future()
        self._futures[ticket] = future
        try:
            return await future
        except asyncio.CancelledError:
            if self._futures.pop(ticket, None) is not None:
                self._given_up[ticket] = name
                self.native.cancel(ticket)
            raise

    def listen(self, subscription: _native.Subscription, bell: Callable[[], None]) -> int:
        ticket = subscription.tell(self.native)
        self._bells[ticket] = bell
        return ticket

    def ring(self, ticket: int, bell: Callable[[], None]) -> None:
        self._bells[ticket] = bell

    def forget(self, ticket: int) -> None:
        self._bells.pop(ticket, None)

    async def settle(self) -> None:
        """Waits until nothing is under way, then stops watching."""
        while self._futures or self._given_up:
            await asyncio.sleep(0.001)
        self._loop.remove_reader(self.native.fileno())

    def _drain(self) -> None:
        for ticket, good, value in self.native.take():
            if (bell := self._bells.get(ticket)) is not None:
                bell()
            elif (future := self._futures.pop(ticket, None)) is not None:
                if not future.done():
                    future.set_result(value) if good else future.set_exception(value)
            elif (name := self._given_up.pop(ticket, None)) is not None and good:
                self._release(name, value)
