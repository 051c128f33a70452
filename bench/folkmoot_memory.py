"""P5: memory.get, which must be true at once whoever in whichever process wrote last."""

import multiprocessing
import time

from harness.hub import NORMAL, fresh_path, open_hub
from harness.measure import BODY, cost


def main() -> None:
    path = fresh_path()
    hub = open_hub(path)
    hub.memory.set("k", BODY)
    cost("P5", "folkmoot", "memory.get", lambda: hub.memory.get("k"), **NORMAL)

    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    other = context.Process(target=write_now_and_then, args=(path, stop), daemon=True)
    other.start()
    time.sleep(1)
    cost("P5", "folkmoot", "memory.get, another process writes 100/s", lambda: hub.memory.get("k"), **NORMAL)
    stop.set()
    other.join(5)
    hub.close()


def write_now_and_then(path, stop) -> None:
    with open_hub(path) as hub:
        number = 0
        while not stop.wait(0.01):
            number += 1
            hub.memory.set(f"other/{number % 10}", BODY)


if __name__ == "__main__":
    main()
