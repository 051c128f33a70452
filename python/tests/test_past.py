"""Time travel: the hub as it was, by seq and by time, for threads and for event loops."""

import pickle
from datetime import datetime, timedelta, timezone

import pytest

import folkmoot
from folkmoot import AsyncHub, Hub, InvalidInputError, NotAllowedError, NotFoundError, UnavailableError


def test_the_past_answers_as_the_present_did(hub: Hub) -> None:
    seen = []
    for n in range(5):
        hub.memory.set("goal", n)
        seen.append((hub.status().seq, hub.memory.get("goal"), hub.memory.history("goal")))
    for seq, entry, history in seen:
        with hub.at(seq) as then:
            assert (then.memory.get("goal"), then.memory.history("goal")) == (entry, history)
            assert then.past is not None and then.past[0] == seq
            assert f"at seq {seq}" in repr(then)
    with hub.at(0) as then, pytest.raises(NotFoundError):
        then.memory.get("goal")
    assert hub.past is None


def test_a_time_is_text_or_a_datetime_with_its_zone(hub: Hub) -> None:
    entry = hub.memory.set("goal", 1)
    made = datetime.fromisoformat(entry.updated_at.replace("Z", "+00:00"))
    east = made.astimezone(timezone(timedelta(hours=2)))
    for point in (entry.updated_at, made, east):
        assert hub.at(point).memory.get("goal").value == 1
    with pytest.raises(NotFoundError):
        hub.at(made - timedelta(seconds=1)).memory.get("goal")
    with pytest.raises(InvalidInputError, match="at: must be a time with its zone") as naive:
        hub.at(made.replace(tzinfo=None))
    assert naive.value.details["field"] == "at"


@pytest.mark.parametrize("point", [-1, 1.5, True, None, "yesterday", "", [], {}, object()])
def test_what_is_no_point_is_refused(hub: Hub, point: object) -> None:
    with pytest.raises(InvalidInputError, match=r"^at(: must be|\b)"):
        hub.at(point)


def test_a_point_that_has_not_come_names_the_newest(hub: Hub) -> None:
    hub.memory.set("goal", 1)
    seq = hub.status().seq
    with pytest.raises(InvalidInputError, match=f"must be at most the newest seq, {seq}; got {seq + 1}"):
        hub.at(seq + 1)
    with pytest.raises(InvalidInputError, match="must not lie in the future"):
        hub.at(datetime.now(timezone.utc) + timedelta(days=1))


def test_the_past_cannot_be_changed_heard_or_pickled(hub: Hub) -> None:
    hub.memory.set("goal", 1)
    seq = hub.status().seq
    with hub.at(seq) as then:
        for attempt in (
            lambda: then.memory.set("goal", 2),
            lambda: then.memory.update("goal", lambda value: value + 1),
            lambda: then.agent("ana"),
            lambda: then.subscribe(),
            lambda: then.on("*", print),
            lambda: then.before("*", print),
            lambda: then.backup("copy.db"),
            lambda: then.check(),
            lambda: then.at(0),
        ):
            with pytest.raises(NotAllowedError, match=f"this is the hub as it was at seq {seq}") as refused:
                attempt()
            assert refused.value.details["reason"] == "past"
        with pytest.raises(TypeError, match="a view of the past cannot be pickled"):
            pickle.dumps(then)
    assert hub.status().seq == seq
    assert hub.memory.get("goal").value == 1


def test_a_view_ends_by_itself_alone(hub: Hub) -> None:
    hub.memory.set("goal", 1)
    one, other = hub.at(1), hub.at(1)
    one.close()
    assert one.closed
    with pytest.raises(UnavailableError, match="closed"):
        one.memory.get("goal")
    assert other.memory.get("goal").value == 1
    hub.memory.set("goal", 2)
    assert other.memory.get("goal").value == 1
    other.close()


async def test_event_loops_travel_too(ahub: AsyncHub) -> None:
    for n in range(3):
        await ahub.memory.set("goal", n)
    async with ahub.at(1) as then:
        assert (await then.memory.get("goal")).value == 0
        with pytest.raises(NotAllowedError, match="as it was at seq 1"):
            await then.memory.set("goal", 9)
        with pytest.raises(NotAllowedError, match="as it was at seq 1"):
            then.subscribe()
    then = await ahub.at(2)
    assert isinstance(then, folkmoot.AsyncHub)
    assert (await then.memory.get("goal")).value == 1
    await then.close()
    with pytest.raises(InvalidInputError, match="newest seq"):
        await ahub.at(99)
    assert (await ahub.memory.get("goal")).value == 2
