"""Agents, their presence, and the handle that acts as one."""

import os

import pytest

from folkmoot import Hub, LeaseLostError, NotAllowedError, NotFoundError


def test_a_handle_registers_its_agent_and_says_where_it_runs(hub: Hub) -> None:
    ana = hub.agent("Ana", agent_id="ana", role="writer", capabilities={"prose"})
    assert (ana.agent_id, ana.profile.name, ana.profile.role) == ("ana", "Ana", "writer")
    view = hub.agents.get("ana")
    assert view.agent.capabilities == {"prose": 1.0}
    assert view.presence.location.pid == os.getpid()
    assert "ana" in repr(ana)


def test_a_handle_keeps_its_agent_present(path) -> None:
    with Hub.open(path, durability="normal", presence_ttl_seconds=0.3) as hub:
        hub.agent("held")
        hub.agents.register("not held")
        gone = hub.subscribe("agent.left", timeout=3)
        assert next(gone).agent_id == "not held"
        assert hub.presence.get("held").status == "idle"


def test_a_closed_handle_is_offline(hub: Hub) -> None:
    with hub.agent("ana"):
        assert hub.presence.get("ana").status == "idle"
    assert hub.presence.get("ana").status == "offline"


def test_a_used_tool_is_seen_at_once(hub: Hub) -> None:
    ana = hub.agent("ana")
    for _ in range(1000):
        ana.used_tool("Edit", tokens=3, session_id="s-1")
    presence = hub.presence.get("ana")
    assert (presence.status, presence.total_tools_executed, presence.total_cost_tokens) == (
        "active",
        1000,
        3000,
    )
    assert hub.presence.list().agents[0].last_tool_name == "Edit"


def test_presence_updates_are_events_of_their_own(hub: Hub) -> None:
    ana = hub.agent("ana")
    with hub.subscribe("presence.updated", timeout=2) as events:
        for number in range(20):
            ana.used_tool(f"tool-{number}")
        tools = [next(events).data.last_tool_name for _ in range(20)]
    assert tools == [f"tool-{number}" for number in range(20)]


def test_a_handle_fills_in_who_acts(hub: Hub) -> None:
    ana = hub.agent("ana")
    hub.agent("bob")
    assert ana.call("message.send", content="hi", recipients=["bob"]).sender_id == "ana"
    assert ana.call("task.create", title="x").creator_id == "ana"
    assert ana.publish("build.finished", {"ok": True}).seq > 0
    assert ana.set_memory("k", 1).updated_by == "ana"
    assert ana.set_status("error", "out of tokens").status_detail == "out of tokens"
    assert hub.events.read(filter={"kinds": ["event.published"]}).events[0].principal == "agent:ana"


def test_a_handle_cannot_act_as_another(hub: Hub) -> None:
    ana = hub.agent("ana")
    hub.agent("bob")
    with pytest.raises(NotAllowedError):
        ana.call("message.send", content="hi", sender_id="bob")
    with pytest.raises(NotAllowedError):
        ana.set_memory("k", 1, agent_id="bob")


def test_access_control_is_the_agents_also_where_it_listens(hub: Hub) -> None:
    ana, bob = hub.agent("ana"), hub.agent("bob")
    heard = bob.subscribe("memory.*", timeout=0.3)
    hub.memory.set_access("secret/", read=["ana"], write=["ana"])
    ana.set_memory("secret/plan", "walrus")
    ana.set_memory("open/plan", "otter")
    assert ana.get_memory("secret/plan") == "walrus"
    with pytest.raises(NotAllowedError):
        bob.get_memory("secret/plan")
    assert "walrus" not in str(list(heard))


def test_a_value_that_is_not_there_has_a_default(hub: Hub) -> None:
    ana = hub.agent("ana")
    assert ana.get_memory("nothing") is None
    assert ana.get_memory("nothing", 7) == 7
    assert ana.update_memory("n", lambda n: n + 1, default=0).value == 1


def test_a_handle_keeps_the_tokens_of_its_claims(hub: Hub) -> None:
    ana = hub.agent("ana", max_load=5)
    for number in range(5):
        ana.create_task(f"task {number}")
    first = ana.claim_task()
    assert ana.held == [first.id]
    assert ana.report_progress(first, 40, phase="reading", log="page 7").progress == 40
    assert ana.complete_task(first.id, {"pages": 12}).result == {"pages": 12}
    second = ana.claim_task()
    assert ana.release_task(second).status == "ready"
    third = ana.claim_task()
    assert ana.fail_task(third, "torn page", retry=False).status == "failed"
    many = ana.call("task.claim_many", count=5).tasks
    assert len(ana.held) == len(many) == 3
    ana.call("task.complete_many", tasks=[{"task_id": task.id} for task in many])
    assert ana.held == []
    assert ana.claim_task() is None


def test_a_lost_lease_is_forgotten(hub: Hub) -> None:
    ana = hub.agent("ana")
    ana.create_task("x", max_attempts=5)
    task = ana.claim_task()
    hub.tasks.release(task.id, "ana", task.token)
    hub.agent("bob").claim_task()
    with pytest.raises(LeaseLostError):
        ana.complete_task(task)
    assert ana.held == []


def test_an_agent_that_is_not_there_is_named(hub: Hub) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        hub.presence.update("nobody", tool_name="Edit")
    with pytest.raises(NotFoundError, match="nobody"):
        hub.agents.get("nobody")
