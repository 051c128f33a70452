"""The hub for event loops: the same promises, and those of a loop."""

import asyncio
import pickle
import threading
import time
from pathlib import Path

import pytest
from waiting import soon_async

from folkmoot import AsyncHub, ConflictError, Event, Hub, NotFoundError, UnavailableError


async def test_calls_are_coroutines_with_the_same_answers(ahub: AsyncHub) -> None:
    entry = await ahub.memory.set("k", {"n": 1})
    assert (entry.version, entry.value) == (1, {"n": 1})
    assert (await ahub.memory.get("k")).value == {"n": 1}
    assert (await ahub.call("memory.get", key="k")).version == 1
    with pytest.raises(NotFoundError):
        await ahub.memory.get("nothing")
    with pytest.raises(ConflictError):
        await ahub.memory.set("k", 2, expected_version=7)


async def test_a_hub_is_opened_by_await_too(path: Path) -> None:
    hub = await AsyncHub.open(path)
    assert not hub.closed
    await hub.close()
    await hub.close()
    assert hub.closed
    with pytest.raises(UnavailableError):
        await hub.memory.get("k")


async def test_many_calls_at_once_are_all_answered(ahub: AsyncHub) -> None:
    entries = await asyncio.gather(*(ahub.memory.set(f"k/{n}", n) for n in range(500)))
    assert [entry.value for entry in entries] == list(range(500))
    read = await asyncio.gather(*(ahub.memory.list(prefix=f"k/{n}", limit=1) for n in range(50)))
    assert all(page.entries for page in read)


async def test_the_loop_goes_on_while_a_call_waits(ahub: AsyncHub) -> None:
    ana = await ahub.agent("ana")
    waiting = asyncio.create_task(ana.claim_task(wait_seconds=30))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    await ana.create_task("work")
    assert (await asyncio.wait_for(waiting, 5)).title == "work"


async def test_a_cancelled_call_ends_its_wait_in_the_engine(ahub: AsyncHub) -> None:
    ana = await ahub.agent("ana")
    for wait in (
        lambda: ana.claim_task(wait_seconds=60),
        lambda: ana.inbox(wait_seconds=60),
        lambda: ana.ask("anyone?", wait_seconds=60),
    ):
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0.1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    bridge = ahub._bridge()
    assert await soon_async(lambda: not bridge._given_up and not bridge._futures, 2)


async def test_what_a_cancelled_claim_won_nevertheless_is_given_back(ahub: AsyncHub) -> None:
    ana = await ahub.agent("ana")
    for _ in range(20):
        task = await ana.create_task("work")
        waiting = asyncio.create_task(ahub.tasks.claim("ana"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        until = time.monotonic() + 5
        while (state := (await ahub.tasks.get(task.id)).status) != "ready" and time.monotonic() < until:
            await asyncio.sleep(0.005)
        assert state == "ready"
        await ahub.tasks.cancel(task.id)


async def test_a_time_out_is_asyncios_own(ahub: AsyncHub) -> None:
    ana = await ahub.agent("ana")
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(ana.claim_task(wait_seconds=60), 0.1)


async def test_a_subscription_is_an_asynchronous_iterator(ahub: AsyncHub) -> None:
    async with ahub.subscribe("memory.*", timeout=0.2) as events:
        for n in range(300):
            await ahub.memory.set("k", n)
        assert [event.data.value async for event in events] == list(range(300))
    assert events.closed


async def test_next_has_a_time_out(ahub: AsyncHub) -> None:
    events = ahub.subscribe("memory.*")
    began = time.monotonic()
    assert await events.next(timeout=0.1) is None
    assert 0.05 < time.monotonic() - began < 2
    assert await events.next(timeout=0) is None
    await ahub.memory.set("k", 1)
    assert isinstance(await events.next(timeout=5), Event)


async def test_closing_wakes_who_iterates(ahub: AsyncHub) -> None:
    events = ahub.subscribe("memory.*")

    async def read() -> int:
        return len([event async for event in events])

    reading = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    events.close()
    assert await asyncio.wait_for(reading, 2) == 0


async def test_closing_the_hub_ends_what_waits(path: Path) -> None:
    hub = await AsyncHub.open(path, durability="normal")
    ana = await hub.agent("ana")

    async def read() -> int:
        return len([event async for event in hub.subscribe("task.*")])

    reading = asyncio.create_task(read())
    claiming = asyncio.create_task(ana.claim_task(wait_seconds=60))
    await asyncio.sleep(0.1)
    await asyncio.wait_for(hub.close(), 5)
    assert await asyncio.wait_for(reading, 5) == 0
    with pytest.raises(UnavailableError):
        await asyncio.wait_for(claiming, 5)


async def test_what_another_thread_writes_wakes_the_loop(ahub: AsyncHub, path: Path) -> None:
    with Hub.open(path, durability="normal") as hub, _later(lambda: hub.memory.set("k", 1)):
        event = await ahub.subscribe("memory.*").next(timeout=5)
        assert event is not None


class _later:
    """Does something on another thread a little later."""

    def __init__(self, what) -> None:
        self.timer = threading.Timer(0.1, what)

    def __enter__(self) -> None:
        self.timer.start()

    def __exit__(self, *_: object) -> None:
        self.timer.join()


def test_one_hub_serves_several_loops(path: Path) -> None:
    async def opened() -> AsyncHub:
        return await AsyncHub.open(path, durability="normal")

    hub = asyncio.run(opened())

    async def count() -> int:
        return (await hub.memory.increment("n")).value

    assert [asyncio.run(count()) for _ in range(5)] == [1, 2, 3, 4, 5]
    assert len(hub._bridges) == 1
    asyncio.run(hub.close())


async def test_an_update_is_tried_again_until_it_fits(ahub: AsyncHub) -> None:
    await asyncio.gather(*(ahub.memory.update("n", lambda n: n + 1, default=0) for _ in range(30)))
    assert (await ahub.memory.get("n")).value == 30


async def test_a_hub_on_a_file_pickles_as_its_path(ahub: AsyncHub) -> None:
    async with pickle.loads(pickle.dumps(ahub)) as again:
        assert again.path == ahub.path


async def test_backup_check_and_flush_do_not_hold_up_the_loop(ahub: AsyncHub, tmp_path: Path) -> None:
    await ahub.memory.set("k", 1)
    await ahub.backup(tmp_path / "copy.db")
    assert (await ahub.check())["events"] == 1
    await ahub.flush()
    assert "AsyncHub" in repr(ahub)
