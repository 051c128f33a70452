"""A worker process dies in the middle of a task; another takes it over, and the old token changes nothing."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from folkmoot import Hub, LeaseLostError

# Short, so that the death is noticed within seconds.
TIMES = {"lease_seconds": 1, "presence_ttl_seconds": 1}


def doomed_worker(path: str) -> None:
    """Claims a task, reports some progress, and is never heard of again."""
    with Hub.open(path, **TIMES) as hub:
        worker = hub.agent("doomed")
        task = worker.claim_task()
        worker.report_progress(task, 40, phase="reading")
        time.sleep(60)  # killed long before this is over


def survive(path: str) -> None:
    with Hub.open(path, **TIMES) as hub:
        heir = hub.agent("heir")
        task = hub.tasks.create("boss", "Index the archive")

        progress = hub.subscribe(kinds="task.progressed", after=0, timeout=20)
        worker = subprocess.Popen([sys.executable, __file__, path])
        held = next(progress).data
        worker.kill()
        worker.wait()
        print(f"killed {held['agent_id']} at {held['progress']:.0f} %")

        taken = heir.claim_task(wait_seconds=30)
        print(f"heir took it over: attempt {taken.attempts}")
        try:
            hub.tasks.complete(task.id, agent_id="doomed", token=held["token"])
        except LeaseLostError as error:
            print(f"the old token is refused: {error.code}")
        done = heir.complete_task(taken, {"pages": 12})
        print(f"{done.title}: {done.status} by {done.agent_id}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        doomed_worker(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            survive(str(Path(folder) / "team.db"))
