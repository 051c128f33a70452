"""The activity feed, its exports and replays, for threads and for event loops."""

import asyncio
import csv
import io
import json
import re
import signal
import threading
import time
from pathlib import Path

import pytest
from waiting import soon

from folkmoot import (
    AsyncHub,
    ConflictError,
    Hub,
    InvalidInputError,
    NotAllowedError,
    NotFoundError,
    UnavailableError,
    types,
)


def test_an_agent_records_what_it_does(hub: Hub) -> None:
    ana = hub.agent("ana", department="research")
    begun = ana.record_activity("council_debate", metadata={"topic": "cache"}, related_agents=["bob"])
    assert isinstance(begun, types.Activity)
    assert (begun.agent_id, begun.department, begun.open) == ("ana", "research", True)
    ended = ana.complete_activity(begun, {"votes": 3}, outcome="failed")
    assert (ended.open, ended.outcome, ended.result) == (False, "failed", {"votes": 3})
    assert ended.duration_seconds >= 0
    with pytest.raises(ConflictError, match="completed already"):
        ana.complete_activity(begun.activity_id)
    with pytest.raises(NotFoundError):
        ana.complete_activity("nothing")
    bob = hub.agent("bob")
    with pytest.raises(NotAllowedError):
        bob.complete_activity(ana.record_activity("x"))


def test_the_feed_shows_what_was_recorded_and_what_the_engine_did(hub: Hub) -> None:
    ana = hub.agent("ana")
    task = ana.create_task("read the logs")
    ana.claim_task(task)
    ana.complete_task(task, 1)
    ana.set_memory("k", 1)
    ana.send_message("hello")
    ana.record_activity("reading", metadata={"book": "Moby Dick"})
    feed = hub.activities.feed()
    assert [entry.activity_type for entry in reversed(feed.activities)] == [
        "agent_started",
        "task_created",
        "task_claimed",
        "task_completed",
        "memory_write",
        "message_sent",
        "reading",
    ]
    assert type(feed.activities[0].metadata) is dict
    found = hub.activities.feed(query="moby", open=True).activities
    assert [entry.activity_type for entry in found] == ["reading"]
    assert hub.activities.stats().total == 7
    assert hub.activities.status().agents[0].current_activity == "reading"
    assert "reading" in feed._repr_html_()


def test_following_gives_history_and_then_what_comes(hub: Hub) -> None:
    ana = hub.agent("ana")
    first = ana.record_activity("reading")
    with hub.activities.follow(after=0, agent_id="ana", activity_type="reading", timeout=10) as follow:
        assert next(follow).activity_id == first.activity_id
        second = ana.record_activity("reading")
        ana.record_activity("writing")
        ana.complete_activity(second)
        heard = [next(follow) for _ in range(2)]
        assert all(isinstance(entry, types.Activity) for entry in heard)
        assert [(entry.activity_id, entry.open) for entry in heard] == [(second.id, True), (second.id, False)]
        assert follow.next(0.01) is None
        assert follow.position > second.seq
    with pytest.raises(InvalidInputError, match="departement"):
        hub.activities.follow(departement="x")


def test_an_export_goes_into_a_file_or_whatever_can_be_written_to(hub: Hub, tmp_path: Path) -> None:
    for number in range(1_500):
        hub.activities.record("ana", "=counting", metadata={"number": number})
    path = tmp_path / "feed.csv"
    assert hub.activities.export_to(path, "csv") == 1_500
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [json.loads(row["metadata"])["number"] for row in rows] == list(range(1_500))
    assert {row["activity_type"] for row in rows} == {"'=counting"}
    with pytest.raises(FileExistsError):
        hub.activities.export_to(path, "csv")
    lines, whole = io.StringIO(), io.StringIO()
    assert hub.activities.export_to(lines, agent_id="ana") == 1_500
    assert hub.activities.export_to(whole, "json", query="1499") == 1
    assert len(lines.getvalue().splitlines()) == 1_500
    assert json.loads(whole.getvalue())[0]["metadata"] == {"number": 1499}
    with pytest.raises(InvalidInputError, match="format"):
        hub.activities.export_to(tmp_path / "feed.xml", "xml")
    assert not (tmp_path / "feed.xml").exists()


