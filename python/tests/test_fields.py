"""Every field of every operation, wrong: refused by its name, in threads and in event loops."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from folkmoot import AsyncHub, FolkmootError, Hub
from folkmoot.types import ANSWERS

FILE = Path(__file__).resolve().parents[2] / "core" / "conformance" / "fields.json"
OPERATIONS = {one["call"]: one for one in json.loads(FILE.read_text(encoding="utf-8"))["operations"]}


def placed(path: str, value: Any) -> tuple[str, Any]:
    """The field at the start of a path, and what it holds when the value stands at the end of it."""
    first, *inner = re.findall(r"\w+|\[0\]", path)
    for part in reversed(inner):
        value = [value] if part == "[0]" else {part: value}
    return first, value


def refused(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each input that must be refused, with the path that the refusal must name."""
    for path, values in {**operation["wrong"], "no_such_field": [1]}.items():
        for value in values:
            given = copy.deepcopy(operation["input"])
            name, held = placed(path, value)
            given[name] = held
            yield path, given
    for name in operation["required"]:
        yield name, {key: value for key, value in operation["input"].items() if key != name}


def check(call: str, path: str, given: dict[str, Any], error: FolkmootError) -> None:
    told = f"{call} {given}: {error!r} {error.details}"
    assert error.code == "invalid_input", told
    assert error.details["field"] == path, told
    assert f"{path}: " in str(error), told


def test_every_operation_is_swept() -> None:
    assert set(OPERATIONS) == set(ANSWERS)
    assert sum(len(list(refused(operation))) for operation in OPERATIONS.values()) > 2_000


def test_a_wrong_field_is_named_for_threads() -> None:
    with Hub.open(":memory:", durability="memory") as hub:
        for call, operation in OPERATIONS.items():
            for path, given in refused(operation):
                with pytest.raises(FolkmootError) as caught:
                    hub.call(call, given)
                check(call, path, given, caught.value)
        assert hub.status().seq == 0


async def test_a_wrong_field_is_named_for_event_loops() -> None:
    async with AsyncHub.open(":memory:", durability="memory") as hub:
        for call, operation in OPERATIONS.items():
            for path, given in refused(operation):
                with pytest.raises(FolkmootError) as caught:
                    await hub.call(call, given)
                check(call, path, given, caught.value)
        assert (await hub.status()).seq == 0
