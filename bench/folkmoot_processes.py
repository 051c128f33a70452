"""P11: several processes write to one hub at once."""

import multiprocessing
import time

from harness.hub import NORMAL, fresh_path, open_hub
from harness.measure import BODY, SECONDS, attempt, figure, wanted

TIME = max(1.0, 2 * SECONDS)


def main() -> None:
    if not wanted("P11"):
        return
    for count in (1, 4):
        with attempt("P11", "folkmoot", f"writing processes={count}"):
            together(count)


def together(count: int) -> None:
    path = fresh_path()
    open_hub(path).close()
    context = multiprocessing.get_context("spawn")
    gate, pipes, children = context.Barrier(count), [], []
    for number in range(count):
        ours, theirs = context.Pipe()
        child = context.Process(target=write, args=(theirs, gate, path, number), daemon=True)
        child.start()
        theirs.close()  # so that a child that dies is an error here, and no wait for ever
        pipes.append(ours)
        children.append(child)
    reports = [pipe.recv() for pipe in pipes]
    for child in children:
        child.join(5)
    written = [each for each, _ in reports]
    share = min(written) * count / sum(written)
    name = f"writing processes={count}"
    figure("P11", "folkmoot", name, sum(written) / TIME, "ops/s", smallest_share=round(share, 2), **NORMAL)
    stall = max(longest for _, longest in reports)
    figure("P11", "folkmoot", f"{name}, longest stall", stall / 1e6, "ms", **NORMAL)


def write(pipe, gate, path, number: int) -> None:
    """Sends how many writes were acknowledged and how long the slowest took, in nanoseconds."""
    with open_hub(path) as hub:
        hub.memory.set(f"p{number}/ready", BODY)
        gate.wait(30)
        count, longest, clock = 0, 0, time.perf_counter_ns
        now = clock()
        end = now + int(TIME * 1e9)
        while now < end:
            hub.memory.set(f"p{number}/{count % 1000}", BODY)
            before, now = now, clock()
            count, longest = count + 1, max(longest, now - before)
        pipe.send((count, longest))


if __name__ == "__main__":
    main()
