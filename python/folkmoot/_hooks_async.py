"""Hooks that an event loop runs: each question becomes a task of the loop that registered the hook."""

from __future__ import annotations

import asyncio
import inspect

from . import _native
from ._bridge import Bridge
from ._hooks import DEPTH, Function, argument, failed

# How much longer than the engine waits for an answer its task may run: the engine is to notice first.
_LONGER = 0.05


class LoopDesk:
    """The desk of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, bridge: Bridge) -> None:
        self.native = _native.Desk(bridge.native)
        self.functions: dict[str, Function] = {}
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()
        bridge.ring(self.native.ticket, self._take)

    def _take(self) -> None:
        for asked in self.native.take():
            task = self._loop.create_task(self._run(asked), name=f"folkmoot-hook-{asked.hook}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _run(self, asked: _native.Asked) -> None:
        function = self.functions.get(asked.hook)
        if function is None:
            return
        DEPTH.set(asked.depth)
        try:
            answer = function(*argument(asked))
            if inspect.isawaitable(answer):
                answer = await asyncio.wait_for(answer, asked.timeout + _LONGER)
            asked.answer(answer)
        except asyncio.CancelledError:
            asked.fail("the hook was cancelled")
            raise
        except Exception as error:
            failed(asked, error)

    def close(self) -> None:
        """Ends what is under way, but for the task that calls this."""
        self.native.close()
        own = asyncio.current_task()
        for task in self._tasks:
            if task is not own:
                task.cancel()
