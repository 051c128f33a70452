"""What both kinds of agent handle share: who acts is filled in, and the tokens of claims are kept."""

from __future__ import annotations

from typing import Any

from ._errors import InvalidInputError
from ._native import Hub as NativeHub
from ._operations import ACTORS, TOKENS
from .types import Agent as Profile
from .types import AgentView

# After these the claim of a task is over.
_ENDING = {"task.complete", "task.fail", "task.release"}


def present(**fields: Any) -> dict[str, Any]:
    """The fields that were given."""
    return {name: value for name, value in fields.items() if value is not None}


class Acting:
    """A handle that acts as one agent."""

    agent_id: str
    profile: Profile
    _native: NativeHub

    def _act(self, native: NativeHub, view: AgentView) -> None:
        self.agent_id = view.agent.agent_id
        self.profile = view.agent
        self._native = native.acting(self.agent_id)
        self._tokens: dict[str, int] = {}

    @property
    def held(self) -> list[str]:
        """The tasks that this handle has claimed and not ended, by id."""
        return list(self._tokens)

    def _filled(self, name: str, fields: dict[str, Any]) -> dict[str, Any]:
        """The input with who acts, and with the token of the claim."""
        if not isinstance(fields, dict):
            return fields
        filled = dict(fields)
        actor = ACTORS.get(name)
        if actor is not None:
            filled.setdefault(actor, self.agent_id)
        if name in TOKENS and filled.get("token") is None:
            token = self._tokens.get(filled.get("task_id", ""))
            if token is not None:
                filled["token"] = token
        if name == "task.complete_many":
            filled["tasks"] = [self._with_token(task) for task in filled.get("tasks", [])]
        return filled

    def _with_token(self, task: dict[str, Any]) -> dict[str, Any]:
        token = self._tokens.get(task.get("task_id", "")) if isinstance(task, dict) else None
        return task if token is None else {"token": token, **task}

    def _noted(self, name: str, input: dict[str, Any], answer: Any) -> Any:
        """Keeps the tokens of what was claimed, forgets those of what has ended."""
        if name == "task.claim" and answer is not None:
            self._tokens[answer["task_id"]] = answer["token"]
        elif name == "task.claim_many":
            self._tokens.update((task["task_id"], task["token"]) for task in answer["tasks"])
        elif name in _ENDING:
            self._tokens.pop(input["task_id"], None)
        elif name in ("task.complete_many", "task.cancel"):
            for task in answer["tasks"]:
                self._tokens.pop(task["task_id"], None)
        return answer

    def _lost(self, input: dict[str, Any]) -> None:
        """The lease of a task is over: its token is worth nothing."""
        self._tokens.pop(input.get("task_id", ""), None)


def task_id_of(task: Any) -> Any:
    """A task's id, from a task or from its id."""
    return task["task_id"] if isinstance(task, dict) and "task_id" in task else task


def refuse_reply(message: Any) -> InvalidInputError:
    """What `reply` says to something that is no message."""
    return InvalidInputError(
        f"message: must be a message as the inbox gives it; got {message!r}",
        details={"field": "message", "value": repr(message)},
    )
