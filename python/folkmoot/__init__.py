"""Real-time coordination for teams of software agents, in process, on one SQLite file.

>>> from folkmoot import Hub
>>> with Hub.open("team.db") as hub:
...     ana = hub.agent("ana", type="llm")
...     ana.set_memory("plans/q3", {"goal": "ship"})

`Hub` is for threads, `AsyncHub` for event loops, `AgentClient` is one agent that opens its own hub. What each
operation takes and answers is in docs/reference/operations.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._errors import (
    AlreadyExistsError,
    ConflictError,
    FolkmootError,
    ForkedProcessError,
    InternalError,
    InvalidInputError,
    LeaseLostError,
    LimitExceededError,
    NotAllowedError,
    NotFoundError,
    StorageError,
    UnauthenticatedError,
    UnavailableError,
)
from ._execution import Execution, Update
from ._hooks import Hook, Refusal, Request
from ._hub import Hub
from ._native import __version__
from ._records import Event, Position, Record
from ._replay import Replay
from ._subscription import Subscription
from .types import Gap

if TYPE_CHECKING:
    from ._agent import Agent
    from ._agent_async import AsyncAgent
    from ._async import AsyncHub
    from ._client import AgentClient
    from ._execution_async import AsyncExecution
    from ._replay_async import AsyncReplay
    from ._session import AgentSession
    from ._session_async import AsyncAgentSession
    from ._subscription_async import AsyncSubscription

__all__ = [
    "Agent",
    "AgentClient",
    "AgentSession",
    "AlreadyExistsError",
    "AsyncAgent",
    "AsyncAgentSession",
    "AsyncExecution",
    "AsyncHub",
    "AsyncReplay",
    "AsyncSubscription",
    "ConflictError",
    "Event",
    "Execution",
    "FolkmootError",
    "ForkedProcessError",
    "Gap",
    "Hook",
    "Hub",
    "InternalError",
    "InvalidInputError",
    "LeaseLostError",
    "LimitExceededError",
    "NotAllowedError",
    "NotFoundError",
    "Position",
    "Record",
    "Refusal",
    "Replay",
    "Request",
    "StorageError",
    "Subscription",
    "UnauthenticatedError",
    "UnavailableError",
    "Update",
    "__version__",
]

# Looked for when first used, so that importing folkmoot does not import asyncio.
_LATER = {
    "Agent": "_agent",
    "AgentClient": "_client",
    "AgentSession": "_session",
    "AsyncAgent": "_agent_async",
    "AsyncAgentSession": "_session_async",
    "AsyncExecution": "_execution_async",
    "AsyncHub": "_async",
    "AsyncReplay": "_replay_async",
    "AsyncSubscription": "_subscription_async",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'folkmoot' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"folkmoot.{_LATER[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