def test_a_replay_gives_events_in_order_at_any_speed(hub: Hub) -> None:
    hub.activities.record("ana", "x", session_id="s-1")
    hub.memory.set("k", 1)
    time.sleep(0.2)
    hub.activities.record("ana", "y", session_id="s-1")
    assert [event.kind for event in hub.replay(speed="max")] == [
        "activity.recorded",
        "memory.updated",
        "activity.recorded",
    ]
    heard: list[str] = []
    began = time.monotonic()
    assert hub.replay(session_id="s-1").play(lambda event: heard.append(event.data.activity_type)) == 2
    assert time.monotonic() - began >= 0.15
    assert heard == ["x", "y"]
    assert next(hub.replay(kinds="memory.*", speed=0)).data.value == 1
    assert list(hub.replay(until="2020-01-01T00:00:00Z")) == []
    for speed in (-1, float("inf"), 1e-9, "fast"):
        with pytest.raises(InvalidInputError, match="speed"):
            hub.replay(speed=speed)
    turns = hub.activities.replay(session_id="s-1", speed=2).events
    assert isinstance(turns[0], types.Played)
    assert (turns[0].after_seconds, turns[0].event.kind) == (0, "activity.recorded")


def paused(hub: Hub) -> None:
    """Two events whose replay at the slowest speed takes minutes."""
    hub.activities.record("ana", "x")
    time.sleep(0.3)
    hub.activities.record("ana", "y")


@pytest.mark.parametrize("end", ["replay", "hub"])
def test_closing_ends_a_wait(path: Path, end: str) -> None:
    with Hub.open(path, durability="normal") as hub:
        paused(hub)
        replay = hub.replay(speed=0.001)
        heard: list[object] = []
        thread = threading.Thread(target=replay.play, args=(heard.append,))
        thread.start()
        assert soon(lambda: len(heard) == 1)  # and now it waits for the turn of the second
        (replay if end == "replay" else hub).close()
        thread.join(30)
        assert not thread.is_alive()
        assert replay.closed


def test_ctrl_c_ends_a_wait(start) -> None:
    process = start(
        """
        import signal, time
        from folkmoot import Hub
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with Hub.open(":memory:") as hub:
            hub.activities.record("ana", "x")
            time.sleep(0.3)
            hub.activities.record("ana", "y")
            replay = hub.replay(speed=0.001)
            next(replay)
            print("waiting", flush=True)
            try:
                next(replay)
            except KeyboardInterrupt:
                print("interrupted")
        """
    )
    assert process.stdout.readline() == "waiting\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (out, err) == ("interrupted\n", "")


async def test_event_loops_have_the_same(ahub: AsyncHub, tmp_path: Path) -> None:
    ana = await ahub.agent("ana")
    first = await ana.record_activity("reading", session_id="s-1")
    follow = ahub.activities.follow(after=0, activity_type="reading")
    assert (await follow.next(10)).activity_id == first.activity_id
    waiting = asyncio.create_task(follow.next(10))
    await asyncio.sleep(0)
    await ana.complete_activity(first)
    assert (await waiting).outcome == "ok"
    follow.close()
    assert await ahub.activities.export_to(tmp_path / "feed.jsonl", session_id="s-1") == 1
    assert (await ana.activities.feed(open=False, agent_id="ana", activity_type="reading")).activities
    kinds = [event.kind async for event in ahub.replay(session_id="s-1", speed="max")]
    assert kinds == ["activity.recorded", "activity.completed"]
    heard: list[str] = []

    async def hear(event: types.Event) -> None:
        heard.append(event.kind)

    assert await ahub.replay(session_id="s-1").play(hear) == 2
    assert heard == kinds
    with pytest.raises(InvalidInputError, match="speed"):
        await ahub.replay(speed=-1).play(print)


async def test_a_replay_for_event_loops_is_ended_by_closing_it_or_by_cancelling(ahub: AsyncHub) -> None:
    await ahub.activities.record("ana", "x")
    await asyncio.sleep(0.3)
    await ahub.activities.record("ana", "y")
    replay = ahub.replay(speed=0.001)
    assert (await replay.__anext__()).kind == "activity.recorded"
    waiting = asyncio.create_task(replay.play(lambda _: None))
    await asyncio.sleep(0)
    replay.close()
    assert await asyncio.wait_for(waiting, 30) == 0
    cancelled = asyncio.create_task(ahub.replay(speed=0.001).play(lambda _: None))
    await asyncio.sleep(0.05)
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled


def test_the_guide_does_what_it_says(run) -> None:
    guide = Path(__file__).parents[2] / "docs" / "guides" / "activity.md"
    blocks = re.findall(r"```python\n(.*?)```", guide.read_text(encoding="utf-8"), re.S)
    said = run("\n".join(blocks), timeout=60).splitlines()
    assert said[0] == "council_debate ok True"
    assert [line.split()[1] for line in said[1:4]] == ["memory_write", "council_debate", "agent_started"]
    assert said[4:6] == ["council_debate goes on", "council_debate ok"]
    assert said[6] == "3 0 ana"
    assert [line.split()[1] for line in said[-2:]] == ["activity.recorded", "activity.completed"]


def test_a_closed_hub_has_no_feed(path: Path) -> None:
    hub = Hub.open(path)
    hub.close()
    for call in (hub.activities.feed, hub.activities.follow, hub.replay):
        with pytest.raises(UnavailableError):
            call()
