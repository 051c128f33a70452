"""Several processes on one file; forking; ending in the middle of things; Ctrl-C."""

import os
import signal
import time
from pathlib import Path

import pytest

from folkmoot import Hub

OTHER = """
    import sys, folkmoot
    hub = folkmoot.Hub.open(sys.argv[1], durability="normal")
    bob = hub.agent("bob", role="reader")
    bob.used_tool("Grep", tokens=5)
    hub.flush()
    hub.memory.set("from/bob", {"pid": "other"})
    bob.send_message("hello ana", "ana")
    task = bob.claim_task(wait_seconds=10)
    print("claimed", task.title, flush=True)
    sys.stdin.readline()
    bob.complete_task(task, {"done": True})
    print(hub.memory.get("from/ana").value, bob.inbox(wait_seconds=10)[0].content, flush=True)
    sys.stdin.readline()
"""


def test_two_processes_see_each_others_presence_memory_messages_and_tasks(
    hub: Hub, start, path: Path
) -> None:
    ana = hub.agent("ana")
    task = ana.create_task("shared work")
    other = start(OTHER, path)
    assert other.stdout.readline() == "claimed shared work\n"

    bob = hub.presence.get("bob")
    assert (bob.status, bob.last_tool_name, bob.total_cost_tokens) == ("active", "Grep", 5)
    assert hub.memory.get("from/bob").value == {"pid": "other"}
    assert [message.content for message in ana.inbox(wait_seconds=10)] == ["hello ana"]
    assert hub.tasks.get(task.id).agent_id == "bob"

    hub.memory.set("from/ana", "seen")
    ana.send_message("hello bob", "bob")
    other.stdin.write("\n")
    other.stdin.flush()
    waited = hub.tasks.wait(task.id, wait_seconds=10)
    assert (waited.ended, waited.task.result) == (True, {"done": True})
    assert other.stdout.readline() == "seen hello bob\n"

    left = hub.subscribe("agent.left")
    other.stdin.close()
    assert left.next(timeout=10).agent_id == "bob"
    assert hub.presence.get("bob").status == "offline"


def test_a_killed_process_loses_its_lease_and_another_goes_on(start, path: Path) -> None:
    dying = """
        import sys, time, folkmoot
        hub = folkmoot.Hub.open(sys.argv[1], durability="normal", presence_ttl_seconds=0.6)
        worker = hub.agent("dying")
        print(worker.claim_task(lease_seconds=0.6).title, flush=True)
        time.sleep(60)
    """
    with Hub.open(path, durability="normal", presence_ttl_seconds=0.6) as hub:
        ana = hub.agent("ana")
        task = ana.create_task("dangerous")
        other = start(dying, path)
        assert other.stdout.readline() == "dangerous\n"
        assert ana.claim_task() is None
        other.kill()
        again = ana.claim_task(wait_seconds=20)
        assert (again.id, again.attempts) == (task.id, 2)
        ana.complete_task(again)


WAITS = {
    "a subscription": "hub.subscribe(kinds='memory.*').next()",
    "iteration": "for event in hub.subscribe(): pass",
    "a claim": "ana.claim_task(wait_seconds=60)",
    "an inbox": "ana.inbox(wait_seconds=60)",
    "a question": "ana.ask('anyone?', wait_seconds=60)",
    "a task's end": "hub.tasks.wait(ana.create_task('x').id, wait_seconds=60)",
    "an execution": "for update in hub.tasks.follow(ana.create_task('x').id): pass",
    "a consumer": "hub.consumers.read('c', wait_seconds=60)",
}


@pytest.mark.parametrize("wait", WAITS.values(), ids=WAITS)
def test_ctrl_c_ends_a_wait_at_once(start, path: Path, wait: str) -> None:
    program = f"""
        import signal, sys, folkmoot
        signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
        hub = folkmoot.Hub.open(sys.argv[1], durability="normal")
        ana = hub.agent("ana")
        hub.consumers.open("c")
        print("waiting", flush=True)
        try:
            {wait}
        except KeyboardInterrupt:
            print("interrupted", hub.status().seq > 0)
    """
    process = start(program, path)
    assert process.stdout.readline() == "waiting\n"
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    out, err = process.communicate(timeout=20)
    assert (out, err, process.returncode) == ("interrupted True\n", "", 0)
    assert time.monotonic() - began < 2


