"""Another process works; this one hears of each change, in order, and ends when there is no more."""

import subprocess
import sys
import tempfile
from pathlib import Path

from folkmoot import Hub

WORK = """
import sys
from folkmoot import Hub
with Hub.open(sys.argv[1]) as hub:
    for number in range(3):
        hub.memory.set(f"notes/{number}", {"number": number})
    hub.tasks.create("worker", "Read the notes")
"""

with tempfile.TemporaryDirectory() as folder:
    path = str(Path(folder) / "team.db")
    with Hub.open(path) as hub, hub.subscribe(timeout=20) as events:
        subprocess.run([sys.executable, "-c", WORK, path], check=True)
        for event in events:
            if event.kind == "agent.status":
                continue  # a summary that comes every two seconds
            print(
                event.seq, event.kind, event.data.get("key") or event.data.get("title")
            )
            if event.kind == "task.created":
                break
