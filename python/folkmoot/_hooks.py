"""Hooks and plug-ins: functions of the program that the hub calls.

Threads of the engine never call into Python: a question to a hook is left at a desk. At the desk of a `Hub`
threads of Python wait for it; the desk of an `AsyncHub` rings for the event loop that registered the hook.
"""

from __future__ import annotations

import inspect
import threading
import weakref
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Protocol

from . import _native, _process
from ._errors import FolkmootError, InvalidInputError

# How deep in hooks a task or thread is; the native part hands it to the calls made there.
DEPTH: ContextVar[int] = ContextVar("folkmoot_hook_depth", default=0)

# The most threads that run the hooks of one hub.
_MOST = 32


class Refusal(Exception):
    """Raised by a `before` hook: the operation is refused, for this reason.

    >>> def guard(request):
    ...     if "secret" in request.input["title"]:
    ...         raise Refusal("it tells a secret")
    """


class Request:
    """What a `before` hook is asked about."""

    __slots__ = ("input", "operation", "principal")

    operation: str
    """The operation."""
    input: dict[str, Any]
    """Its input. Return another one to change it; changing this one changes nothing."""
    principal: str
    """On whose behalf: ``process``, ``agent:<id>`` or ``operator:<id>``."""

    def __init__(self, operation: str, input: dict[str, Any], principal: str) -> None:
        self.operation = operation
        self.input = input
        self.principal = principal

    @property
    def agent_id(self) -> str | None:
        """The agent on whose behalf, if it is one."""
        kind, _, name = self.principal.partition(":")
        return name if kind == "agent" else None

    def __repr__(self) -> str:
        return f"<Request {self.operation} by {self.principal}: {self.input!r}>"


class Hook:
    """A registered hook. It can be used with ``with``, which takes it away at the end."""

    def __init__(self, name: str, remove: Callable[[str], None]) -> None:
        self.name = name
        self._remove = remove

    def remove(self) -> None:
        """Takes the hook away: it is asked nothing more."""
        self._remove(self.name)

    def __enter__(self) -> Hook:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<Hook {self.name!r}>"


Function = Callable[..., Any]


class Desk(Protocol):
    """Where questions wait, and the functions that answer them."""

    native: _native.Desk
    functions: dict[str, Function]


