"""Records: what the engine answers, as dicts whose fields are attributes too."""

from __future__ import annotations

from typing import Any, ClassVar

_LONGEST = 60
_MOST_ROWS = 100


class Record(dict[str, Any]):
    """A dict whose fields are attributes too: ``task["title"]`` and ``task.title`` are the same.

    A field that is a word of Python's is reached with an underscore behind it (``difference.from_``). Your
    own JSON inside a record (a memory's ``value``, a task's ``result``) stays plain dicts and lists.
    """

    __slots__ = ()

    _shape: ClassVar[dict[str, Any]] = {}

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        plain = name[:-1] if name.endswith("_") else name
        if plain in self:
            return self[plain]
        if plain in self._shape:
            return None  # a field that is left out where it has nothing to say
        fields = ", ".join(self) or "none"
        raise AttributeError(f"{type(self).__name__} has no field {name!r}; it has {fields}")

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(key for key in self if key.isidentifier())]

    @property
    def id(self) -> Any:
        """The record's own id: ``task_id`` of a task, ``key`` of a memory entry, ``name`` of a consumer."""
        if "id" in self:
            return self["id"]
        first = next(iter(self), "")
        if first.endswith("_id") or first in ("key", "name"):
            return self[first]
        raise AttributeError(f"{type(self).__name__} has no id of its own")

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.items())
        return f"{type(self).__name__}({fields})"

    def _repr_html_(self) -> str:
        """A table for notebooks: one row for each record of a page, or for each field."""
        rows = next((value for value in self.values() if _is_list_of_records(value)), None)
        if rows is None:
            return _table(["field", "value"], [[name, value] for name, value in self.items()])
        columns = list(dict.fromkeys(name for row in rows for name in row))
        table = _table(columns, [[row.get(name) for name in columns] for row in rows[:_MOST_ROWS]])
        left = len(rows) - _MOST_ROWS
        return table + (f"<p>… and {left} more</p>" if left > 0 else "")


def _is_list_of_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, Record) for item in value)


def _table(columns: list[str], rows: list[list[Any]]) -> str:
    from html import escape  # only notebooks need it

    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{escape(_cell(value))}</td>' for value in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


class Event(Record):
    """What changed, once and for ever. ``data`` holds the whole thing that changed."""

    __slots__ = ()

    seq: int
    """Its place in the hub's one total order; 0 for a summary, which has none."""

    kind: str
    """What happened, as ``noun.verb``."""

    time: str
    """When, by the wall clock of the process that wrote it."""

    principal: str
    """On whose behalf: ``process``, ``agent:<id>`` or ``operator:<id>``."""

    agent_id: str | None
    """The agent that acted or that changed."""

    session_id: str | None
    """The session it happened in."""

    task_id: str | None
    """The task it is about."""

    target_agents: list[str]
    """The agents it is for; ``*`` stands for all."""

    correlation_id: str | None
    """What ties a question to its answer."""

    data: Any
    """The whole thing that changed."""

    _shape: ClassVar[dict[str, Any]] = {
        "seq": None,
        "id": None,
        "kind": None,
        "time": None,
        "principal": None,
        "agent_id": None,
        "session_id": None,
        "task_id": None,
        "target_agents": None,
        "correlation_id": None,
        "data": Record,
    }


class Position(Record):
    """Nothing for this subscriber up to here: resume after this ``seq``."""

    __slots__ = ()

    seq: int
    """The last ``seq`` that was looked at."""
