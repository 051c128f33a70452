"""A task followed from outside: what it tells."""

from __future__ import annotations

from typing import Any, ClassVar

from ._records import Record
from ._subscription import Cursor
from .types import LogLine, Message


class Update(Record):
    """What a followed task tells: ``type`` says which fields there are; the others are None.

    ======================  ==================================================================================
    ``status``              a change of the task or a part of it: ``task_id``, ``status``, ``progress``,
                            ``current_phase``, ``logs`` (the new lines), ``kind``, ``agent_id``, ``title``
    ``message``             something said about it: the fields of a message
    ``completion``          the end: ``result``
    ``error``               the end: ``error`` (``failed`` or ``cancelled``), ``message``, ``dead_letter``
    ``gap``                 events that retention took: ``from``, ``to``
    ======================  ==================================================================================
    """

    __slots__ = ()

    type: str
    """``status``, ``message``, ``completion``, ``error`` or ``gap``."""

    seq: int
    """The ``seq`` of the event: follow again with ``after`` this."""

    execution_id: str
    """The task that is followed."""

    task_id: str | None
    """The task that changed, or that the message is about."""

    timestamp: str
    """When."""

    _shape: ClassVar[dict[str, Any]] = {
        **Message._shape,
        **dict.fromkeys(("type", "execution_id", "parent_id", "title", "kind", "status", "progress")),
        **dict.fromkeys(("current_phase", "agent_id", "estimated_completion", "result", "error")),
        **dict.fromkeys(("message", "dead_letter", "from", "to")),
        "logs": [LogLine],
    }

    @property
    def is_end(self) -> bool:
        """Whether this is the end: a completion or an error."""
        return self["type"] in ("completion", "error")


class Execution(Cursor[Update]):
    """A task that is followed: what has happened, then live, to its end.

    Iterate over it, or ask for the `next` update with a time-out.

    >>> for update in hub.tasks.follow(task.id):
    ...     print(update.type, update.task_id, update.status)
    """

    def _given(self, raw: Any) -> Update:
        update: Update = raw
        return update

    @property
    def ended(self) -> bool:
        """Whether the task has ended and its end was given."""
        return self._native.ended
