"""Every conformance vector, through the hub for threads and the hub for event loops."""

from typing import Any

import pytest
import vectors

from folkmoot import AsyncHub, FolkmootError, Hub
from folkmoot.types import ANSWERS

ALL = dict(vectors.all_vectors())


@pytest.mark.parametrize("name", ALL)
def test_a_vector_holds_for_threads(name: str) -> None:
    saved: dict[str, Any] = {}
    with Hub.open(":memory:", durability="normal") as hub:
        for step in ALL[name]["steps"]:
            native = hub._native.acting(step["as"]) if "as" in step else hub._native
            try:
                answer = native.call(step["call"], vectors.filled(step.get("input", {}), saved))
            except FolkmootError as error:
                vectors.check_error(step, error)
            else:
                vectors.check_answer(step, answer, saved)


@pytest.mark.parametrize("name", ALL)
async def test_a_vector_holds_for_event_loops(name: str) -> None:
    saved: dict[str, Any] = {}
    async with AsyncHub.open(":memory:", durability="normal") as hub:
        for step in ALL[name]["steps"]:
            native = hub._native.acting(step["as"]) if "as" in step else hub._native
            try:
                answer = await hub._acting(native)(step["call"], vectors.filled(step.get("input", {}), saved))
            except FolkmootError as error:
                vectors.check_error(step, error)
            else:
                vectors.check_answer(step, answer, saved)


@pytest.mark.parametrize("operation", ANSWERS)
@pytest.mark.parametrize("outcome", ["expect", "error"])
def test_every_operation_has_a_good_and_a_bad_step(operation: str, outcome: str) -> None:
    steps = [step for vector in ALL.values() for step in vector["steps"] if step["call"] == operation]
    assert any(outcome in step for step in steps), f"no vector shows {operation} with {outcome}"


def test_a_difference_is_noticed() -> None:
    assert vectors.differences({"a": [1, "<text>"]}, {"a": [1, "x"], "b": 2}) == []
    for wrong in ({}, {"a": [1]}, {"a": [True, "x"]}, {"a": [1, 2]}, {"a": None}):
        assert vectors.differences({"a": [1, "<text>"]}, wrong) != []
