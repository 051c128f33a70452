"""The hub as a program holds it: open, call, subscribe, close."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

from . import _process
from ._activities import Activities
from ._errors import ConflictError, InvalidInputError, NotFoundError
from ._execution import Execution
from ._hooks import Function, Hooking, ThreadDesk, refuse_coroutine
from ._native import Hub as NativeHub
from ._operations import Memory as _Memory
from ._operations import Operations
from ._operations import Tasks as _Tasks
from ._replay import Replay
from ._subscription import Item, Subscription, filter_of
from .types import Entry

if TYPE_CHECKING:
    from datetime import datetime

    from ._agent import Agent
    from ._async import AsyncHub

# How often `memory.update` tries: past it, something else is wrong.
_TRIES = 1_000


def open_native(
    path: str | os.PathLike[str],
    config_file: str | os.PathLike[str] | None,
    environment: bool,
    config: dict[str, Any],
) -> NativeHub:
    """Opens the native hub; for both kinds of hub."""
    try:
        path = os.fspath(path)
    except TypeError:
        raise InvalidInputError(
            f"path: must be text or a path; got {path!r}", details={"field": "path", "value": repr(path)}
        ) from None
    toml = None
    if config_file is not None:
        with open(config_file, encoding="utf-8") as file:
            toml = file.read()
    return NativeHub.open(path, config, toml, environment)


def given(input: dict[str, Any] | None, fields: dict[str, Any]) -> dict[str, Any]:
    """An operation's input, from a dict, from keywords, or from both."""
    if input is None:
        return fields
    return {**input, **fields} if fields and isinstance(input, dict) else input


def point_of(point: int | str | datetime) -> int | str:
    """A point of the past as the engine reads it."""
    if isinstance(point, (int, str)) or not hasattr(point, "tzinfo"):
        return point
    if point.tzinfo is None:
        raise InvalidInputError(
            f"at: must be a time with its zone; got {point!r}",
            hint="give it one: datetime.now(timezone.utc)",
            details={"field": "at", "value": point.isoformat()},
        )
    return point.isoformat()


def shown(hub: Hub | AsyncHub) -> str:
    """What a hub looks like in a shell."""
    past, closed = hub.past, ", closed" if hub.closed else ""
    return f"<{type(hub).__name__} {hub.path!r}{f' at seq {past[0]}' if past else ''}{closed}>"


def reopened(kind: type[Any], path: str, options: dict[str, Any]) -> Any:
    """What a pickled hub becomes: the same file, opened again."""
    return kind.open(path, **options)


def reduced(hub: Hub | AsyncHub) -> tuple[Any, ...]:
    """How a hub is pickled: as its path."""
    if hub.past:
        raise TypeError("a view of the past cannot be pickled: pickle the hub itself and call at() again")
    if hub.path == ":memory:":
        raise TypeError("a hub in memory cannot be pickled: it lives in this process only; open it on a file")
    return reopened, (type(hub), os.path.abspath(hub.path), hub._options)


def here() -> dict[str, Any]:
    """Where this process runs, as an agent's location."""
    import socket  # takes longer to import than all of folkmoot

    return {"host": socket.gethostname() or None, "pid": os.getpid()}


