"""Redis over TCP on loopback, with redis-py and hiredis: in memory, and with each write synced to its log."""

import time

import redis

from harness.measure import TEXT, cost, rate, scratch
from harness.server import free_port, require, running
from harness.wake import wake_up

IN_MEMORY = ["--appendonly", "no"]
AOF_ALWAYS = ["--appendonly", "yes", "--appendfsync", "always"]


def main() -> None:
    require("redis-server")
    with_server("redis", IN_MEMORY, in_memory)
    with_server("redis AOF always", AOF_ALWAYS, with_aof)


def with_server(name, options, measure) -> None:
    port = free_port()
    where = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(scratch()), "--save", ""]
    with running(["redis-server", *where, *options], port):
        client = redis.Redis(port=port)
        measure(name, client, port)
        client.close()


def in_memory(name: str, client: redis.Redis, port: int) -> None:
    def presence(number: int = 0) -> None:
        client.hset("presence", f"agent-{number % 1000}", TEXT)
        client.publish("presence", TEXT)

    def presence_in_one_trip(number: int) -> None:
        both = client.pipeline(transaction=False)
        both.hset("presence", f"agent-{number % 1000}", TEXT)
        both.publish("presence", TEXT)
        both.execute()

    rate("P2 P3", name, "presence: HSET, PUBLISH", presence)
    rate("P3", name, "presence: HSET, PUBLISH in one trip", presence_in_one_trip)
    cost("P3", name, "presence: HSET, PUBLISH, a call", presence)
    client.set("k", TEXT)
    cost("P5", name, "GET", lambda: client.get("k"))
    wake_up("P4", name, "HSET, PUBLISH to subscriber", listen, (port,), presence)


def with_aof(name: str, client: redis.Redis, port: int) -> None:
    def hundred(_: int) -> None:
        batch = client.pipeline(transaction=False)
        for number in range(100):
            batch.set(f"k{number}", TEXT)
        batch.execute()

    def presence(number: int) -> None:
        client.hset("presence", f"agent-{number % 1000}", TEXT)
        client.publish("presence", TEXT)

    rate("P1", name, "SET, 100 in a pipeline", hundred, each=100, durability="FULL")
    rate("P2 P3", name, "presence: HSET, PUBLISH", presence, durability="FULL")


def listen(ready, count: int, port: int) -> list[int]:
    subscription = redis.Redis(port=port).pubsub(ignore_subscribe_messages=True)
    subscription.subscribe("presence")
    subscription.get_message(timeout=2)
    ready()
    arrived: list[int] = []
    while len(arrived) < count:
        if subscription.get_message(timeout=5):
            arrived.append(time.monotonic_ns())
    return arrived


if __name__ == "__main__":
    main()
