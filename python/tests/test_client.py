"""AgentClient: one agent that opens its own hub."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from waiting import soon_async

from folkmoot import AgentClient, AsyncHub, InvalidInputError, UnavailableError

CONFIG = {"durability": "normal"}


def client(name: str, path: Path, **more: object) -> AgentClient:
    return AgentClient(name=name, agent_type="llm", path=path, config=CONFIG, **more)


async def test_the_sample_of_the_documentation(path: Path) -> None:
    printed = []
    async with client("analysis_agent", path) as analysis:
        agent = AgentClient(name="research_agent", agent_type="llm", path=path, config=CONFIG)
        await agent.connect()
        await agent.send_message(content="Starting research task...", recipients=["analysis_agent"])
        task = await agent.create_task(
            title="Analyze data", description="Process the dataset", priority=1, assign_to="analysis_agent"
        )
        await agent.set_memory(key="research_results", value={"findings": "..."})

        @analysis.on_message
        async def handle_message(message) -> None:
            printed.append(f"Received: {message.content}")

        @analysis.on_task_assigned
        async def handle_task(task) -> None:
            await analysis.complete_task(task.id, {"rows": 3})

        waited = await agent.call("task.wait", task_id=task.id, wait_seconds=10)
        assert (waited.task.status, waited.task.result) == ("completed", {"rows": 3})
        assert waited.task.agent_id == "analysis_agent"
        assert await soon_async(lambda: printed == ["Received: Starting research task..."])
        assert await agent.get_memory("research_results") == {"findings": "..."}
        await agent.close()


async def test_what_arrives_before_a_handler_waits_for_it(path: Path, ahub: AsyncHub) -> None:
    boss = await ahub.agent("boss")
    await ahub.agents.register("worker")
    for number in range(3):
        await boss.send_message(f"message {number}", "worker")
        await boss.create_task(f"task {number}", assign_to="worker")
    messages, tasks = [], []
    worker = client("worker", path)
    worker.on_message(lambda message: messages.append(message.content))
    async with worker:
        await asyncio.sleep(0.1)

        @worker.on_task_assigned
        async def work(task) -> None:
            tasks.append(task.title)
            await worker.complete_task(task)

        assert await soon_async(lambda: len(messages) == len(tasks) == 3)
    assert messages == [f"message {number}" for number in range(3)]
    assert sorted(tasks) == [f"task {number}" for number in range(3)]


async def test_a_message_is_handed_out_once_also_after_a_restart(path: Path, ahub: AsyncHub) -> None:
    boss = await ahub.agent("boss")
    heard: list[str] = []
    for round in range(3):
        async with client("worker", path) as worker:
            worker.on_message(lambda message: heard.append(message.content))
            await boss.send_message(f"message {round}", "worker")
            assert await soon_async(lambda round=round: len(heard) == round + 1)
            assert await soon_async(lambda: True)
            while await worker.inbox():
                await asyncio.sleep(0.01)
    assert heard == ["message 0", "message 1", "message 2"]


async def test_only_what_is_assigned_is_taken(path: Path, ahub: AsyncHub) -> None:
    boss = await ahub.agent("boss")
    taken: list[str] = []
    async with client("worker", path) as worker:

        @worker.on_task_assigned
        async def work(task) -> None:
            taken.append(task.title)
            await worker.complete_task(task)

        await boss.create_task("for anyone")
        late = await boss.create_task("assigned later")
        await boss.create_task("for the worker", assign_to="worker")
        await ahub.tasks.assign(late.id, agent_id="worker")
        assert await soon_async(lambda: len(taken) == 2)
    assert sorted(taken) == ["assigned later", "for the worker"]


async def test_a_handler_that_raises_fails_its_task_and_ends_nothing(path: Path, ahub: AsyncHub) -> None:
    boss = await ahub.agent("boss")
    tried: list[int] = []
    async with client("worker", path) as worker:

        @worker.on_task_assigned
        async def work(task) -> None:
            tried.append(task.attempts)
            if task.title == "bad":
                raise ValueError("not today")
            await worker.complete_task(task)

        bad = await boss.create_task("bad", assign_to="worker", max_attempts=1)
        good = await boss.create_task("good", assign_to="worker")
        assert (await ahub.tasks.wait(good.id, wait_seconds=10)).task.status == "completed"
        failed = (await ahub.tasks.wait(bad.id, wait_seconds=10)).task
    assert (failed.status, failed.error) == ("failed", "ValueError: not today")


async def test_a_client_that_closes_gives_back_what_it_worked_on(path: Path, ahub: AsyncHub) -> None:
    boss = await ahub.agent("boss")
    began = asyncio.Event()
    async with client("worker", path) as worker:

        @worker.on_task_assigned
        async def work(task) -> None:
            began.set()
            await asyncio.sleep(60)

        task = await boss.create_task("long", assign_to="worker")
        await asyncio.wait_for(began.wait(), 10)
    assert (await ahub.tasks.get(task.id)).status == "ready"
    assert (await ahub.presence.get("worker")).status == "offline"


async def test_as_many_tasks_run_at_once_as_the_agent_takes(path: Path, ahub: AsyncHub) -> None:
    boss = await ahub.agent("boss")
    running = most = 0
    async with client("worker", path, max_load=3) as worker:

        @worker.on_task_assigned
        async def work(task) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.05)
            running -= 1
            await worker.complete_task(task)

        tasks = [await boss.create_task("x", assign_to="worker") for _ in range(9)]
        for task in tasks:
            assert (await ahub.tasks.wait(task.id, wait_seconds=10)).ended
    assert most == 3


async def test_before_it_is_connected_a_client_says_so(path: Path) -> None:
    agent = client("ana", path)
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: agent.send_message("hi"),
        lambda: agent.set_memory("k", 1),
        lambda: agent.get_memory("k"),
        lambda: agent.claim_task(),
    ]
    for call in calls:
        with pytest.raises(UnavailableError, match="not connected"):
            await call()
    await agent.close()
    assert "ana" in repr(agent)


async def test_a_server_is_not_there_yet(path: Path) -> None:
    with pytest.raises(InvalidInputError, match="server_url") as caught:
        AgentClient(name="ana", server_url="http://localhost:8000")
    assert "path" in (caught.value.hint or "")
    with pytest.raises(InvalidInputError, match="path"):
        AgentClient(name="ana")
