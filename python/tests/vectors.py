"""The conformance vectors: steps and what each must answer, the same for every way in."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "core" / "conformance" / "vectors"

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

WILDCARDS = {
    "<any>": lambda value: True,
    "<id>": lambda value: isinstance(value, str) and ID.fullmatch(value) is not None,
    "<time>": lambda value: isinstance(value, str) and TIME.fullmatch(value) is not None,
    "<int>": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "<text>": lambda value: isinstance(value, str),
}


def all_vectors() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each vector with its name."""
    for file in sorted(FOLDER.glob("*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        for vector in content["vectors"]:
            yield f"{content['noun']}: {vector['name']}", vector


def filled(template: Any, saved: dict[str, Any]) -> Any:
    """The template with what was saved in place of each `$name`."""
    if isinstance(template, dict):
        return {key: filled(value, saved) for key, value in template.items()}
    if isinstance(template, list):
        return [filled(value, saved) for value in template]
    if isinstance(template, str) and template.startswith("$") and template[1:] in saved:
        return saved[template[1:]]
    return template


def differences(expected: Any, got: Any, place: str = "answer") -> list[str]:
    """Where an answer is not as expected: objects may hold more, lists must be of the same length."""
    if isinstance(expected, str) and expected in WILDCARDS:
        return [] if WILDCARDS[expected](got) else [f"{place}: {got!r} is not {expected}"]
    if isinstance(expected, dict) and isinstance(got, dict):
        found = []
        for key, value in expected.items():
            if key not in got:
                found.append(f"{place}.{key} is missing from {got!r}")
            else:
                found += differences(value, got[key], f"{place}.{key}")
        return found
    if isinstance(expected, list) and isinstance(got, list):
        if len(expected) != len(got):
            return [f"{place}: {len(got)} items instead of {len(expected)}: {got!r}"]
        pairs = zip(expected, got)
        return [
            one for at, (want, item) in enumerate(pairs) for one in differences(want, item, f"{place}[{at}]")
        ]
    same = expected == got and isinstance(expected, bool) == isinstance(got, bool)
    return [] if same else [f"{place}: {got!r} instead of {expected!r}"]


def at_path(value: Any, path: str) -> Any:
    """The value at a dotted path: `tasks.0.task_id`."""
    for part in path.split("."):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def check_answer(step: dict[str, Any], answer: Any, saved: dict[str, Any]) -> None:
    """Holds an answer against its step, and saves what later steps use."""
    assert "error" not in step, f"{step['call']} answered {answer!r} instead of {step['error']}"
    assert differences(filled(step.get("expect", "<any>"), saved), answer) == []
    saved.update((name, at_path(answer, path)) for name, path in step.get("save", {}).items())


def check_error(step: dict[str, Any], error: Any) -> None:
    """Holds an error against its step."""
    expected = step.get("error")
    assert expected is not None, f"{step['call']} failed: {error!r} {error.details}"
    assert error.code == expected["code"], f"{step['call']}: {error!r}"
    if "field" in expected:
        assert error.details.get("field") == expected["field"], f"{step['call']}: {error!r} {error.details}"
    if "says" in expected:
        assert expected["says"] in str(error), f"{step['call']}: {error!r}"
