"""Threads that use one hub at once, in every way."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from folkmoot import Agent, Hub, NotFoundError, UnavailableError


def claim_and_complete(_: Hub, agent: Agent) -> None:
    if (task := agent.claim_task()) is not None:
        agent.complete_task(task)


def look_for_events(hub: Hub, _: Agent) -> None:
    with hub.subscribe("task.*") as events:
        events.next(0)


WAYS = [
    lambda hub, agent: agent.used_tool("Edit", tokens=1),
    lambda hub, agent: agent.create_task("x"),
    lambda hub, agent: agent.send_message("hello", "agent-0"),
    lambda hub, agent: agent.update_memory("shared", lambda n: n + 1, default=0),
    lambda hub, agent: hub.messages.list(limit=5),
    lambda hub, agent: hub.presence.list(),
    claim_and_complete,
    look_for_events,
]


def test_threads_may_hammer_one_hub(hub: Hub) -> None:
    agents = [hub.agent(f"agent-{number}", max_load=1000) for number in range(4)]
    until = time.monotonic() + 3
    counted = [0] * 8

    def hammer(number: int) -> None:
        dice, me = random.Random(number), agents[number % 4]
        while time.monotonic() < until:
            dice.choice(WAYS)(hub, me)
            hub.memory.increment("counter")
            counted[number] += 1

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(hammer, range(8)))
    assert hub.memory.get("counter").value == sum(counted)
    hub.flush()
    hub.check()


def test_every_subscriber_hears_every_event_of_every_writer(hub: Hub) -> None:
    subscriptions = [hub.subscribe("memory.*") for _ in range(4)]
    heard: list[list[int]] = [[] for _ in subscriptions]

    def listen(number: int) -> None:
        while len(heard[number]) < 400:
            event = subscriptions[number].next(10)
            assert event is not None
            heard[number].append(event.seq)

    def write(number: int) -> None:
        for value in range(100):
            hub.memory.set(f"k/{number}", value)

    threads = [threading.Thread(target=listen, args=(n,)) for n in range(4)]
    threads += [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert all(seqs == sorted(seqs) == heard[0] for seqs in heard)


def test_a_hub_that_is_closed_under_its_users_is_an_error_and_no_crash(path) -> None:
    for _ in range(10):
        hub = Hub.open(path, durability="normal")
        hub.memory.set("k", 0)
        began = threading.Barrier(5)
        wrong: list[str] = []

        def use(hub: Hub = hub, began: threading.Barrier = began, wrong: list = wrong) -> None:
            began.wait()
            try:
                while True:
                    hub.memory.set("k", 1)
                    hub.memory.get("k")
            except UnavailableError as error:
                wrong.append(error.code)

        threads = [threading.Thread(target=use) for _ in range(4)]
        for thread in threads:
            thread.start()
        began.wait()
        time.sleep(0.02)
        hub.close()
        for thread in threads:
            thread.join(10)
        assert wrong == ["unavailable"] * 4


def test_a_hub_nobody_holds_closes_itself(path) -> None:
    hub = Hub.open(path, durability="normal")
    hub.agent("ana")
    del hub
    with Hub.open(path, durability="full") as anew:
        assert anew.presence.get("ana").status == "offline"


def test_an_operation_that_is_not_there_is_told_in_any_thread(hub: Hub) -> None:
    def wrong(_: int) -> str:
        try:
            hub.memory.get("nothing")
        except NotFoundError as error:
            return error.code
        return "nothing was raised"

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(wrong, range(200))) == {"not_found"}
