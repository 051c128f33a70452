"""A session as one of its agents sees it, for event loops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ._acting import present
from ._subscription_async import AsyncSubscription
from .types import (
    Channel,
    Connected,
    Decision,
    HistoryPage,
    Joined,
    Message,
    Session,
    SessionView,
    SharedState,
)

if TYPE_CHECKING:
    from ._agent_async import AsyncAgent


class AsyncAgentSession:
    """One session, for one agent; made by `AsyncAgent.session`.

    The same as `AgentSession`, with coroutines. As a context manager it keeps one of the places for clients
    of the session while it is entered.

    >>> session = ana.session("s1")
    >>> await session.join()
    >>> await session.post("Shall we begin?")
    >>> await session.patch_state({"step": 1}, expected_version=0)
    """

    def __init__(self, agent: AsyncAgent, session_id: str) -> None:
        self.agent = agent
        self.session_id = session_id
        self._client_id: str | None = None

    async def call(self, name: str, **fields: Any) -> Any:
        """Runs an operation as the agent, in this session."""
        return await self.agent.call(name, {"session_id": self.session_id, **present(**fields)})

    async def join(self, role: str | None = None) -> Joined:
        """Joins; answers the session, its channels and its state as they stand at ``position``."""
        joined: Joined = await self.call("session.join", role=role)
        return joined

    async def leave(self) -> Session:
        """Leaves, or declines an invitation."""
        session: Session = await self.call("session.leave")
        return session

    async def invite(self, *invitees: str | Mapping[str, Any]) -> Session:
        """Invites agents, as ids or as ``{"agent_id": …, "role": …}``."""
        session: Session = await self.call("session.invite", invitees=list(invitees))
        return session

    async def end(self, outcome: Any = None) -> Session:
        """Ends the session."""
        session: Session = await self.call("session.end", outcome=outcome)
        return session

    async def get(self, **fields: Any) -> SessionView:
        """The session with its participants, channels, decisions, newest messages and activities."""
        view: SessionView = await self.call("session.get", **fields)
        return view

    async def post(
        self, content: str, channel: str = "general", message_type: str = "text", **fields: Any
    ) -> Message:
        """Posts a message to a channel; further fields are those of ``channel.post``."""
        message: Message = await self.call(
            "channel.post", channel=channel, message_type=message_type, content=content, **fields
        )
        return message

    async def history(self, channel: str = "general", **fields: Any) -> HistoryPage:
        """What was said in a channel: the newest messages, or those ``after`` a ``seq``."""
        page: HistoryPage = await self.call("channel.history", channel=channel, **fields)
        return page

    async def create_channel(
        self, channel: str, type: str = "broadcast", message_types: Sequence[str] | None = None, **fields: Any
    ) -> Channel:
        """Makes a channel."""
        made: Channel = await self.call(
            "channel.create", channel=channel, type=type, message_types=message_types, **fields
        )
        return made

    async def state(self) -> SharedState:
        """The shared state with its version."""
        state: SharedState = await self.call("session.get_state")
        return state

    async def patch_state(
        self, patch: Any, expected_version: int | None = None, merge: bool | None = None
    ) -> SharedState:
        """Changes the shared state by a merge patch (a dict) or a JSON patch (a list of operations)."""
        state: SharedState = await self.call(
            "session.patch_state", patch=patch, expected_version=expected_version, merge=merge
        )
        return state

    async def record_decision(self, decision: str, rationale: str | None = None, **fields: Any) -> Decision:
        """Records what was decided, and why."""
        recorded: Decision = await self.call(
            "session.record_decision", decision=decision, rationale=rationale, **fields
        )
        return recorded

    def subscribe(self, kinds: str | Iterable[str] | None = None, **filter: Any) -> AsyncSubscription:
        """Listens to what happens in the session; filters as `Hub.subscribe` does."""
        return self.agent.subscribe(kinds, session_id=self.session_id, **filter)

    async def connect(self) -> Connected:
        """Takes one of the places for clients; this process keeps it until `disconnect`."""
        connected: Connected = await self.call("session.connect", client_id=self._client_id)
        self._client_id = connected.client_id
        return connected

    async def disconnect(self) -> None:
        """Gives the place back."""
        if self._client_id is not None and not self.agent.hub.closed:
            await self.call("session.disconnect", client_id=self._client_id)
        self._client_id = None

    async def __aenter__(self) -> AsyncAgentSession:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.disconnect()

    def __repr__(self) -> str:
        return f"<AsyncAgentSession {self.session_id!r} of {self.agent.agent_id!r}>"
