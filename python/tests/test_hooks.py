"""Hooks and plug-ins from Python, for threads and for event loops."""

import asyncio
import logging
import threading
import time
from pathlib import Path

import pytest
from waiting import soon, soon_async

from folkmoot import (
    AlreadyExistsError,
    AsyncHub,
    Event,
    Hub,
    InvalidInputError,
    LimitExceededError,
    NotAllowedError,
    NotFoundError,
    Refusal,
    Request,
)


def refuse_secrets(request: Request) -> None:
    if "secret" in request.input["title"]:
        raise Refusal("it tells a secret")


def titles(hub: Hub) -> list[str]:
    return [task.title for task in hub.tasks.list().tasks]


def counted(hub: Hub, name: str):
    return next(hook for hook in hub.stats().hooks if hook.name == name)


def test_a_before_hook_refuses_with_its_name_and_reason(hub: Hub) -> None:
    with hub.before("task.create", refuse_secrets) as hook:
        assert hook.name == "refuse_secrets"
        with pytest.raises(NotAllowedError, match="it tells a secret") as refused:
            hub.tasks.create("ana", "a secret plan")
        assert refused.value.details["hook"] == "refuse_secrets"
        hub.tasks.create("ana", "a plan")
    hub.tasks.create("ana", "another secret")
    assert titles(hub) == ["another secret", "a plan"]


def test_a_before_hook_changes_the_input_which_is_checked_again(hub: Hub) -> None:
    def tag(request: Request) -> dict:
        assert (request.operation, request.principal, request.agent_id) == ("task.create", "agent:ana", "ana")
        return {**request.input, "title": f"[ana] {request.input['title']}"}

    ana = hub.agent("ana")
    hub.before("task.create", tag)
    assert ana.create_task("sweep").title == "[ana] sweep"
    hub.unhook("tag")
    hub.before("task.create", lambda request: {**request.input, "priority": 99}, name="eager")
    with pytest.raises(InvalidInputError) as bad:
        ana.create_task("sweep")
    assert bad.value.details["field"] == "priority"
    assert "eager" in f"{bad.value} {bad.value.details}"


def test_a_hook_that_raises_is_logged_with_its_name_and_breaks_nothing(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Request) -> None:
        raise ValueError("on purpose")

    with hub.subscribe("hook.failed") as failures, caplog.at_level(logging.ERROR, "folkmoot.hooks"):
        hub.before("task.create", broken)
        hub.tasks.create("ana", "goes on")
        failure = failures.next(timeout=10)
    assert (failure.data.hook, failure.data.then) == ("broken", "allowed")
    assert failure.data.error["message"] == "ValueError: on purpose"
    record = next(record for record in caplog.records if record.name == "folkmoot.hooks")
    assert "broken" in record.getMessage()
    assert record.exc_info[0] is ValueError
    assert counted(hub, "broken").failed == 1
    hub.unhook("broken")
    hub.before("task.create", broken, on_error="refuse")
    with pytest.raises(NotAllowedError, match="on purpose"):
        hub.tasks.create("ana", "refused")
    assert titles(hub) == ["goes on"]


def test_what_has_no_place_in_json_is_a_failure_of_the_hook(hub: Hub) -> None:
    hub.before("task.create", lambda request: {**request.input, "title": object()}, name="odd")
    hub.tasks.create("ana", "goes on")
    assert counted(hub, "odd").failed == 1


def test_a_hook_that_hangs_is_given_up(hub: Hub) -> None:
    let_go = threading.Event()
    hub.before(
        "task.create", lambda _: let_go.wait(30) and None, name="hangs", timeout=0.1, on_error="refuse"
    )
    with pytest.raises(NotAllowedError, match=r"no answer within 0\.1 seconds"):
        hub.tasks.create("ana", "late")
    hub.memory.set("k", 1)
    assert (counted(hub, "hangs").timed_out, titles(hub)) == (1, [])
    let_go.set()