ENDINGS = {
    "with a hub open": "pass",
    "with a thread in a wait": "behind(hub.subscribe().next)",
    "with a thread in a claim": "behind(lambda: ana.claim_task(wait_seconds=60))",
    "in the middle of a callback": "hub.on('memory.*', lambda event: time.sleep(60)); hub.memory.set('k', 1)",
    "with callbacks": "[hub.on('memory.*', lambda _: hub.memory.get('k')) for _ in range(8)]; write(200)",
    "with writers": "[behind(lambda: write(10**6)) for _ in range(4)]",
    "with a loop in a wait": "behind(lambda: asyncio.run(forever()))",
    "by an exception": "sys.excepthook = lambda *_: print('ended'); raise ValueError",
    "by sys.exit": "sys.exit(0)",
}


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS)
def test_a_program_ends_cleanly(start, path: Path, ending: str) -> None:
    program = f"""
        import asyncio, sys, threading, time, folkmoot
        async def forever():
            async with folkmoot.AsyncHub.open(sys.argv[1], durability="normal") as hub:
                await hub.subscribe().next()
        hub = folkmoot.Hub.open(sys.argv[1], durability="normal")
        ana = hub.agent("ana")
        def behind(work):
            threading.Thread(target=work, daemon=True).start()
        def write(times):
            for number in range(times):
                hub.memory.set("k", number)
        {ending}
        time.sleep(0.3)
    """
    process = start(program, path)
    out, err = process.communicate(timeout=20)
    assert process.returncode in ((0, 1) if "raise" in ending else (0,)), (process.returncode, out, err)
    assert "Fatal" not in err
    assert "panicked" not in err
    with Hub.open(path, durability="normal") as hub:
        assert hub.presence.get("ana").status == "offline"


fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

FORKED = """
    import os, sys, threading, folkmoot
    hub = folkmoot.Hub.open(sys.argv[1], durability="normal")
    ana = hub.agent("ana")
    hub.memory.set("k", 1)
    live = hub.subscribe("memory.*")
    stop = threading.Event()
    def write():
        while not stop.is_set():
            hub.memory.set("busy", 1)
    threads = [threading.Thread(target=write) for _ in range(2)]
    [thread.start() for thread in threads]
    children = []
    for round in range(int(sys.argv[2])):
        child = os.fork()
        if child == 0:
            wrong = []
            for use in (lambda: hub.memory.get("k"), lambda: hub.memory.set("k", 2), lambda: hub.subscribe(),
                        lambda: live.next(1), lambda: ana.used_tool("Edit"), lambda: ana.inbox(), hub.status):
                try:
                    use()
                    wrong.append(use)
                except folkmoot.ForkedProcessError:
                    pass
            with folkmoot.Hub.open(sys.argv[1], durability="normal") as anew:
                anew.memory.set(f"child/{round}", os.getpid())
                assert anew.memory.get("k").value == 1
            hub.close()
            sys.exit(len(wrong))
        children.append(os.waitpid(child, 0)[1])
    stop.set()
    [thread.join() for thread in threads]
    print(children, len(hub.memory.list(prefix="child/").entries), ana.set_status("active").status)
    hub.check()
"""


@fork
def test_a_forked_child_is_told_at_once_and_can_open_anew(run, path: Path) -> None:
    rounds = 5
    assert run(FORKED, path, rounds, timeout=60) == f"{[0] * rounds} {rounds} active\n"


@fork
def test_a_forked_child_of_a_loop_is_told_at_once(run, path: Path) -> None:
    program = """
        import asyncio, os, sys, folkmoot
        async def main():
            async with folkmoot.AsyncHub.open(sys.argv[1]) as hub:
                await hub.memory.set("k", 1)
                if os.fork() == 0:
                    try:
                        await hub.memory.set("k", 2)
                    except folkmoot.ForkedProcessError as error:
                        os._exit(7)
                    os._exit(0)
                print(os.waitstatus_to_exitcode(os.wait()[1]), (await hub.memory.get("k")).value)
        asyncio.run(main())
    """
    assert run(program, path) == "7 1\n"


def test_the_command_line_is_in_the_package(run, path: Path) -> None:
    with Hub.open(path) as hub:
        hub.memory.set("k", 1)
    program = """
        import subprocess, sys
        for arguments in (["--version"], ["check", sys.argv[1]], ["no-such-command"]):
            command = [sys.executable, "-m", "folkmoot", *arguments]
            done = subprocess.run(command, capture_output=True, text=True)
            print(done.returncode, done.stdout.split()[:1])
    """
    version, check, unknown = run(program, path).splitlines()
    assert version == "0 ['folkmoot']"
    assert check.startswith("0 ")
    assert unknown == "2 []"