class Hooking:
    """The methods of a hub that register hooks."""

    _native: _native.Hub

    def _hook_desk(self) -> Desk:
        raise NotImplementedError

    def _check_hook(self, function: Function) -> None:
        if not callable(function):
            raise InvalidInputError(
                f"function: must be callable; got {function!r}",
                details={"field": "function", "value": repr(function)},
            )

    def before(
        self,
        operations: str,
        function: Callable[[Request], Any],
        *,
        name: str | None = None,
        timeout: float = 5.0,
        on_error: str = "allow",
    ) -> Hook:
        """Has a function asked before operations: it may refuse them or change their input.

        It lets a call pass by returning None, changes its input by returning another dict, and refuses it by
        raising `Refusal`. Hooks are asked in the order of their registration and bind this process only; they
        go with this hub.

        Args:
            operations: ``"task.create"``, ``"task.*"`` or ``"*"``.
            function: Given a `Request`.
            name: Its name, one of a kind in the process; the function's own when left out.
            timeout: Seconds that it may take.
            on_error: What becomes of the call when the function fails or is not done in time: ``"allow"`` or,
                for hooks that guard something, ``"refuse"``.

        Raises:
            AlreadyExistsError: The name is taken.
            InvalidInputError: No operation fits.
        """
        return self._register("before", operations, function, name, timeout=timeout, on_error=on_error)

    def after(
        self, kinds: str, function: Callable[[Any], Any], *, name: str | None = None, timeout: float = 5.0
    ) -> Hook:
        """Has a function told of events, off the write path: in order, one at a time, none missed.

        Args:
            kinds: ``"task.completed"``, ``"task.*"`` or ``"*"``.
            function: Given an `Event`.
            name: Its name; the function's own when left out.
            timeout: Seconds that it may take for one event; then it is told of the next.
        """
        return self._register("after", kinds, function, name, timeout=timeout)

    def summarizer(
        self, function: Callable[[dict[str, Any]], Any], *, name: str | None = None, timeout: float = 30.0
    ) -> Hook:
        """Has a function write the summaries of ``thread.summarize``.

        Args:
            function: Given a dict with ``digest``, ``messages`` and ``left_out``, answers text.
            name: Its name; the function's own when left out.
            timeout: Seconds that it may take; then the extractive digest is given, which says so.
        """
        return self._register("summarizer", "", function, name, timeout=timeout)

    def collector(
        self,
        function: Callable[[], Any],
        *,
        name: str | None = None,
        interval: float = 5.0,
        timeout: float = 5.0,
    ) -> Hook:
        """Has a function give figures; subscribers of ``metric.collected`` in this process hear them.

        Args:
            function: Answers dicts with ``name`` and ``value``; if need be ``labels``, ``source``, ``time``.
            name: Its name; the function's own when left out.
            interval: Seconds from one call to the next.
            timeout: Seconds that it may take.
        """
        return self._register("collector", "", function, name, timeout=timeout, interval=interval)

    def unhook(self, name: str) -> None:
        """Takes a hook away, by its name.

        Raises:
            NotFoundError: There is no hook of this name.
        """
        self._native.unhook(name)
        self._hook_desk().functions.pop(name, None)

    def _register(
        self,
        point: str,
        pattern: str,
        function: Function,
        name: str | None,
        *,
        timeout: float,
        interval: float = 5.0,
        on_error: str = "allow",
    ) -> Hook:
        self._check_hook(function)
        name = name if name is not None else getattr(function, "__name__", type(function).__name__)
        for field, value, kind in (
            ("name", name, str),
            ("operations" if point == "before" else "kinds", pattern, str),
            ("on_error", on_error, str),
            ("timeout", timeout, (int, float)),
            ("interval", interval, (int, float)),
        ):
            if not isinstance(value, kind):
                raise InvalidInputError(
                    f"{field}: has the wrong type; got {value!r}",
                    details={"field": field, "value": repr(value)},
                )
        desk = self._hook_desk()
        taken = desk.functions.get(name)
        desk.functions.setdefault(name, function)
        try:
            self._native.hook(
                desk.native,
                {
                    "name": name,
                    "point": point,
                    "pattern": pattern,
                    "timeout": timeout,
                    "interval": interval,
                    "on_error": on_error,
                },
            )
        except BaseException:
            if taken is None:
                desk.functions.pop(name, None)
            raise
        desk.functions[name] = function
        return Hook(name, self.unhook)


def argument(asked: _native.Asked) -> tuple[Any, ...]:
    """What the function of a hook is given."""
    if asked.point == "collector":
        return ()
    matter = asked.matter()
    if asked.point == "before":
        return (Request(asked.subject, matter, asked.principal),)
    return (matter,)


def failed(asked: _native.Asked, error: BaseException) -> None:
    """Answers for a function that raised."""
    if isinstance(error, Refusal) and asked.point == "before":
        asked.refuse(str(error) or "no reason was given")
        return
    _process.log("hooks").error("hook %r failed", asked.hook, exc_info=error)
    details = error.details if isinstance(error, FolkmootError) else None
    asked.fail(f"{type(error).__name__}: {error}", details)


class ThreadDesk:
    """The desk of a hub for threads, which are started as questions come."""

    def __init__(self, hub: object) -> None:
        self.native = _native.Desk()
        self.functions: dict[str, Function] = {}
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        # A hub that nobody holds any more ends its threads; so does the end of the program.
        self.close = weakref.finalize(hub, self.native.close)
        self._start()

    def _start(self) -> None:
        self._threads += 1
        threading.Thread(target=self._serve, name="folkmoot-hooks", daemon=True).start()

    def _serve(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            asked = self.native.next()
            with self._lock:
                self._idle -= 1
                if asked is None:
                    return
                # Someone must be there for the next question: it may come from this very function.
                if self._idle == 0 and self._threads < _MOST:
                    self._start()
            self._run(asked)
            del asked

    def _run(self, asked: _native.Asked) -> None:
        function = self.functions.get(asked.hook)
        if function is None:
            return
        token = DEPTH.set(asked.depth)
        try:
            asked.answer(function(*argument(asked)))
        except BaseException as error:
            failed(asked, error)
        finally:
            DEPTH.reset(token)


def refuse_coroutine(function: Function) -> None:
    """A hub for threads has no loop to run a coroutine on."""
    if inspect.iscoroutinefunction(function):
        raise InvalidInputError(
            f"function: must not be a coroutine function; got {function!r}",
            hint="register it with an AsyncHub, or give a plain function",
            details={"field": "function", "value": repr(function)},
        )
