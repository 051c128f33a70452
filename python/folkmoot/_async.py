"""The hub for event loops: the same methods as coroutines.

Calls are handed to threads of the engine; their answers come back through one pipe that the loop watches.
A call that is cancelled ends its wait in the engine, too.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Generator, Iterable
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _process
from ._activities_async import AsyncActivities
from ._bridge import Bridge
from ._errors import ConflictError, ForkedProcessError, NotFoundError
from ._execution_async import AsyncExecution
from ._hooks import Hooking
from ._hub import _TRIES, given, here, open_native, point_of, reduced, shown
from ._native import Hub as NativeHub
from ._operations_async import Memory as _Memory
from ._operations_async import Operations
from ._operations_async import Tasks as _Tasks
from ._replay_async import AsyncReplay
from ._subscription import filter_of
from ._subscription_async import AsyncSubscription
from .types import Entry

if TYPE_CHECKING:
    from datetime import datetime

    from ._agent_async import AsyncAgent
    from ._hooks_async import LoopDesk


class Memory(_Memory):
    """Operations on memory."""

    __slots__ = ()

    async def update(
        self,
        key: str,
        change: Callable[[Any], Any],
        *,
        default: Any = None,
        agent_id: str | None = None,
        ttl_seconds: float | None = None,
    ) -> Entry:
        """Changes a value by a function, safely while others do the same.

        Args:
            key: The key.
            change: Given the value, answers the new one. It is called again when another change came between.
            default: The value of a key that is not there.
            agent_id: Who writes; access control is that agent's.
            ttl_seconds: Seconds after which the key ends by itself.

        Returns:
            The entry as it was written.
        """
        for _ in range(_TRIES):
            try:
                entry = await self.get(key, agent_id=agent_id)
                value, version = entry.value, entry.version
            except NotFoundError:
                value, version = default, 0
            try:
                return await self.set(
                    key, change(value), expected_version=version, agent_id=agent_id, ttl_seconds=ttl_seconds
                )
            except ConflictError as error:
                if error.details.get("field") != "expected_version":
                    raise
        raise ConflictError(f"{key!r} was changed by others {_TRIES} times in a row", hint="try again later")


class Tasks(_Tasks):
    """Operations on tasks."""

    __slots__ = ("_hub",)

    def __init__(self, native: NativeHub, call: Callable[..., Awaitable[Any]], hub: AsyncHub) -> None:
        super().__init__(native, call)
        self._hub = hub

    def follow(
        self, task_id: str, *, after: int | None = None, timeout: float | None = None
    ) -> AsyncExecution:
        """Follows a task, its parts and what is said about them: what has happened, then live, to the end.

        Args:
            task_id: The task.
            after: Go on after this ``seq``; from the beginning when left out.
            timeout: Seconds of silence after which iterating ends; never when left out.

        Raises:
            NotFoundError: There is no such task.
        """
        return AsyncExecution(self._hub, self._native.follow_task(task_id, after), timeout)


class Opening:
    """A hub that is being opened: ``await`` it, or use it with ``async with``."""

    def __init__(self, open: Callable[[], Awaitable[AsyncHub]]) -> None:
        self._open = open
        self._hub: AsyncHub | None = None

    def __await__(self) -> Generator[Any, None, AsyncHub]:
        return self._open().__await__()

    async def __aenter__(self) -> AsyncHub:
        self._hub = await self._open()
        return self._hub

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._hub is not None:
            await self._hub.close()


class AsyncHub(Hooking, Operations):
    """One process's handle on a hub, for event loops.

    >>> async with AsyncHub.open("team.db") as hub:
    ...     await hub.memory.set("plans/q3", {"goal": "ship"})
    """

    memory: Memory
    activities: AsyncActivities
    tasks: Tasks
    _native: NativeHub
    _path: str
    _options: dict[str, Any]

    def __init__(self) -> None:
        raise TypeError("open a hub with AsyncHub.open(path)")

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        config_file: str | os.PathLike[str] | None = None,
        environment: bool = False,
        **config: Any,
    ) -> Opening:
        """Opens the hub in a file, creating it when it is not there: ``await`` it, or use ``async with``.

        Args:
            path: The file, or ``":memory:"`` for a hub that lives with this handle.
            config_file: A TOML file with keys of the configuration.
            environment: Take ``FOLKMOOT_…`` variables; they win over the file.
            **config: Keys of the configuration, such as ``durability="normal"``; they win over both.

        Raises:
            StorageError: The file cannot be used.
            InvalidInputError: A key of the configuration is not known or makes no sense.
            ConflictError: The file is open in this process with another configuration.
        """
        options = {"config_file": config_file, "environment": environment, **config}

        async def opened() -> AsyncHub:
            loop = asyncio.get_running_loop()
            native = await loop.run_in_executor(None, open_native, path, config_file, environment, config)
            hub = cls.__new__(cls)
            hub._set(native, os.fspath(path), options)
            return hub

        return Opening(opened)

    def _set(self, native: NativeHub, path: str, options: dict[str, Any]) -> None:
        self._native = native
        self._path = path
        self._options = options
        self._process = os.getpid()
        self._bridges: dict[asyncio.AbstractEventLoop, Bridge] = {}
        self._desks: dict[Bridge, LoopDesk] = {}
        self._bind(native, self._acting(native))
        self.memory = Memory(native, self._acting(native))
        self.tasks = Tasks(native, self._acting(native), self)
        self.activities = AsyncActivities(native, self._acting(native), self)
        _process.opened(self)

    def _acting(self, native: NativeHub) -> Callable[[str, dict[str, Any]], Awaitable[Any]]:
        """How operations are called on behalf of whom this native handle acts as."""

        def call(name: str, input: dict[str, Any]) -> Awaitable[Any]:
            return self._bridge().call(native, name, input)

        return call

    def _bridge(self) -> Bridge:
        if os.getpid() != self._process:
            raise ForkedProcessError(
                "this hub was opened before the process forked and cannot be used in the child",
                hint="open the hub again in the child",
                details={"reason": "forked"},
            )
        loop = asyncio.get_running_loop()
        bridge = self._bridges.get(loop)
        if bridge is None:
            self._bridges = {loop: bridge for loop, bridge in self._bridges.items() if not loop.is_closed()}
            bridge = self._bridges[loop] = Bridge(loop, self._release)
        return bridge

    def _release(self, name: str, answer: Any) -> None:
        """Gives back what a call claimed although nobody waits for it any more."""
        if answer is None or name not in ("task.claim", "task.claim_many"):
            return
        for task in answer["tasks"] if name == "task.claim_many" else [answer]:
            back = {"task_id": task["task_id"], "agent_id": task["agent_id"], "token": task["token"]}
            self._native.submit(self._bridge().native, "task.release", back)

    async def call(self, name: str, input: dict[str, Any] | None = None, /, **fields: Any) -> Any:
        """Runs an operation by its name: ``await hub.call("memory.get", {"key": "plans/q3"})``.

        Args:
            name: The operation; all of them are in docs/reference/operations.md.
            input: Its fields, as a dict.
            **fields: Its fields, as keywords.
        """
        return await self._bridge().call(self._native, name, given(input, fields))

    async def agent(self, name: str, *, agent_id: str | None = None, **profile: Any) -> AsyncAgent:
        """Registers an agent and gives a handle that acts as it.

        This process beats for the agent and keeps its leases until the handle or the hub is closed.

        Args:
            name: Its display name; also its id unless ``agent_id`` is given.
            agent_id: Its id.
            **profile: Fields of ``agent.register``: ``type``, ``role``, ``capabilities``, ``max_load`` …
        """
        from ._agent_async import AsyncAgent

        profile.setdefault("location", here())
        view = await self.call("agent.register", name=name, agent_id=agent_id or name, **profile)
        await self._away(self._native.hold_agent, view.agent.agent_id)
        return AsyncAgent(self, view)

    def subscribe(
        self,
        kinds: str | Iterable[str] | None = None,
        *,
        agents: str | Iterable[str] | None = None,
        session_id: str | None = None,
        task_id: str | None = None,
        execution_id: str | None = None,
        key_prefix: str | None = None,
        event_types: str | Iterable[str] | None = None,
        correlation_id: str | None = None,
        after: int | None = None,
        timeout: float | None = None,
        positions: bool = False,
    ) -> AsyncSubscription:
        """Listens from now on, or from the past; as `Hub.subscribe` does."""
        return self._listen(
            self._native,
            kinds,
            agents=agents,
            session_id=session_id,
            task_id=task_id,
            execution_id=execution_id,
            key_prefix=key_prefix,
            event_types=event_types,
            correlation_id=correlation_id,
            after=after,
            timeout=timeout,
            positions=positions,
        )

    def _listen(
        self,
        native: NativeHub,
        kinds: str | Iterable[str] | None,
        *,
        after: int | None = None,
        timeout: float | None = None,
        positions: bool = False,
        **filter: Any,
    ) -> AsyncSubscription:
        return AsyncSubscription(
            self, native.subscribe(filter_of(kinds, **filter), after), timeout, positions
        )

    def at(self, point: int | str | datetime) -> Opening:
        """The whole hub as it was, as `Hub.at` gives it: ``await`` it, or use ``async with``.

        >>> async with hub.at(42) as then:
        ...     print(await then.tasks.board())
        """

        async def opened() -> AsyncHub:
            native = await self._away(self._native.at, point_of(point))
            view = type(self).__new__(type(self))
            view._set(native, self._path, self._options)
            return view

        return Opening(opened)

    def replay(
        self,
        *,
        session_id: str | None = None,
        since: str | datetime | None = None,
        until: str | datetime | None = None,
        speed: float | str = 1,
        kinds: str | Iterable[str] | None = None,
        agents: str | Iterable[str] | None = None,
        task_id: str | None = None,
    ) -> AsyncReplay:
        """Plays back a span or a session as it happened, as `Hub.replay` does."""
        filter = filter_of(kinds, agents=agents, task_id=task_id)
        fields = {"session_id": session_id, "since": since, "until": until, "speed": speed}
        given = {name: value for name, value in fields.items() if value is not None}
        return AsyncReplay(self, lambda: self._native.replay({**given, "filter": filter}))

    def _hook_desk(self) -> LoopDesk:
        bridge = self._bridge()
        if bridge not in self._desks:
            from ._hooks_async import LoopDesk

            self._desks[bridge] = LoopDesk(asyncio.get_running_loop(), bridge)
        return self._desks[bridge]

    async def _away(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)

    async def flush(self) -> None:
        """Writes what was acknowledged from memory: presence updates."""
        await self._away(self._native.flush)

    async def backup(self, to: str | os.PathLike[str]) -> None:
        """Copies the hub into a new file while it is in use."""
        await self._away(self._native.backup, to)

    async def check(self) -> dict[str, Any]:
        """Checks the whole file: SQLite's own check, the chain of the log, the tables against its fold."""
        report: dict[str, Any] = await self._away(self._native.check)
        return report

    async def close(self) -> None:
        """Closes this handle. The last one of the process takes its agents offline."""
        await self._away(self._native.close)
        bridge = self._bridges.pop(asyncio.get_running_loop(), None)
        if bridge is not None:
            desk = self._desks.pop(bridge, None)
            if desk is not None:
                desk.close()
            await bridge.settle()

    @property
    def closed(self) -> bool:
        """Whether this handle is closed."""
        return self._native.closed

    @property
    def path(self) -> str:
        """The path of the file, or ``":memory:"``."""
        return self._path

    @property
    def past(self) -> tuple[int, str] | None:
        """Where a view of the past stands: the ``seq`` of its last event, and its time; None for the hub itself."""
        return self._native.past

    @property
    def config(self) -> dict[str, Any]:
        """The whole configuration."""
        return self._native.config

    async def __aenter__(self) -> AsyncHub:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return shown(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self)
