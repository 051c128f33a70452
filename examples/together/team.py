"""A Python process and a Node process work on one file; each sees at once what the other does.

    python examples/together/team.py

starts `helper.mjs` beside it. Whatever one of them changes, the other waits for.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from folkmoot import Hub

HELPER = Path(__file__).with_name("helper.mjs")


def lead(path: str) -> None:
    with Hub.open(path) as hub:
        events = hub.subscribe(after=0, timeout=60)
        lead = hub.agent("lead", capabilities=["python"])
        helper = subprocess.Popen(["node", str(HELPER), path])
        next(event for event in events if event.kind == "agent.joined" and event.agent_id == "helper")
        print("python sees", [agent.agent_id for agent in hub.presence.list().agents])

        task = lead.create_task("Count the pages", requires=["counting"])
        done = next(event for event in events if event.kind == "task.completed").data
        print(f"python sees {done.title!r} {done.status} by {done.agent_id}: {done.result['pages']} pages")

        lead.set_memory("pages", done.result["pages"])
        answer = lead.ask("How many with the cover?", ["helper"], wait_seconds=60)
        print(f"python hears {answer.sender_id}: {answer.content}")
        shared = hub.memory.get("pages")
        print(f"python reads {shared.value}, version {shared.version}, written by {shared.updated_by}")
        if helper.wait(timeout=60) or hub.tasks.get(task.id).status != "completed":
            sys.exit("the helper failed")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        lead(str(Path(folder) / "team.db"))
