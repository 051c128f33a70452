"""One tree of errors, with one class for each code."""

import pickle

import pytest

import folkmoot
from folkmoot import FolkmootError, ForkedProcessError, Hub, UnavailableError, _errors

CODES = [
    "invalid_input", "not_found", "already_exists", "conflict", "lease_lost", "not_allowed",
    "unauthenticated", "limit_exceeded", "unavailable", "storage", "internal",
]  # fmt: skip


@pytest.mark.parametrize("code", CODES)
def test_a_code_is_a_class_of_its_own(code: str) -> None:
    name = "".join(word.capitalize() for word in code.split("_")) + "Error"
    kind = getattr(folkmoot, name)
    assert issubclass(kind, FolkmootError)
    assert kind.code == code
    error = _errors.from_engine(code, "a sentence", "a hint", True, {"field": "x"})
    assert type(error) is kind
    assert str(error) == "a sentence (a hint)"
    assert (error.retryable, error.details) == (True, {"field": "x"})


def test_a_code_of_a_newer_engine_is_still_an_error() -> None:
    assert isinstance(_errors.from_engine("new", "x", None, False, {}), FolkmootError)


def test_a_forked_process_is_a_sort_of_unavailable() -> None:
    error = _errors.from_engine("unavailable", "x", None, True, {"reason": "forked"})
    assert type(error) is ForkedProcessError
    assert issubclass(ForkedProcessError, UnavailableError)


def test_an_error_carries_what_a_program_needs(hub: Hub) -> None:
    hub.memory.set("k", 1)
    with pytest.raises(folkmoot.ConflictError) as caught:
        hub.memory.set("k", 2, expected_version=7)
    error = caught.value
    assert error.code == "conflict"
    assert error.details["current_version"] == 1
    assert error.details["current"]["value"] == 1
    assert error.hint
    assert not error.retryable


def test_an_error_can_be_pickled(hub: Hub) -> None:
    with pytest.raises(folkmoot.NotFoundError) as caught:
        hub.memory.get("nothing")
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is folkmoot.NotFoundError
    assert (str(again), again.details) == (str(caught.value), caught.value.details)
