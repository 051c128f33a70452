"""A replay: the log of a span or a session, each event when its turn has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Union

from . import _native
from ._errors import UnavailableError
from ._records import Event
from .types import Gap

Played = Union[Event, Gap]


def played_of(raw: Any) -> Played:
    """An item as the native part gives it: an event, or a pair for a gap."""
    if isinstance(raw, Event):
        return raw
    first, last = raw
    return Gap({"from": first, "to": last})


class Replay:
    """Plays back what happened; made by `Hub.replay`.

    Iterate over it, or hand what is played to a function with `play`. A wait is ended by `close`, by Ctrl-C,
    or by closing the hub.

    >>> for event in hub.replay(session_id="sess-1", speed=10):
    ...     print(event.time, event.kind)
    """

    def __init__(self, hub: Any, native: _native.Playback) -> None:
        self._hub = hub  # an open replay keeps its hub
        self._native = native

    def __iter__(self) -> Iterator[Played]:
        return self

    def __next__(self) -> Played:
        try:
            raw = self._native.next()
        except UnavailableError:
            if self._native.closed:
                raise StopIteration from None
            raise
        if raw is None:
            raise StopIteration
        return played_of(raw)

    def play(self, handler: Callable[[Played], object]) -> int:
        """Calls a function with each item when its turn has come; answers how many there were.

        >>> hub.replay(speed="max").play(print)
        """
        count = 0
        for item in self:
            handler(item)
            count += 1
        return count

    @property
    def closed(self) -> bool:
        """Whether it, or its hub, is closed."""
        return self._native.closed

    def close(self) -> None:
        """Ends the replay; whoever waits in it is woken within a moment."""
        self._native.close()

    def __enter__(self) -> Replay:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Replay{' (closed)' if self.closed else ''}>"
