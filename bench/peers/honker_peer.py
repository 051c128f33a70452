"""honker: queues, streams and notifications on SQLite, with synchronous=NORMAL."""

import asyncio
import time

import honker

from harness.measure import BODY, rate, scratch
from harness.wake import wake_up

NORMAL = {"durability": "NORMAL"}


def main() -> None:
    streams()
    queues()
    notifications()


def streams() -> None:
    hub = honker.open(str(scratch() / "streams.db"))
    stream = hub.stream("events")
    rate("P2", "honker", "publish", lambda _: stream.publish(BODY), **NORMAL)
    hub.close()


def queues() -> None:
    hub = honker.open(str(scratch() / "queues.db"))
    queue = hub.queue("tasks")

    def one(_: int) -> None:
        queue.enqueue(BODY)
        queue.claim_one("worker").ack()

    def hundred(_: int) -> None:
        with hub.transaction() as transaction:
            for _ in range(100):
                queue.enqueue(BODY, tx=transaction)
        jobs = queue.claim_batch("worker", 100)
        queue.ack_batch([job.id for job in jobs], "worker")

    rate("P7", "honker", "enqueue, claim, ack", one, **NORMAL)
    rate("P7", "honker", "enqueue, claim, ack, batch=100", hundred, each=100, **NORMAL)
    hub.close()


def notifications() -> None:
    path = str(scratch() / "notifications.db")
    hub = honker.open(path)

    def notify(_: int) -> None:
        with hub.transaction() as transaction:
            transaction.notify("channel", BODY)

    wake_up("P4", "honker", "notify to listener", listen, (path,), notify, **NORMAL)
    hub.close()


def listen(ready, count: int, path: str) -> list[int]:
    async def collect() -> list[int]:
        notifications = honker.open(path).listen("channel")
        ready()
        arrived = []
        async for _ in notifications:
            arrived.append(time.monotonic_ns())
            if len(arrived) == count:
                break
        return arrived

    return asyncio.run(collect())


if __name__ == "__main__":
    main()
