"""What belongs to the process: ending cleanly, forking, and the engine's log.

Threads of the engine never call into Python. What they have to say lies in queues; the log's is emptied by
one thread here, which ends before the interpreter does.
"""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from typing import TYPE_CHECKING, Protocol

from . import _native

if TYPE_CHECKING:
    import logging

# How long the end of the program waits for calls that are still in the engine.
_PATIENCE = 5.0


class _Open(Protocol):
    _native: _native.Hub


# Hubs that are open in this process.
_open: weakref.WeakSet[_Open] = weakref.WeakSet()
_log_thread: threading.Thread | None = None
_lock = threading.Lock()


def opened(hub: _Open) -> None:
    """Has this hub closed at the end of the program, if nobody closes it before."""
    with _lock:
        _open.add(hub)
        _start_log()


def log(name: str) -> logging.Logger:
    """A logger of folkmoot's. `logging` is imported when there is something to say, not with the package."""
    import logging

    return logging.getLogger(f"folkmoot.{name}")


def _start_log() -> None:
    global _log_thread
    if _log_thread is None:
        import logging

        # Without a handler of the program's, nothing is written anywhere.
        logging.getLogger("folkmoot").addHandler(logging.NullHandler())
        _native.log_start()
        _log_thread = threading.Thread(target=_forward_log, name="folkmoot-log", daemon=True)
        _log_thread.start()


def _forward_log() -> None:
    while (lines := _native.log_next()) is not None:
        for level, target, text in lines:
            # `folkmoot_engine::keeper` is the logger `folkmoot.engine.keeper`.
            logger = log(target.replace("folkmoot_", "").replace("::", "."))
            if logger.isEnabledFor(level):
                logger.log(level, "%s", text)


@atexit.register
def _end() -> None:
    """Closes what is open, so that threads that wait in the engine come back while Python is there."""
    for hub in list(_open):
        hub._native.close()
    _native.settle(_PATIENCE)
    if _log_thread is not None:
        _native.log_stop()
        _log_thread.join(_PATIENCE)


def _forget() -> None:
    """In a forked child: the parent's hubs are the parent's, and the threads are gone."""
    global _log_thread, _lock
    _lock = threading.Lock()
    _open.clear()
    _log_thread = None
    _native.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
