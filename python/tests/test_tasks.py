"""Tasks."""

import datetime
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from folkmoot import ConflictError, Hub, InvalidInputError, LeaseLostError, LimitExceededError


def test_the_whole_life_of_a_task(hub: Hub) -> None:
    hub.agents.register("ana", capabilities=["read"])
    task = hub.tasks.create(
        "boss", "Read", description="all of it", priority=8, requires=["read"], requirements={"pages": 3}
    )
    assert (task.status, task.id, task.requirements) == ("ready", task.task_id, {"pages": 3})
    claimed = hub.tasks.claim("ana")
    assert (claimed.status, claimed.agent_id) == ("claimed", "ana")
    done = hub.tasks.complete(claimed.task_id, "ana", claimed.token, result={"ok": True})
    assert (done.status, done.result) == ("completed", {"ok": True})
    assert hub.tasks.get(task.id).history[-1].what == "completed"
    assert hub.tasks.claim("ana") is None


def test_one_claimer_wins(hub: Hub) -> None:
    agents = [f"agent-{number}" for number in range(8)]
    for agent in agents:
        hub.agents.register(agent, max_load=100)
    hub.tasks.create_many("boss", [{"title": f"task {number}"} for number in range(100)])

    def work(agent: str) -> list[str]:
        mine = []
        while (task := hub.tasks.claim(agent)) is not None:
            mine.append(task.id)
        return mine

    with ThreadPoolExecutor(8) as threads:
        claimed = [task for tasks in threads.map(work, agents) for task in tasks]
    assert len(claimed) == len(set(claimed)) == 100


def test_a_stale_token_changes_nothing(hub: Hub) -> None:
    hub.agents.register("ana")
    hub.agents.register("bob")
    task = hub.tasks.create("boss", "Read")
    old = hub.tasks.claim("ana")
    hub.tasks.release(task.id, "ana", old.token)
    new = hub.tasks.claim("bob")
    with pytest.raises(LeaseLostError):
        hub.tasks.complete(task.id, "ana", old.token)
    assert hub.tasks.complete(task.id, "bob", new.token).status == "completed"


def test_a_claim_waits_for_a_task(hub: Hub) -> None:
    ana = hub.agent("ana")
    threading.Timer(0.1, ana.create_task, ("late",)).start()
    assert ana.claim_task(wait_seconds=10).title == "late"
    assert ana.claim_task(wait_seconds=0.05) is None


def test_waiting_for_the_end_of_a_task(hub: Hub) -> None:
    ana = hub.agent("ana")
    task = ana.create_task("work")
    assert not hub.tasks.wait(task.id, wait_seconds=0.05).ended
    claimed = ana.claim_task()
    threading.Timer(0.1, ana.complete_task, (claimed, 7)).start()
    assert hub.tasks.wait(task.id, wait_seconds=10).task.result == 7


def test_a_due_date_may_be_a_datetime(hub: Hub) -> None:
    due = datetime.datetime(2030, 1, 2, 3, 4, 5, 678_900, tzinfo=datetime.timezone.utc)
    assert hub.tasks.create("boss", "x", due_date=due).due_date == "2030-01-02T03:04:05.678Z"
    assert (
        hub.tasks.create("boss", "x", due_date="2030-01-02T03:04:05Z").due_date == "2030-01-02T03:04:05.000Z"
    )
    with pytest.raises(InvalidInputError, match="due_date"):
        hub.tasks.create("boss", "x", due_date="tomorrow")


def test_a_circle_is_named(hub: Hub) -> None:
    with pytest.raises((ConflictError, InvalidInputError), match="a"):
        hub.tasks.create_many(
            "boss",
            [
                {"task_id": "a", "title": "a", "depends_on": ["b"]},
                {"task_id": "b", "title": "b", "depends_on": ["a"]},
            ],
        )
    assert hub.tasks.list().tasks == []


def test_the_board_has_a_column_for_each_status(hub: Hub) -> None:
    ana = hub.agent("ana")
    first = ana.create_task("first")
    ana.create_task("second", depends_on=[first.id])
    board = hub.call("task.board")
    assert "first" in str(board)
    assert "second" in str(board)


def test_events_of_a_task_carry_the_task(hub: Hub) -> None:
    ana = hub.agent("ana")
    with hub.subscribe("task.*", timeout=0.3) as events:
        ana.complete_task(_claimed(ana), {"n": 1})
        heard = [(event.kind, event.data.title, event.data.result) for event in events]
    assert heard == [
        ("task.created", "x", None),
        ("task.claimed", "x", None),
        ("task.completed", "x", {"n": 1}),
    ]


def _claimed(ana):
    ana.create_task("x")
    return ana.claim_task()


def test_the_engine_chooses_and_says_why(hub: Hub) -> None:
    hub.agents.register("ana", capabilities={"rust": 0.5})
    hub.agents.register("bob", capabilities={"rust": 0.9})
    task = hub.tasks.create("boss", "x", requires=["rust"], assign_to="auto")
    assert (task.agent_id, task.auto_assign) == ("bob", True)
    assert [who.agent_id for who in task.assignment.candidates] == ["bob", "ana"]
    other = hub.tasks.create("boss", "y", requires=["magic"])
    with pytest.raises(ConflictError, match="nobody can take it now") as refused:
        hub.tasks.assign(other.id, agent_id="auto")
    assert [who["why"] for who in refused.value.details["left_out"]] == ["incapable", "incapable"]


def test_rebalancing_moves_what_is_too_much(hub: Hub) -> None:
    hub.agents.register("ana")
    for number in range(3):
        hub.tasks.create("boss", "x", task_id=f"t{number}", assign_to="ana")
    hub.agents.register("bob", max_load=5)
    moved = hub.tasks.rebalance().moved
    assert [(step.task_id, step.from_, step.to) for step in moved] == [
        ("t0", "ana", "bob"),
        ("t1", "ana", "bob"),
    ]


def test_lists_fit_into_a_context(hub: Hub) -> None:
    for number in range(5):
        hub.tasks.create("boss", f"task {number}")
    page = hub.tasks.list(max_tokens=200)
    assert (len(page.tasks) + page.left_out, page.tasks[0].title) == (5, "task 4")
    with pytest.raises(LimitExceededError, match="max_tokens") as refused:
        hub.tasks.list(max_tokens=1)
    assert refused.value.details["field"] == "max_tokens"
