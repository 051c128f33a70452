"""huey on SQLite, as it comes: a commit is synced before it is answered."""

import logging

import huey

from harness.measure import TEXT, rate, scratch


def main() -> None:
    logging.disable(logging.CRITICAL)
    queue = huey.SqliteHuey(filename=str(scratch() / "huey.db"), results=False)

    @queue.task()
    def work(_text: str) -> None:
        return None

    def cycle(_: int) -> None:
        work(TEXT)
        queue.execute(queue.dequeue())

    rate("P7", "huey", "enqueue, dequeue, execute", cycle, durability="FULL")


if __name__ == "__main__":
    main()