def test_a_hook_may_call_the_hub_but_not_itself_without_end(hub: Hub) -> None:
    calls = []

    def again(request: Request) -> None:
        calls.append(request.input["title"])
        hub.memory.increment("asked")
        hub.tasks.create("hook", "one more")

    hub.before("task.create", again)
    with pytest.raises(LimitExceededError, match="inside hooks"):
        hub.tasks.create("ana", "one")
    assert calls == ["one"] + ["one more"] * 3
    assert (hub.memory.get("asked").value, titles(hub)) == (4, [])


def test_many_threads_are_hooked_at_once(hub: Hub) -> None:
    together = threading.Barrier(6)

    def meet(_: Request) -> None:
        together.wait(20)

    hub.before("memory.set", meet, timeout=30, on_error="refuse")
    threads = [threading.Thread(target=hub.memory.set, args=(f"k/{n}", n)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(hub.memory.list(prefix="k/").entries) == 6


def test_the_quick_calls_are_hooked_too(hub: Hub) -> None:
    ana = hub.agent("ana")
    hub.memory.set("k", 1)
    assert hub.memory.get("k").value == 1

    def closed(_: Request) -> None:
        raise Refusal("closed today")

    with hub.before("memory.get", closed), pytest.raises(NotAllowedError):
        hub.memory.get("k")
    with hub.before("presence.update", closed):
        with pytest.raises(NotAllowedError):
            ana.used_tool("grep")
        with pytest.raises(NotAllowedError):
            hub.presence.update("ana")
    assert hub.memory.get("k").value == 1
    ana.used_tool("grep")


def test_an_after_hook_hears_events_in_order(hub: Hub) -> None:
    heard: list[Event] = []

    def hear(event: Event) -> None:
        heard.append(event)
        if event.data.value == 2:
            raise ValueError("on purpose")

    hub.after("memory.updated", hear)
    for value in range(5):
        hub.memory.set("k", value)
    assert soon(lambda: len(heard) == 5)
    assert [event.data.value for event in heard] == list(range(5))
    assert isinstance(heard[0], Event)
    assert soon(lambda: counted(hub, "hear").failed == 1)


def test_a_summarizer_and_a_collector(hub: Hub) -> None:
    hub.agent("ana")
    sent = hub.messages.send("ana", "Ship on Friday?")
    thread = sent.conversation_thread_id

    def model(matter: dict) -> str:
        return f"{len(matter['messages'])} message: {matter['messages'][0]['content']}"

    hub.summarizer(model)
    digest = hub.threads.summarize(thread_id=thread)
    assert (digest.method, digest.summarizer, digest.summary) == (
        "summarizer",
        "model",
        "1 message: Ship on Friday?",
    )
    hub.summarizer(lambda _: 1 / 0, name="broken")
    digest = hub.threads.summarize(thread_id=thread, summarizer="broken")
    assert (digest.method, digest.summarizer_error) == ("extractive", "ZeroDivisionError: division by zero")
    with hub.subscribe("metric.collected") as collected:
        hub.collector(lambda: [{"name": "orders", "value": 3}], name="shop", interval=0.05)
        event = collected.next(timeout=10)
    assert event.data.collector == "shop"
    assert (event.data.points[0]["name"], event.data.points[0]["value"]) == ("orders", 3.0)


def test_what_is_no_hook_is_refused(hub: Hub) -> None:
    async def coroutine(_: Request) -> None: ...

    hub.before("task.*", refuse_secrets)
    with pytest.raises(AlreadyExistsError):
        hub.before("task.*", refuse_secrets)
    with pytest.raises(NotFoundError):
        hub.unhook("nobody")
    for bad in (
        lambda: hub.before("task.craete", refuse_secrets, name="b"),
        lambda: hub.before("task.*", "no function", name="b"),
        lambda: hub.before("task.*", coroutine),
        lambda: hub.before("task.*", refuse_secrets, name=3),
        lambda: hub.before("task.*", refuse_secrets, name="b", timeout=-1),
        lambda: hub.before("task.*", refuse_secrets, name="b", timeout=float("nan")),
        lambda: hub.before("task.*", refuse_secrets, name="b", timeout="soon"),
        lambda: hub.before("task.*", refuse_secrets, name="b", on_error="explode"),
        lambda: hub.before(3, refuse_secrets, name="b"),
        lambda: hub.collector(lambda: [], name="b", interval=0),
    ):
        with pytest.raises(InvalidInputError):
            bad()
    with pytest.raises(NotAllowedError):
        hub.tasks.create("ana", "secret")
    assert [hook.name for hook in hub.stats().hooks] == ["refuse_secrets"]


def test_hooks_go_with_their_hub(path: Path) -> None:
    with Hub.open(path) as other:
        with Hub.open(path) as hub:
            hub.before("task.create", refuse_secrets)
            with pytest.raises(NotAllowedError):
                other.tasks.create("ana", "secret")
        other.tasks.create("ana", "secret")
        assert soon(lambda: not any(thread.name == "folkmoot-hooks" for thread in threading.enumerate()))


async def test_coroutines_and_functions_are_hooks_of_a_loop(ahub: AsyncHub) -> None:
    async def slowly(request: Request) -> dict:
        await asyncio.sleep(0.01)
        assert (await ahub.memory.get("owner")).value == "ana"
        return {**request.input, "description": "seen"}

    await ahub.memory.set("owner", "ana")
    ahub.before("task.create", slowly)
    ahub.before("task.create", refuse_secrets)
    assert (await ahub.tasks.create("ana", "plan")).description == "seen"
    with pytest.raises(NotAllowedError, match="it tells a secret"):
        await ahub.tasks.create("ana", "secret plan")
    many = await asyncio.gather(*(ahub.tasks.create("ana", f"t{n}") for n in range(50)))
    assert {task.description for task in many} == {"seen"}


async def test_the_quick_calls_of_a_loop_do_not_wait_for_themselves(ahub: AsyncHub) -> None:
    asked = []

    async def ask(request: Request) -> None:
        asked.append(request.operation)

    await ahub.agents.register("ana", agent_id="ana")
    await ahub.memory.set("k", 1)
    ahub.before("*", ask, on_error="refuse")
    await ahub.presence.update("ana", tool_name="grep")
    assert (await ahub.memory.get("k")).value == 1
    assert asked == ["presence.update", "memory.get"]


async def test_a_blocking_call_on_the_loops_thread_fails_at_once(ahub: AsyncHub, path: Path) -> None:
    async def ask(_: Request) -> None: ...

    ahub.before("memory.set", ask, timeout=60, on_error="refuse")
    with Hub.open(path, durability="normal") as hub:
        began = time.monotonic()
        with pytest.raises(NotAllowedError, match="would wait for itself"):
            hub.memory.set("k", 1)
        assert time.monotonic() - began < 30
        await asyncio.get_running_loop().run_in_executor(None, hub.memory.set, "k", 1)


async def test_a_coroutine_that_hangs_is_given_up_and_cancelled(ahub: AsyncHub) -> None:
    ended = asyncio.Event()

    async def hangs(_: Request) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    ahub.before("task.create", hangs, timeout=0.1)
    await ahub.tasks.create("ana", "goes on")
    await asyncio.wait_for(ended.wait(), 10)
    stats = (await ahub.stats()).hooks
    assert [(hook.name, hook.timed_out) for hook in stats] == [("hangs", 1)]


async def test_a_coroutine_that_calls_its_own_operation_ends(ahub: AsyncHub) -> None:
    async def again(_: Request) -> None:
        await ahub.tasks.create("hook", "one more")

    ahub.before("task.create", again)
    with pytest.raises(LimitExceededError, match="inside hooks"):
        await ahub.tasks.create("ana", "one")
    assert (await ahub.tasks.list()).tasks == []


async def test_a_loop_hears_summarizes_and_collects(ahub: AsyncHub) -> None:
    heard = []

    async def hear(event: Event) -> None:
        await asyncio.sleep(0)
        heard.append(event.data.value)

    async def model(matter: dict) -> str:
        await asyncio.sleep(0)
        return matter["messages"][-1]["content"].upper()

    async def shop() -> list:
        return [{"name": "orders", "value": 1}]

    ahub.after("memory.*", hear)
    ahub.summarizer(model)
    for value in range(5):
        await ahub.memory.set("k", value)
    assert await soon_async(lambda: heard == [0, 1, 2, 3, 4])
    await ahub.agents.register("ana", agent_id="ana")
    sent = await ahub.messages.send("ana", "hello")
    digest = await ahub.threads.summarize(thread_id=sent.conversation_thread_id)
    assert digest.summary == "HELLO"
    collected = ahub.subscribe("metric.collected")
    ahub.collector(shop, interval=0.05)
    assert (await collected.next(timeout=10)).data.points[0]["name"] == "orders"


async def test_a_cancelled_call_stops_waiting_for_its_hook(ahub: AsyncHub) -> None:
    asked = asyncio.Event()

    async def hangs(_: Request) -> None:
        asked.set()
        await asyncio.sleep(60)

    ahub.before("task.create", hangs, timeout=60)
    call = asyncio.ensure_future(ahub.tasks.create("ana", "x"))
    await asyncio.wait_for(asked.wait(), 10)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await ahub.close()


HANGS = """
    import asyncio, signal, sys, threading, time, folkmoot
    signal.signal(signal.SIGINT, signal.default_int_handler)
    hub = folkmoot.Hub.open(sys.argv[1], durability="normal")
    entered = threading.Event()
    def hang(_):
        entered.set()
        time.sleep(600)
    def behind(work):
        threading.Thread(target=work, daemon=True).start()
    def create():
        hub.tasks.create("ana", "x")
"""

ENDINGS = {
    "in a before hook": 'hub.before("task.create", hang, timeout=600); behind(create); entered.wait()',
    "in an after hook": 'hub.after("*", hang, timeout=600); create(); entered.wait()',
    "in a collector": "hub.collector(lambda: hang(0), name='c', timeout=600); entered.wait()",
    "after many calls": 'hub.before("*", lambda _: None, name="n"); [create() for _ in range(50)]',
    "while calls come": 'hub.before("*", lambda _: None, name="n"); '
    "[behind(lambda: [create() for _ in range(10**6)]) for _ in range(4)]; time.sleep(0.3)",
    "when the hook ends it": 'hub.after("*", lambda _: hub.close(), name="n"); create(); time.sleep(0.3)',
    "with a loop in a hook": """
async def main():
    async with folkmoot.AsyncHub.open(sys.argv[1], durability="normal") as ahub:
        async def forever(_):
            await asyncio.sleep(600)
        ahub.before("task.create", forever, timeout=600)
        asyncio.ensure_future(ahub.tasks.create("ana", "x"))
        await asyncio.sleep(0.2)
asyncio.run(main())
""",
    "with a loop that is gone": """
async def main():
    ahub = await folkmoot.AsyncHub.open(sys.argv[1], durability="normal")
    async def never(_): ...
    ahub.before("task.create", never, timeout=0.1)
asyncio.run(main())
create()
""",
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_a_program_ends_cleanly_with_hooks_in_flight(start, path: Path, ending: str) -> None:
    import textwrap

    program = textwrap.dedent(HANGS) + ending.strip() + "\nprint('over')\n"
    for _ in range(3):
        process = start(program, path)
        out, err = process.communicate(timeout=30)
        assert process.returncode == 0, (out, err)
        assert "Fatal" not in err
        assert "panicked" not in err
        assert out == "over\n"
    with Hub.open(path, durability="normal") as hub:
        hub.check()


def test_ctrl_c_ends_a_call_that_waits_for_a_hook(start, path: Path) -> None:
    import signal
    import textwrap

    program = textwrap.dedent(HANGS) + textwrap.dedent("""
        hub.before("task.create", hang, timeout=600, on_error="refuse")
        behind(lambda: (entered.wait(), print("asked", flush=True)))
        try:
            create()
        except KeyboardInterrupt:
            print("interrupted", len(hub.tasks.list().tasks), flush=True)
    """)
    process = start(program, path)
    assert process.stdout.readline() == "asked\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (out, err, process.returncode) == ("interrupted 0\n", "", 0)
