"""An agent's handle for threads: acts as that agent, beats and holds its leases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from ._acting import Acting, present, refuse_reply, task_id_of
from ._activities import Activities
from ._errors import LeaseLostError, NotFoundError
from ._execution import Execution
from ._hub import Hub, Memory, given
from ._session import AgentSession
from ._subscription import Subscription
from .types import Activity, AgentView, Entry, Message, Presence, PublishedEvent, Session, Task


class Agent(Acting):
    """An agent that this process runs; made by `Hub.agent`.

    Every method acts as the agent, and access control is the agent's. The process beats for it, so that it is
    present and its tasks stay its own until it is closed or the process ends.

    >>> ana = hub.agent("ana", capabilities=["python"])
    >>> task = ana.claim_task(wait_seconds=10)
    >>> ana.complete_task(task, {"lines": 12})
    """

    def __init__(self, hub: Hub, view: AgentView) -> None:
        self.hub = hub
        self._act(hub._native, view)
        self.memory = Memory(self._native, self._native.call)
        self.activities = Activities(self._native, self._native.call)

    def call(self, name: str, input: dict[str, Any] | None = None, /, **fields: Any) -> Any:
        """Runs an operation as this agent; who acts and the tokens of claims are filled in.

        >>> agent.call("task.progress", task_id=task.id, progress=50)
        """
        filled = self._filled(name, given(input, fields))
        try:
            return self._noted(name, filled, self._native.call(name, filled))
        except LeaseLostError:
            self._lost(filled)
            raise

    def send_message(
        self, content: str, recipients: str | Sequence[str] | None = None, **fields: Any
    ) -> Message:
        """Sends a message to agents; to all when nobody is named.

        Args:
            content: What is said.
            recipients: Agent ids, one id, or ``"*"``.
            **fields: Further fields of ``message.send``: ``message_type``, ``thread_id``, ``importance`` …
        """
        sent: Message = self.call("message.send", content=content, **present(recipients=recipients, **fields))
        return sent

    def reply(self, message: Message, content: str, **fields: Any) -> Message:
        """Answers a message, in its thread, to its sender."""
        if not isinstance(message, dict) or "sender_id" not in message:
            raise refuse_reply(message)
        fields.setdefault("reply_to", message["message_id"])
        return self.send_message(content, [message["sender_id"]], **fields)

    def ask(
        self,
        content: str,
        recipients: str | Sequence[str] | None = None,
        *,
        wait_seconds: float | None = None,
        **fields: Any,
    ) -> Message | None:
        """Asks a question and waits for its answer; None when none came in time (30 s when not said)."""
        given = present(recipients=recipients, wait_seconds=wait_seconds, **fields)
        answer: Message | None = (self.call("message.ask", content=content, **given)).answer
        return answer

    def inbox(
        self, *, unread_only: bool = True, wait_seconds: float | None = None, **fields: Any
    ) -> list[Message]:
        """The messages for this agent: unread ones unless told otherwise; waits for one when asked to."""
        given = present(unread_only=unread_only, wait_seconds=wait_seconds, **fields)
        messages: list[Message] = (self.call("message.inbox", agent_id=self.agent_id, **given)).messages
        return messages

    def mark_read(self, *messages: Message | str) -> None:
        """Marks messages as read."""
        ids = [message["message_id"] if isinstance(message, dict) else message for message in messages]
        self.call("message.mark_read", message_ids=ids)

    def create_task(
        self,
        title: str,
        description: str | None = None,
        *,
        priority: int | None = None,
        assign_to: str | None = None,
        **fields: Any,
    ) -> Task:
        """Makes a task.

        Args:
            title: A line that says what it is.
            description: More about it.
            priority: 0 to 9, higher first.
            assign_to: The agent it is reserved for.
            **fields: Further fields of ``task.create``: ``requires``, ``depends_on``, ``due_date`` …
        """
        given = present(description=description, priority=priority, assign_to=assign_to, **fields)
        task: Task = self.call("task.create", title=title, **given)
        return task

    def claim_task(
        self,
        task: Task | str | None = None,
        *,
        wait_seconds: float | None = None,
        lease_seconds: float | None = None,
    ) -> Task | None:
        """Claims the best task that this agent can do, or this one; None when there is none.

        The handle keeps the token, so that `complete_task` needs none, and this process keeps the lease.
        """
        given = present(task_id=task_id_of(task), wait_seconds=wait_seconds, lease_seconds=lease_seconds)
        claimed: Task | None = self.call("task.claim", **given)
        return claimed

    def report_progress(
        self, task: Task | str, progress: float | None = None, *, phase: str | None = None, log: Any = None
    ) -> Task:
        """Reports progress (0 to 100), a phase or a line of log of a task that this agent holds."""
        given = present(progress=progress, phase=phase, log=log)
        changed: Task = self.call("task.progress", task_id=task_id_of(task), **given)
        return changed

    def complete_task(self, task: Task | str, result: Any = None) -> Task:
        """Completes a task that this agent holds, with its result."""
        given = present(result=result)
        done: Task = self.call("task.complete", task_id=task_id_of(task), **given)
        return done

    def fail_task(self, task: Task | str, error: str, *, retry: bool | None = None) -> Task:
        """Ends an attempt with an error; the task is tried again while attempts are left."""
        given = present(retry=retry)
        failed: Task = self.call("task.fail", task_id=task_id_of(task), error=error, **given)
        return failed

    def release_task(self, task: Task | str) -> Task:
        """Gives a task back; the attempt does not count."""
        released: Task = self.call("task.release", task_id=task_id_of(task))
        return released

    def follow_task(
        self, task: Task | str, *, after: int | None = None, timeout: float | None = None
    ) -> Execution:
        """Follows a task with its parts and what is said about them, as far as this agent may see it; as
        `Hub.tasks.follow` does."""
        return Execution(self._native.follow_task(task_id_of(task), after), timeout)

    def start_session(
        self, *participants: str | Mapping[str, Any], rules: Mapping[str, Any] | None = None, **fields: Any
    ) -> AgentSession:
        """Starts a session, which this agent owns.

        Args:
            participants: Who else takes part: agent ids, or ``{"agent_id": …, "role": …}``.
            rules: Who may do what in it.
            **fields: Further fields of ``session.start``: ``kind``, ``name``, ``state`` …
        """
        given = present(rules=rules, **fields)
        started: Session = self.call("session.start", participants=list(participants), **given)
        return self.session(started)

    def session(self, session: Session | str) -> AgentSession:
        """A session as this agent sees it, by the session or by its id."""
        return AgentSession(self, session["session_id"] if isinstance(session, dict) else session)

    def set_memory(self, key: str, value: Any, **fields: Any) -> Entry:
        """Sets a key to a value; ``expected_version``, ``ttl_seconds``, ``access_control`` may go with it."""
        return self.memory.set(key, value, **fields)

    def get_memory(self, key: str, default: Any = None) -> Any:
        """The value of a key; ``default`` when it is not there."""
        try:
            return (self.memory.get(key)).value
        except NotFoundError:
            return default

    def update_memory(self, key: str, change: Callable[[Any], Any], *, default: Any = None) -> Entry:
        """Changes a value by a function, safely while others do the same."""
        return self.memory.update(key, change, default=default)

    def used_tool(self, tool_name: str, tokens: int | None = None, **fields: Any) -> None:
        """Says that a tool was used: moves this agent's counters, status and times. Returns at once."""
        self._native.presence_update(self.agent_id, tool_name=tool_name, tokens=tokens, **fields)

    def record_activity(self, activity_type: str, **fields: Any) -> Activity:
        """Records what this agent does; it is open until `complete_activity`.

        Args:
            activity_type: One of the standard types, or a word of your own.
            **fields: Further fields of ``activity.record``: ``metadata``, ``session_id``, ``task_id`` …
        """
        begun: Activity = self.call("activity.record", activity_type=activity_type, **fields)
        return begun

    def complete_activity(
        self, activity: Activity | str, result: Any = None, *, outcome: str | None = None
    ) -> Activity:
        """Completes an activity of this agent's; ``ok`` unless ``failed`` or ``cancelled`` is said."""
        activity_id = activity["activity_id"] if isinstance(activity, dict) else activity
        given = present(result=result, outcome=outcome)
        ended: Activity = self.call("activity.complete", activity_id=activity_id, **given)
        return ended

    def set_status(self, status: str, detail: str | None = None) -> Presence:
        """Sets this agent's status: ``active``, ``idle``, ``error`` or ``offline``."""
        presence: Presence = self.call("agent.set_status", status=status, **present(detail=detail))
        return presence

    def publish(
        self,
        event_type: str,
        payload: Any = None,
        target_agents: str | Sequence[str] | None = None,
        **fields: Any,
    ) -> PublishedEvent:
        """Publishes an event of your own; it is always of kind ``event.published``."""
        given = present(payload=payload, target_agents=target_agents, **fields)
        published: PublishedEvent = self.call("event.publish", event_type=event_type, **given)
        return published

    def subscribe(self, kinds: str | Iterable[str] | None = None, **filter: Any) -> Subscription:
        """Listens as this agent: what it may not see is left out; filters as `Hub.subscribe` does."""
        return self.hub._listen(self._native, kinds, **filter)

    def close(self) -> None:
        """Takes the agent offline. What it holds lapses with its leases: release it before if need be."""
        if not self.hub.closed:
            self.call("agent.leave")

    def __enter__(self) -> Agent:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Agent {self.agent_id!r} on {self.hub.path!r}>"
