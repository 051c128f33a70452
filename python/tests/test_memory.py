"""Shared memory."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from folkmoot import ConflictError, Hub, NotFoundError


def test_a_read_sees_the_newest_write_of_anyone(hub: Hub) -> None:
    with Hub.open(hub.path, durability="normal") as other:
        for number in range(200):
            (hub if number % 2 else other).memory.set("k", number)
            assert hub.memory.get("k").value == other.memory.get("k").value == number


def test_what_is_read_belongs_to_the_reader(hub: Hub) -> None:
    hub.memory.set("k", {"list": [1]})
    hub.memory.get("k").value["list"].append(2)
    assert hub.memory.get("k").value == {"list": [1]}


def test_an_update_is_tried_again_when_another_came_between(hub: Hub) -> None:
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: hub.memory.update("n", lambda n: n + 1, default=0), range(100)))
    entry = hub.memory.get("n")
    assert (entry.value, entry.version) == (100, 100)


def test_an_update_that_raises_changes_nothing(hub: Hub) -> None:
    hub.memory.set("k", 1)
    with pytest.raises(ZeroDivisionError):
        hub.memory.update("k", lambda value: value / 0)
    assert hub.memory.get("k").version == 1


def test_an_update_is_not_tried_for_ever(hub: Hub) -> None:
    def spoil(value: int) -> int:
        hub.memory.set("k", 0)
        return value

    hub.memory.set("k", 0)
    with pytest.raises(ConflictError, match="times in a row"):
        hub.memory.update("k", spoil)


def test_a_key_with_a_time_to_live_ends(hub: Hub) -> None:
    entry = hub.memory.set("k", 1, ttl_seconds=0.05)
    assert entry.expires_at is not None
    with hub.subscribe("memory.deleted", timeout=10) as gone:
        assert next(gone).data.key == "k"
    with pytest.raises(NotFoundError):
        hub.memory.get("k")


def test_pages_go_on_by_cursor(hub: Hub) -> None:
    hub.memory.set_many([{"key": f"k/{number:03}", "value": number} for number in range(250)])
    keys, cursor = [], None
    while True:
        page = hub.memory.list(prefix="k/", limit=100, cursor=cursor)
        keys += [entry.key for entry in page.entries]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert keys == [f"k/{number:03}" for number in range(250)]
