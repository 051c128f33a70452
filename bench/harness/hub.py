"""Opening the hub that is measured."""

import sys
from pathlib import Path
from typing import Any

from harness.measure import scratch

try:
    from folkmoot import Hub
except ImportError as error:
    sys.exit(f"folkmoot's Python package is not installed in bench/.venv ({error})")

NORMAL = {"durability": "NORMAL"}
FULL = {"durability": "FULL"}


def fresh_path() -> Path:
    """A place for a new hub."""
    return scratch() / "team.db"


def open_hub(path: Path | None = None, durability: str = "normal", **config: Any) -> Hub:
    """A hub as a user opens it; on a new file unless a path is given."""
    return Hub.open(str(path or fresh_path()), durability=durability, **config)


def register(hub: Hub, *agents: str) -> None:
    """Makes these agents known."""
    for agent in agents:
        hub.agents.register(agent_id=agent, name=agent)


def last_seq(hub: Hub) -> int:
    """The number of the newest event, durable or relaxed."""
    return int(hub.call("hub.status", {})["seq"])
