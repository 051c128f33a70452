"""One agent that opens its own hub: what a program that *is* an agent uses."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, Union

from ._agent_async import AsyncAgent
from ._async import AsyncHub
from ._errors import ConflictError, InvalidInputError, LeaseLostError, NotFoundError, UnavailableError
from ._hub import here
from ._process import log
from .types import Message, Task

# How long one look at the inbox waits; nothing depends on it but how often an idle agent looks.
_WAIT_SECONDS = 60.0
# Kinds after which a task may be there for its agent.
_OPENING = ["task.created", "task.assigned", "task.ready", "task.retrying", "task.released", "task.lapsed"]
# How long to wait after something failed that should not.
_AFTER_FAILURE = 1.0

# What an agent has only once it is connected.
_WHEN_CONNECTED = {"hub", "memory", "profile", "_call", "_native", "_tokens"}

OnMessage = Callable[[Message], Union[Awaitable[object], object]]
OnTask = Callable[[Task], Union[Awaitable[object], object]]
H = TypeVar("H", bound=Callable[..., Any])


class AgentClient(AsyncAgent):
    """An agent on a hub, with handlers for what reaches it.

    What arrives before a handler is registered, or while the program is away, waits for it: messages in the
    inbox, tasks in their reservation. A message is marked as read when its handler is done; an assigned
    task is claimed before its handler runs, and fails (to be tried again) when the handler raises.

    >>> agent = AgentClient(name="research_agent", agent_type="llm", path="team.db")
    >>> await agent.connect()
    >>> await agent.send_message(content="Starting...", recipients=["analysis_agent"])
    >>> @agent.on_task_assigned
    ... async def handle_task(task):
    ...     await agent.complete_task(task.id, {"lines": 12})
    """

    def __init__(
        self,
        name: str,
        agent_type: str = "llm",
        *,
        path: str | os.PathLike[str] | None = None,
        server_url: str | None = None,
        agent_id: str | None = None,
        config: dict[str, Any] | None = None,
        **profile: Any,
    ) -> None:
        """An agent that is not connected yet.

        Args:
            name: Its display name; also its id unless ``agent_id`` is given.
            agent_type: ``llm``, ``tool``, ``human``, ``service``, or another word.
            path: The file of the hub.
            server_url: The address of a server; this version works on a file only.
            agent_id: Its id.
            config: Keys of the hub's configuration, such as ``{"durability": "normal"}``.
            **profile: Further fields of ``agent.register``: ``role``, ``capabilities``, ``max_load`` …
        """
        if server_url is not None:
            raise InvalidInputError(
                f"server_url: this version of the Python package works on a file; got {server_url!r}",
                hint="give path='team.db': any number of processes of one machine may open it",
                details={"field": "server_url", "value": server_url},
            )
        if path is None:
            raise InvalidInputError("path: is missing; got null", details={"field": "path", "value": None})
        self._path = path
        self._config = dict(config or {})
        self._profile = {"name": name, "type": agent_type, **profile}
        self.agent_id = agent_id or name
        self._connected = False
        self._on_message: OnMessage | None = None
        self._on_task: OnTask | None = None
        self._work: dict[str, asyncio.Task[None]] = {}
        self._running: set[asyncio.Task[None]] = set()

    def __getattr__(self, name: str) -> Any:
        if name in _WHEN_CONNECTED:
            raise UnavailableError(
                f"agent {self.agent_id!r} is not connected", hint="await agent.connect() first"
            )
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    async def connect(self) -> AgentClient:
        """Opens the hub, registers the agent and begins to hand out what waits for it."""
        if self._connected:
            return self
        hub = await AsyncHub.open(self._path, **self._config)
        try:
            profile = {"location": here(), **self._profile}
            view = await hub.call("agent.register", agent_id=self.agent_id, **profile)
            await hub._away(hub._native.hold_agent, self.agent_id)
        except BaseException:
            await hub.close()
            raise
        self._take(hub, view)
        self._connected = True
        self._begin()
        return self

    def on_message(self, handler: H) -> H:
        """Has a function, or a coroutine function, called with each message, the oldest first."""
        self._on_message = handler
        self._begin()
        return handler

    def on_task_assigned(self, handler: H) -> H:
        """Has this function, or coroutine function, called with each task that is assigned to the agent.

        The task is claimed already, and up to ``max_load`` of them run at once.
        """
        self._on_task = handler
        self._begin()
        return handler

    async def close(self) -> None:
        """Ends the handlers, takes the agent offline and closes its hub."""
        if not self._connected:
            return
        self._connected = False
        work = [*self._work.values(), *self._running]
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        self._work.clear()
        if not self.hub.closed:
            await self.hub.call("agent.leave", agent_id=self.agent_id)
            await self.hub.close()

    def _begin(self) -> None:
        if not self._connected:
            return
        for name, handler, work in (
            ("messages", self._on_message, self._hand_out_messages),
            ("tasks", self._on_task, self._hand_out_tasks),
        ):
            if handler is not None and name not in self._work:
                self._work[name] = asyncio.get_running_loop().create_task(self._for_ever(work))

    async def _for_ever(self, work: Callable[[], Awaitable[None]]) -> None:
        while self._connected:
            try:
                await work()
            except UnavailableError:
                if self.hub.closed:
                    return
                await asyncio.sleep(_AFTER_FAILURE)
            except Exception:
                log("client").exception("agent %s could not look for its work; trying again", self.agent_id)
                await asyncio.sleep(_AFTER_FAILURE)

    async def _hand_out_messages(self) -> None:
        for message in await self.inbox(wait_seconds=_WAIT_SECONDS):
            try:
                await _called(self._on_message, message)
            except Exception:
                log("client").exception("the handler of message %s failed", message.id)
            await self.mark_read(message)

    async def _hand_out_tasks(self) -> None:
        room = asyncio.Semaphore(self.profile.max_load)
        async with self.subscribe(_OPENING, agents=self.agent_id) as opened:
            while True:
                page = await self.call("task.list", agent_id=self.agent_id, status="ready")
                for task in reversed(page.tasks):
                    await room.acquire()
                    claimed = await self._claimed(task.id)
                    if claimed is None:
                        room.release()
                        continue
                    running = asyncio.get_running_loop().create_task(self._handle_task(claimed))
                    self._running.add(running)
                    running.add_done_callback(self._running.discard)
                    running.add_done_callback(lambda _: room.release())
                await opened.next(_WAIT_SECONDS)

    async def _claimed(self, task_id: str) -> Task | None:
        """The task with its claim; None when it is not there to claim any more."""
        try:
            return await self.claim_task(task_id)
        except (ConflictError, NotFoundError):
            return None

    async def _handle_task(self, task: Task) -> None:
        try:
            await _called(self._on_task, task)
        except asyncio.CancelledError:
            await self._given_back(task)
            raise
        except Exception as error:
            log("client").exception("the handler of task %s failed", task.id)
            if task.id in self.held:
                await self._failed(task, f"{type(error).__name__}: {error}")

    async def _failed(self, task: Task, error: str) -> None:
        try:
            await self.fail_task(task, error)
        except (ConflictError, LeaseLostError, UnavailableError) as late:
            log("client").warning("the failure of task %s could not be noted: %s", task.id, late)

    async def _given_back(self, task: Task) -> None:
        """A task whose handler is cut off is there for others at once."""
        token = self._tokens.pop(task.id, None)
        if token is not None and not self.hub.closed:
            back = {"task_id": task.id, "agent_id": self.agent_id, "token": token}
            await self.hub.call("task.release", back)

    async def __aenter__(self) -> AgentClient:
        return await self.connect()

    def __repr__(self) -> str:
        return f"<AgentClient {self.agent_id!r} on {os.fspath(self._path)!r}>"


async def _called(handler: Callable[..., Any] | None, argument: object) -> None:
    if handler is not None:
        answer = handler(argument)
        if inspect.isawaitable(answer):
            await answer
