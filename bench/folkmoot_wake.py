"""P4: a write in one process, heard in another; and what listening costs while nothing happens."""

import multiprocessing
import time

from harness.hub import NORMAL, fresh_path, open_hub
from harness.measure import BODY, QUICK, attempt, figure, wanted
from harness.wake import wake_up

IDLE_SECONDS = 3.0 if QUICK else 10.0


def main() -> None:
    path = fresh_path()
    hub = open_hub(path)
    write = lambda number: hub.memory.set(f"seen/{number % 10}", BODY)
    wake_up("P4", "folkmoot", "memory.set to subscriber", listen, (path,), write, **NORMAL)
    idle(path)
    hub.close()


def listen(ready, count: int, path) -> list[int]:
    arrived: list[int] = []
    with open_hub(path) as hub:
        subscription = hub.subscribe(kinds=["memory.*"])
        ready()
        while len(arrived) < count:
            if subscription.next(timeout=1.0) is not None:
                arrived.append(time.monotonic_ns())
    return arrived


def idle(path) -> None:
    metric = "idle process"
    if not wanted("P4"):
        return
    with attempt("P4", "folkmoot", metric):
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        child = context.Process(target=wait, args=(theirs, path), daemon=True)
        child.start()
        theirs.close()  # so that a child that dies is an error here, and no wait for ever
        share = ours.recv()
        child.join(5)
        figure("P4", "folkmoot", metric, share * 100, "% of a core")


def wait(pipe, path) -> None:
    """The processor time of every thread of this process, while it listens to silence."""
    with open_hub(path) as hub:
        subscription = hub.subscribe(kinds=["memory.*"])
        time.sleep(0.5)
        start = time.process_time()
        subscription.next(timeout=IDLE_SECONDS)
        pipe.send((time.process_time() - start) / IDLE_SECONDS)


if __name__ == "__main__":
    main()
