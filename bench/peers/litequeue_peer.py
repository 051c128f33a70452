"""litequeue: a small queue on SQLite, with synchronous=NORMAL."""

import litequeue

from harness.measure import TEXT, rate, scratch


def main() -> None:
    queue = litequeue.LiteQueue(str(scratch() / "queue.db"))

    def cycle(_: int) -> None:
        queue.put(TEXT)
        queue.done(queue.pop().message_id)

    rate("P7", "litequeue", "put, pop, done", cycle, durability="NORMAL")


if __name__ == "__main__":
    main()
