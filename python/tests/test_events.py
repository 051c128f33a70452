"""Subscriptions for threads."""

import threading
import time

import pytest
from waiting import soon

from folkmoot import Event, Gap, Hub, Position, Subscription, UnavailableError, types


def test_events_come_in_order_from_now_or_from_the_start(hub: Hub) -> None:
    hub.memory.set("before", 1)
    live, all_of_it = hub.subscribe("memory.*"), hub.subscribe("memory.*", after=0)
    for number in range(500):
        hub.memory.set("k", number)
    assert [live.next(5).data.value for _ in range(500)] == list(range(500))
    assert all_of_it.next(5).data.key == "before"
    assert [all_of_it.next(5).data.value for _ in range(500)] == list(range(500))
    assert live.next(0.01) is None
    assert live.position == all_of_it.position == hub.status().seq


def test_an_event_has_attributes_and_keys(hub: Hub) -> None:
    events = hub.subscribe("event.*")
    hub.events.publish(
        "build.finished", "ci", target_agents=["ana"], payload={"ok": True}, correlation_id="c"
    )
    event = events.next(5)
    assert isinstance(event, Event)
    assert (event.kind, event["kind"]) == ("event.published", "event.published")
    assert (event.agent_id, event.target_agents, event.correlation_id) == ("ci", ["ana"], "c")
    assert event.data.payload.ok is True
    assert event.id == event["id"]


def test_the_data_of_an_event_is_the_record_that_changed(hub: Hub) -> None:
    ana = hub.agent("ana")
    ana.create_task("x")
    ana.send_message("hello")
    ana.set_memory("k", {"a": {"b": 1}})
    ana.used_tool("Edit")
    hub.flush()
    pages = [hub.events.read().events, list(hub.subscribe(after=0, timeout=0.2))]
    for events in pages:
        data = {event.kind: event.data for event in events}
        assert isinstance(data["agent.joined"].presence, types.Presence)
        assert isinstance(data["task.created"], types.Task)
        assert data["task.created"].due_date is None
        assert isinstance(data["message.sent"], types.Message)
        assert type(data["memory.updated"].value["a"]) is dict


def test_filters_choose(hub: Hub) -> None:
    by_kind = hub.subscribe(["task.*", "agent.joined"], timeout=0.2)
    by_agent = hub.subscribe(agents="ana", timeout=0.2)
    by_prefix = hub.subscribe(key_prefix="plans/", timeout=0.2)
    by_type = hub.subscribe(event_types={"build.finished"}, timeout=0.2)
    by_correlation = hub.subscribe(correlation_id="c-1", timeout=0.2)
    ana = hub.agent("ana")
    task = ana.create_task("x")
    by_task = hub.subscribe(task_id=task.id, after=0, timeout=0.2)
    hub.memory.set("plans/q3", 1)
    hub.memory.set("other", 1)
    hub.events.publish("build.finished", "ci", correlation_id="c-1")
    hub.events.publish("build.started", "ci")

    def kinds(events: Subscription) -> list[str]:
        return [event.kind for event in events]

    assert kinds(by_kind) == ["agent.joined", "task.created"]
    assert kinds(by_agent) == ["agent.joined", "task.created"]
    assert kinds(by_task) == ["task.created"]
    assert [event.data.key for event in by_prefix] == ["plans/q3"]
    assert [event.data.event_type for event in by_type] == ["build.finished"]
    assert [event.data.event_type for event in by_correlation] == ["build.finished"]


def test_a_time_out_is_kept(hub: Hub) -> None:
    events = hub.subscribe("memory.*")
    for timeout in (0, 0.05, 0.3):
        began = time.monotonic()
        assert events.next(timeout) is None
        assert timeout * 0.9 <= time.monotonic() - began < timeout + 1
    began = time.monotonic()
    assert list(hub.subscribe("memory.*", timeout=0.1)) == []
    assert time.monotonic() - began < 2


def test_closing_wakes_who_waits(hub: Hub) -> None:
    events = hub.subscribe("memory.*")
    ended = []
    waiting = threading.Thread(target=lambda: ended.append(list(events)))
    waiting.start()
    time.sleep(0.1)
    events.close()
    waiting.join(5)
    assert ended == [[]]
    assert events.closed
    with pytest.raises(UnavailableError, match="closed"):
        events.next(0)


def test_closing_the_hub_ends_iteration(path) -> None:
    hub = Hub.open(path)
    events = hub.subscribe("memory.*")
    threading.Timer(0.1, hub.close).start()
    assert list(events) == []


def test_a_subscription_goes_on_from_its_position(hub: Hub) -> None:
    with hub.subscribe("memory.*") as first:
        for number in range(10):
            hub.memory.set("k", number)
        assert [first.next(5).data.value for _ in range(4)] == [0, 1, 2, 3]
        position = first.position
    second = hub.subscribe("memory.*", after=position, timeout=0.2)
    assert [event.data.value for event in second] == [4, 5, 6, 7, 8, 9]


def test_what_retention_took_is_a_gap(path) -> None:
    with Hub.open(path, durability="normal", retain_events=20) as hub:
        for number in range(200):
            hub.memory.set("k", number)
        assert soon(lambda: hub.status().base_seq > 0, 30)
        with hub.subscribe("memory.*", after=0, timeout=0.3) as events:
            gap, *rest = list(events)
    assert isinstance(gap, Gap)
    assert (gap.from_, gap["from"]) == (1, 1)
    assert rest[0].seq == gap.to + 1


def test_positions_come_to_who_asks_for_them(hub: Hub) -> None:
    asked, plain = hub.subscribe("task.*", positions=True), hub.subscribe("task.*")
    for number in range(1500):
        hub.memory.set("k", number)
    item = asked.next(timeout=10)
    assert isinstance(item, Position)
    assert item.seq == asked.position > 0
    assert plain.next(timeout=0.1) is None


def test_many_threads_may_read_one_subscription(hub: Hub) -> None:
    events = hub.subscribe("memory.*", timeout=0.5)
    seen: list[int] = []
    readers = [threading.Thread(target=lambda: seen.extend(e.data.value for e in events)) for _ in range(4)]
    for reader in readers:
        reader.start()
    for number in range(400):
        hub.memory.set("k", number)
    for reader in readers:
        reader.join()
    assert sorted(seen) == list(range(400))


def test_a_consumer_remembers_what_was_acknowledged(hub: Hub) -> None:
    hub.consumers.open("audit", filter={"kinds": ["memory.*"]})
    for number in range(3):
        hub.memory.set("k", number)
    page = hub.consumers.read("audit", wait_seconds=5)
    assert [event.data.value for event in page.events] == [0, 1, 2]
    hub.consumers.ack("audit", page.events[1].seq)
    assert [event.data.value for event in hub.consumers.read("audit").events] == [2]


def test_a_handler_hears_until_it_is_closed(hub: Hub) -> None:
    heard: list[int] = []
    with hub.on("memory.*", lambda event: heard.append(event.data.value)):
        for number in range(100):
            hub.memory.set("k", number)
        assert soon(lambda: len(heard) == 100)
    hub.memory.set("k", 100)
    time.sleep(0.1)
    assert heard == list(range(100))
