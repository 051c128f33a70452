"""A subscription as an iterator: events in order, without gaps, or a `Gap` that says what is missing."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, TypeVar, Union

from . import _native
from ._errors import UnavailableError
from ._records import Event, Position
from .types import Activity, Gap

Item = Union[Event, Activity, Gap, Position]
T = TypeVar("T")
C = TypeVar("C", bound="Cursor[Any]")


def filter_of(
    kinds: str | Iterable[str] | None,
    *,
    agents: str | Iterable[str] | None = None,
    session_id: str | None = None,
    task_id: str | None = None,
    execution_id: str | None = None,
    key_prefix: str | None = None,
    event_types: str | Iterable[str] | None = None,
    correlation_id: str | None = None,
) -> dict[str, Any]:
    """The filter as the engine takes it; a lone name stands for a list of one."""
    lists = {"kinds": kinds, "agents": agents, "event_types": event_types}
    given: dict[str, Any] = {
        name: list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]
        for name, value in lists.items()
        if value is not None
    }
    single = {
        "session_id": session_id,
        "task_id": task_id,
        "execution_id": execution_id,
        "key_prefix": key_prefix,
        "correlation_id": correlation_id,
    }
    given.update((name, value) for name, value in single.items() if value is not None)
    return given


def item_of(raw: Any) -> Item:
    """An item as the native part gives it: a record, a pair for a gap, a number for a position."""
    if isinstance(raw, (Event, Activity)):
        return raw
    if isinstance(raw, tuple):
        first, last = raw
        return Gap({"from": first, "to": last})
    return Position(seq=raw)


class Cursor(Generic[T]):
    """What is read from the log item by item: by iterating, or with `next` and a time-out."""

    def __init__(self, native: _native.Subscription, timeout: float | None) -> None:
        self._native = native
        self._timeout = timeout

    def _given(self, raw: Any) -> T | None:
        """An item as the native part gives it; None for one that was not asked for."""
        raise NotImplementedError

    def next(self, timeout: float | None = None) -> T | None:
        """Waits for the next item.

        Args:
            timeout: Seconds to wait; for ever when left out.

        Returns:
            The item; None when the time is up, or when nothing more can come.

        Raises:
            UnavailableError: It, or its hub, is closed.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            raw = self._native.next(timeout)
            if raw is None:
                return None
            item = self._given(raw)
            if item is not None:
                return item
            if until is not None:
                timeout = max(0.0, until - time.monotonic())

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        try:
            item = self.next(self._timeout)
        except UnavailableError:
            if self._native.closed:
                raise StopIteration from None
            raise
        if item is None:
            raise StopIteration
        return item

    @property
    def position(self) -> int:
        """The last ``seq`` that was given or passed over: go on with ``after`` this."""
        return self._native.position

    @property
    def closed(self) -> bool:
        """Whether it, or its hub, is closed."""
        return self._native.closed

    def close(self) -> None:
        """Ends it; whoever waits in it is woken within a moment."""
        self._native.close()

    def __enter__(self: C) -> C:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.position}{', closed' if self.closed else ''}>"


class Subscription(Cursor[Item]):
    """A cursor on the log, with a filter.

    Iterate over it, or ask for the `next` item with a time-out. Events come at least once and in order; a
    `Gap` says which were taken by retention before they were read. It goes on from its `position` after a
    restart: ``hub.subscribe(after=position)``.

    >>> with hub.subscribe(kinds="task.*", timeout=5) as events:
    ...     for event in events:  # ends after 5 seconds without any
    ...         print(event.seq, event.kind, event.data)
    """

    def __init__(
        self, hub: Any, native: _native.Subscription, timeout: float | None, positions: bool
    ) -> None:
        super().__init__(native, timeout)
        self._hub = hub  # an open subscription keeps its hub
        self._positions = positions

    def _given(self, raw: Any) -> Item | None:
        item = item_of(raw)
        return item if self._positions or not isinstance(item, Position) else None