class Memory(_Memory):
    """Operations on memory."""

    __slots__ = ()

    def update(
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

        >>> hub.memory.update("votes", lambda votes: votes + 1, default=0)
        """
        for _ in range(_TRIES):
            try:
                entry = self.get(key, agent_id=agent_id)
                value, version = entry.value, entry.version
            except NotFoundError:
                value, version = default, 0
            try:
                return self.set(
                    key, change(value), expected_version=version, agent_id=agent_id, ttl_seconds=ttl_seconds
                )
            except ConflictError as error:
                if error.details.get("field") != "expected_version":
                    raise
        raise ConflictError(f"{key!r} was changed by others {_TRIES} times in a row", hint="try again later")


class Tasks(_Tasks):
    """Operations on tasks."""

    __slots__ = ()

    def follow(self, task_id: str, *, after: int | None = None, timeout: float | None = None) -> Execution:
        """Follows a task, its parts and what is said about them: what has happened, then live, to the end.

        Args:
            task_id: The task.
            after: Go on after this ``seq``; from the beginning when left out.
            timeout: Seconds of silence after which iterating ends; never when left out.

        Raises:
            NotFoundError: There is no such task.
        """
        return Execution(self._native.follow_task(task_id, after), timeout)


class Hub(Hooking, Operations):
    """One process's handle on a hub, for threads. `AsyncHub` is the same for event loops.

    >>> with Hub.open("team.db") as hub:
    ...     hub.memory.set("plans/q3", {"goal": "ship"})
    ...     hub.memory.get("plans/q3").value
    """

    memory: Memory
    activities: Activities
    tasks: Tasks
    _native: NativeHub

    def __init__(self) -> None:
        raise TypeError("open a hub with Hub.open(path)")

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        config_file: str | os.PathLike[str] | None = None,
        environment: bool = False,
        **config: Any,
    ) -> Hub:
        """Opens the hub in a file, creating it when it is not there. Any number of processes may open it.

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
        hub = cls.__new__(cls)
        hub._set(open_native(path, config_file, environment, config))
        hub._path = os.fspath(path)
        hub._options = {"config_file": config_file, "environment": environment, **config}
        return hub

    _path: str
    _options: dict[str, Any]
    _desk: ThreadDesk | None
    _lock: threading.Lock

    def _set(self, native: NativeHub) -> None:
        self._native = native
        self._desk = None
        self._lock = threading.Lock()
        self._bind(native, native.call)
        self.memory = Memory(native, native.call)
        self.tasks = Tasks(native, native.call)
        self.activities = Activities(native, native.call)
        _process.opened(self)

    def call(self, name: str, input: dict[str, Any] | None = None, /, **fields: Any) -> Any:
        """Runs an operation by its name: ``hub.call("memory.get", {"key": "plans/q3"})``.

        Args:
            name: The operation; all of them are in docs/reference/operations.md.
            input: Its fields, as a dict.
            **fields: Its fields, as keywords.
        """
        return self._native.call(name, given(input, fields))

    def agent(self, name: str, *, agent_id: str | None = None, **profile: Any) -> Agent:
        """Registers an agent and gives a handle that acts as it.

        This process beats for the agent and keeps its leases until the handle or the hub is closed.

        Args:
            name: Its display name; also its id unless ``agent_id`` is given.
            agent_id: Its id.
            **profile: Fields of ``agent.register``: ``type``, ``role``, ``capabilities``, ``max_load`` …
        """
        from ._agent import Agent

        profile.setdefault("location", here())
        view = self.call("agent.register", name=name, agent_id=agent_id or name, **profile)
        self._native.hold_agent(view.agent.agent_id)
        return Agent(self, view)

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
    ) -> Subscription:
        """Listens from now on, or from the past. What is left out matches everything.

        Args:
            kinds: Kinds by glob: ``"task.claimed"``, ``"task.*"``.
            agents: Agents, as source or as target.
            session_id: A session.
            task_id: A task.
            execution_id: A task that is part of no other, with all of its parts and messages about them.
            key_prefix: The start of memory keys.
            event_types: Types of published events.
            correlation_id: What ties a question to its answer.
            after: Start after this ``seq``, 0 for the beginning; from now when left out.
            timeout: Seconds of silence after which iterating ends; never when left out.
            positions: Also give a `Position` now and then while nothing matches.
        """
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
    ) -> Subscription:
        return Subscription(self, native.subscribe(filter_of(kinds, **filter), after), timeout, positions)

    def on(
        self, kinds: str | Iterable[str], handler: Callable[[Item], object], **filter: Any
    ) -> Subscription:
        """Calls a function with each event, on a thread of its own, until what it returns is closed.

        An exception of the handler goes to the log and ends nothing.

        >>> hub.on("task.completed", lambda event: print(event.data.title))
        """
        subscription = self.subscribe(kinds, **filter)
        threading.Thread(
            target=_handle, args=(subscription, handler), name="folkmoot-on", daemon=True
        ).start()
        return subscription

    def at(self, point: int | str | datetime) -> Hub:
        """The whole hub as it was: the same queries, answered as they would have been then.

        It cannot be changed nor listened to. Close it when you are done, or use it with ``with``.

        Args:
            point: A ``seq`` (the hub just after that event; 0 is the empty hub), or a time: a datetime with its
                zone, or text such as ``"2026-01-14T14:50:30Z"``.

        Raises:
            NotFoundError: The point is no longer kept; its details name the oldest that is.
            InvalidInputError: It has not come yet, or is no point.

        >>> with hub.at(42) as then:
        ...     print(then.tasks.board())
        """
        native = self._native.at(point_of(point))
        view = type(self).__new__(type(self))
        view._path, view._options = self._path, self._options
        view._set(native)
        return view

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
    ) -> Replay:
        """Plays back a span or a session as it happened. What is left out matches everything.

        Args:
            session_id: Only what happened in this session.
            since: Only what happened at this time or later.
            until: Only what happened before this time.
            speed: How many times as fast as it happened; ``"max"`` or 0 for no waiting.
            kinds: Kinds by glob: ``"task.claimed"``, ``"task.*"``.
            agents: Agents, as source or as target.
            task_id: A task.

        Raises:
            InvalidInputError: The speed is no number from 0.001 to 1,000,000.
        """
        filter = filter_of(kinds, agents=agents, task_id=task_id)
        fields = {"session_id": session_id, "since": since, "until": until, "speed": speed}
        given = {name: value for name, value in fields.items() if value is not None}
        return Replay(self, self._native.replay({**given, "filter": filter}))

    def _hook_desk(self) -> ThreadDesk:
        with self._lock:
            if self._desk is None:
                self._desk = ThreadDesk(self)
            return self._desk

    def _check_hook(self, function: Function) -> None:
        super()._check_hook(function)
        refuse_coroutine(function)

    def flush(self) -> None:
        """Writes what was acknowledged from memory: presence updates."""
        self._native.flush()

    def backup(self, to: str | os.PathLike[str]) -> None:
        """Copies the hub into a new file while it is in use."""
        self._native.backup(to)

    def check(self) -> dict[str, Any]:
        """Checks the whole file: SQLite's own check, the chain of the log, the tables against its fold."""
        return self._native.check()

    def close(self) -> None:
        """Closes this handle. The last one of the process takes its agents offline."""
        self._native.close()
        if self._desk is not None:
            self._desk.close()

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

    def __enter__(self) -> Hub:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return shown(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(self)


def _handle(subscription: Subscription, handler: Callable[[Item], object]) -> None:
    for item in subscription:
        try:
            handler(item)
        except Exception:
            _process.log("hub").exception("the handler of %s failed", getattr(item, "kind", item))
