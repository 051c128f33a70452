"""htmlgraph's presence manager: in memory, and with its SQLite file."""

import logging

from htmlgraph.api.presence import PresenceManager

from harness.measure import cost, rate, scratch

EVENT = {"tool_name": "Edit", "feature_id": "feat-8c1b2", "session_id": "sess-19f2", "cost_tokens": 1234}


def main() -> None:
    logging.disable(logging.CRITICAL)
    memory = PresenceManager()
    cost(
        "P3",
        "htmlgraph",
        "update_presence in memory, a call",
        lambda: memory.update_presence("agent-1", EVENT),
    )
    kept = PresenceManager(db_path=str(scratch() / "presence.db"))
    update = lambda number: kept.update_presence(f"agent-{number % 100}", EVENT)
    rate("P3", "htmlgraph", "update_presence with SQLite", update)


if __name__ == "__main__":
    main()
