"""Tasks that are followed from outside, from threads and from event loops."""

import asyncio
import threading
from pathlib import Path

import pytest

from folkmoot import AsyncHub, Hub, InvalidInputError, NotFoundError, UnavailableError, Update


def told(updates) -> list[str]:
    return [f"{update.type} {update.kind or ''}".strip() for update in updates]


def worked(hub: Hub, title: str = "x"):
    """A task with a part, a log, a message and its end."""
    ana = hub.agent("ana")
    task = ana.create_task(title)
    claimed = ana.claim_task(task)
    ana.report_progress(claimed, 50, phase="reading", log="half")
    part = ana.create_task("part", parent_id=task.id)
    ana.send_message("how far?", task_id=part.id)
    ana.complete_task(claimed, {"n": 1})
    return task


WHOLE = [
    "status task.created",
    "status task.claimed",
    "status task.progressed",
    "status task.created",
    "message",
    "status task.completed",
    "completion",
]


def test_a_task_is_told_to_its_end(hub: Hub) -> None:
    task = worked(hub)
    execution = hub.tasks.follow(task.id)
    updates = list(execution)
    assert told(updates) == WHOLE
    assert execution.ended
    progress, message, end = updates[2], updates[4], updates[-1]
    assert (progress.status, progress.progress, progress.current_phase) == ("in_progress", 50, "reading")
    assert [line.message for line in progress.logs] == ["half"]
    assert (message.content, message.sender_id, message.result) == ("how far?", "ana", None)
    assert (end.result, end.is_end, end.execution_id) == ({"n": 1}, True, task.id)
    assert execution.next(5) is None


def test_it_is_told_live_and_waits_no_longer_than_it_should(hub: Hub) -> None:
    ana = hub.agent("ana")
    task = ana.create_task("x")
    with hub.tasks.follow(task.id, timeout=0.05) as execution:
        assert told(execution) == ["status task.created"]
        assert not execution.ended
        later = threading.Timer(0.1, ana.claim_task, (task,))
        later.start()
        assert execution.next(30).kind == "task.claimed"
        later.join()
    with pytest.raises(UnavailableError):
        execution.next(1)


def test_it_goes_on_after_a_seq(hub: Hub) -> None:
    task = worked(hub)
    updates = list(hub.tasks.follow(task.id))
    for number, update in enumerate(updates[:-2]):
        assert list(hub.tasks.follow(task.id, after=update.seq)) == updates[number + 1 :]
    assert told(hub.tasks.follow(task.id, after=updates[-1].seq)) == ["completion"]
    with pytest.raises(InvalidInputError, match="after"):
        hub.tasks.follow(task.id, after=10_000)
    with pytest.raises(InvalidInputError, match="after"):
        hub.tasks.follow(task.id, after="soon")  # type: ignore[arg-type]
    with pytest.raises(NotFoundError):
        hub.tasks.follow("nowhere")


def test_an_agent_is_told_what_it_may_see(hub: Hub) -> None:
    ana, bob = hub.agent("ana"), hub.agent("bob")
    task = ana.create_task("x")
    ana.send_message("for cid", hub.agent("cid").agent_id, task_id=task.id)
    assert told(bob.follow_task(task, timeout=0.01)) == ["status task.created"]
    assert told(ana.follow_task(task, timeout=0.01)) == ["status task.created", "message"]


def test_a_failure_ends_it(hub: Hub) -> None:
    ana = hub.agent("ana")
    task = ana.create_task("x")
    ana.fail_task(ana.claim_task(task), "broken", retry=False)
    end = list(hub.tasks.follow(task.id))[-1]
    assert (end.type, end.error, end.message, end.is_end) == ("error", "failed", "broken", True)


def test_the_tree_of_a_task_can_be_subscribed_to(hub: Hub) -> None:
    with hub.subscribe("message.*", execution_id="t", timeout=0.2) as events:
        hub.tasks.create("boss", "t", task_id="t")
        hub.tasks.create("boss", "part", task_id="p", parent_id="t")
        hub.agent("ana").send_message("hello", task_id="p")
        assert [event.data.content for event in events] == ["hello"]


def test_a_loop_follows_a_task(path: Path) -> None:
    async def main() -> None:
        async with AsyncHub.open(path, durability="normal") as hub:
            ana = await hub.agent("ana")
            task = await ana.create_task("x")
            updates: list[Update] = []

            async def follow() -> None:
                async for update in hub.tasks.follow(task.id):
                    updates.append(update)

            following = asyncio.create_task(follow())
            claimed = await ana.claim_task(task)
            await ana.report_progress(claimed, 50, log="half")
            await ana.complete_task(claimed, 7)
            await asyncio.wait_for(following, 30)
            assert told(updates) == [*WHOLE[:3], *WHOLE[-2:]]
            again = ana.follow_task(task, after=updates[0].seq)
            assert (await again.next(5)).kind == "task.claimed"
            assert again.position == updates[1].seq
            assert not again.ended
            assert [update.type async for update in again] == ["status", "status", "completion"]
            assert again.ended
            assert await again.next(5) is None
            other = await ana.create_task("y")
            async with hub.tasks.follow(other.id, timeout=0.05) as silent:
                assert [update.kind async for update in silent] == ["task.created"]
            with pytest.raises(NotFoundError):
                hub.tasks.follow("nowhere")

    asyncio.run(main())


def test_a_loop_that_stops_reading_goes_on_where_it_stopped(path: Path) -> None:
    async def main() -> None:
        async with AsyncHub.open(path, durability="normal") as hub:
            for number in range(20):
                await hub.memory.set("k", number)
            first = hub.subscribe("memory.*", after=0)
            assert [(await first.next(5)).seq for _ in range(3)] == [1, 2, 3]
            assert first.position == 3
            assert (await hub.subscribe("memory.*", after=first.position).next(5)).seq == 4

    asyncio.run(main())
