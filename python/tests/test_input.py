"""What has no place in an input is refused, and the error names the field and the value."""

import datetime
import enum
import math
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from folkmoot import ConflictError, FolkmootError, Hub, InvalidInputError, LimitExceededError


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


def endless() -> list:
    value: list = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    ("value", "field", "says"),
    [
        (object(), "value", "object object"),
        (b"bytes", "value", "b'bytes'"),
        (math.nan, "value", "finite"),
        (math.inf, "value", "finite"),
        (2**64, "value", "2^64"),
        (-(2**63) - 1, "value", "2^63"),
        ({1: 2}, "value", "text as its keys"),
        ({"a": [1, {"b": 1j}]}, "value.a.[1].b", "1j"),
        ("\ud800", "value", "surrogates"),
        ({"\ud800": 1}, "value", "surrogates"),
        (endless(), "value", "nested"),
        (datetime.datetime(2026, 1, 1), "value", "time zone"),
        (datetime.date(2026, 1, 1), "value", "datetime.date"),
        (lambda: 0, "value", "function"),
        (Exception, "value", "class 'Exception'"),
    ],
)
def test_a_value_that_json_cannot_hold_is_named(hub: Hub, value: Any, field: str, says: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        hub.memory.set("k", value)
    assert caught.value.details["field"].replace(".[", "[").startswith(field.replace(".[", "["))
    assert says in str(caught.value)
    assert hub.stats().memory_keys == 0


class Word(str, enum.Enum):
    ONE = "one"


class Number(enum.IntEnum):
    ONE = 1


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ((1, 2), [1, 2]),
        ({3}, [3]),
        (frozenset({3}), [3]),
        (Word.ONE, "one"),
        (Number.ONE, 1),
        (True, True),
        (2**64 - 1, 2**64 - 1),
        (-(2**63), -(2**63)),
        (0.1, 0.1),
        (1e300, 1e300),
        (5e-324, 5e-324),
        (1.0, 1.0),
        (-0.0, -0.0),
        ('\0\n\u2028\U0001f600"\\', '\0\n\u2028\U0001f600"\\'),
        ({"": {"a b": None}}, {"": {"a b": None}}),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc), "2026-01-01T00:00:00.000Z"),
        (
            datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone(datetime.timedelta(hours=2))),
            "2025-12-31T22:00:00.000Z",
        ),
    ],
)
def test_a_value_comes_back_as_json_keeps_it(hub: Hub, value: Any, kept: Any) -> None:
    hub.memory.set("k", value)
    back = hub.memory.get("k").value
    assert back == kept
    assert type(back) is type(kept)
    assert str(back) == str(kept)


@pytest.mark.parametrize("input", [[], "text", 7, object()])
def test_an_input_must_be_a_dict(hub: Hub, input: Any) -> None:
    with pytest.raises(InvalidInputError, match="input"):
        hub.call("memory.get", input)


WRONG: dict[str, tuple[Callable[[Hub, Any], object], list[Any]]] = {
    "key": (lambda hub, bad: hub.memory.set(bad, 1), [None, 7, [], {}, object(), b"k"]),
    "expected_version": (lambda hub, bad: hub.memory.set("k", 1, expected_version=bad), ["1", -1, 1.5, []]),
    "ttl_seconds": (lambda hub, bad: hub.memory.set("k", 1, ttl_seconds=bad), ["1", [], math.nan]),
    "agent_id": (lambda hub, bad: hub.agents.get(bad), [None, 7, "", "a\nb"]),
    "limit": (lambda hub, bad: hub.memory.list(limit=bad), ["10", -1, 0, 2.5, True]),
    "wait_seconds": (lambda hub, bad: hub.consumers.read("c", wait_seconds=bad), ["1", -1, []]),
    "title": (lambda hub, bad: hub.tasks.create("ana", bad), [None, 7, ["x"]]),
    "content": (lambda hub, bad: hub.messages.send("ana", bad), [None, 7, ["x"]]),
}


@pytest.mark.parametrize(
    ("field", "bad"), [(name, bad) for name, (_, values) in WRONG.items() for bad in values]
)
def test_a_field_of_the_wrong_type_is_named(hub: Hub, field: str, bad: Any) -> None:
    hub.agents.register("ana")
    hub.consumers.open("c")
    call, _ = WRONG[field]
    with pytest.raises(InvalidInputError) as caught:
        call(hub, bad)
    assert caught.value.details["field"] == field


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("agent_id", 7),
        ("event", 7),
        ("tool_name", ["Edit"]),
        ("tool_name", "a\nb"),
        ("tokens", "12"),
        ("tokens", -1),
        ("tokens", 1.5),
        ("feature_id", 7),
        ("task_id", b"t"),
        ("session_id", {}),
        ("status", "asleep"),
        ("status", 7),
        ("location", "here"),
        ("location", {"planet": "earth"}),
    ],
)
def test_a_bad_presence_is_named_on_its_short_way_too(hub: Hub, field: str, bad: Any) -> None:
    hub.agents.register("ana")
    fields = {"agent_id": "ana", field: bad}
    with pytest.raises(InvalidInputError) as short:
        hub.presence.update(**fields)
    assert short.value.details["field"].startswith(field)
    assert str(bad if not isinstance(bad, str) else bad.split("\n")[0]) in str(short.value)
    with pytest.raises(FolkmootError):
        hub.call("presence.update", fields)


@pytest.mark.parametrize(
    ("filter", "field"),
    [
        ({"kinds": 7}, "kinds[0]"),
        ({"kinds": ["ta*sk"]}, "kinds[0]"),
        ({"agents": ["ana", ""]}, "agents[1]"),
        ({"task_id": 7}, "task_id"),
        ({"after": "1"}, "after"),
        ({"after": -1}, "after"),
        ({"after": 99}, "after"),
    ],
)
def test_a_bad_filter_names_its_field(hub: Hub, filter: dict, field: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        hub.subscribe(**filter)
    assert caught.value.details["field"] == field


def test_a_word_that_no_method_has_is_a_type_error(hub: Hub) -> None:
    with pytest.raises(TypeError, match="expcted_version"):
        hub.memory.set("k", 1, expcted_version=1)


def test_limits_say_which_and_how_much(hub: Hub) -> None:
    with pytest.raises(LimitExceededError) as caught:
        hub.memory.set("k", "x" * (1 << 20))
    assert caught.value.details["field"] == "value"
    assert caught.value.details["limit"] == 1 << 20
    with pytest.raises(LimitExceededError, match="levels of JSON"):
        hub.memory.set("k", nested(65))
    assert hub.memory.set("k", nested(64)).version == 1


def test_a_change_while_a_dict_is_read_harms_nothing(hub: Hub) -> None:
    class Sly(str):
        def __hash__(self) -> int:
            return 7

    hub.memory.set("k", {Sly("a"): 1, Sly("b"): 2})
    assert hub.memory.get("k").value == {"a": 1, "b": 2}
    with pytest.raises(ConflictError):
        hub.memory.set("k", 1, expected_version=0)
