"""Waiting for what other threads and processes do."""

import asyncio
import time
from collections.abc import Callable


def soon(holds: Callable[[], object], seconds: float = 10) -> bool:
    """Whether something comes to hold within this time."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return True
        time.sleep(0.005)
    return bool(holds())


async def soon_async(holds: Callable[[], object], seconds: float = 10) -> bool:
    """Whether something comes to hold within this time, while the loop goes on."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if holds():
            return True
        await asyncio.sleep(0.005)
    return bool(holds())
