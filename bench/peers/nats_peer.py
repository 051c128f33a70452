"""NATS JetStream on files, with nats-py. It does not sync each write, so it compares with NORMAL."""

import asyncio
import threading
import time

import nats

from harness.measure import TEXT, cost, scratch
from harness.server import free_port, require, running
from harness.wake import wake_up

NORMAL = {"durability": "NORMAL"}


def main() -> None:
    require("nats-server")
    port = free_port()
    command = ["nats-server", "-js", "-sd", str(scratch()), "-a", "127.0.0.1", "-p", str(port)]
    with running(command, port), Loop() as loop:
        client = loop.run(nats.connect(url(port)))
        bucket = loop.run(client.jetstream().create_key_value(bucket="memory", history=1))
        compare_and_set(loop, bucket)
        watched(loop, bucket, port)
        loop.run(client.close())


def url(port: int) -> str:
    return f"nats://127.0.0.1:{port}"


class Loop:
    """An event loop on a thread of its own, so that the measuring code can stay synchronous."""

    def __enter__(self) -> "Loop":
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        return self

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)


def compare_and_set(loop: Loop, bucket) -> None:
    """Timed inside the loop: the hop between threads would be no part of NATS."""

    async def hundred(version: int) -> int:
        for _ in range(100):
            version = await bucket.update("k", TEXT.encode(), last=version)
        return version

    version = loop.run(bucket.put("k", TEXT.encode()))

    def many() -> None:
        nonlocal version
        version = loop.run(hundred(version))

    cost("P6", "nats", "KV update with expected revision", many, each=100, **NORMAL)


def watched(loop: Loop, bucket, port: int) -> None:
    def put(number: int) -> None:
        loop.run(bucket.put(f"seen.{number % 10}", TEXT.encode()))

    wake_up("P4", "nats", "KV put to watcher", listen, (port,), put, **NORMAL)


def listen(ready, count: int, port: int) -> list[int]:
    async def collect() -> list[int]:
        client = await nats.connect(url(port))
        watcher = await (await client.jetstream().key_value("memory")).watch("seen.*")
        arrived: list[int] = []
        # The first update is the mark that says: nothing older is left.
        await watcher.updates(timeout=5)
        ready()
        while len(arrived) < count:
            if await watcher.updates(timeout=30):
                arrived.append(time.monotonic_ns())
        await client.close()
        return arrived

    return asyncio.run(collect())


if __name__ == "__main__":
    main()
