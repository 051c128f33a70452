"""Sessions as their agents hold them, from threads and from event loops."""

from pathlib import Path

import pytest

from folkmoot import AsyncHub, ConflictError, Hub, LimitExceededError, NotAllowedError


def test_a_session_is_started_talked_in_and_ended(hub: Hub) -> None:
    ana, bob = hub.agent("ana"), hub.agent("bob")
    session = ana.start_session(
        "bob", {"agent_id": hub.agent("cleo").agent_id, "role": "reviewer"}, name="API"
    )
    said = session.post("Shall we begin?")
    bobs = bob.session(session.session_id)
    assert [message.content for message in bobs.history().messages] == ["Shall we begin?"]
    bobs.post("Yes.", reply_to=said.message_id)
    assert [who.role for who in bobs.get().participants] == ["owner", None, "reviewer"]
    assert session.end({"agreed": True}).outcome == {"agreed": True}
    with pytest.raises(ConflictError):
        bobs.post("One more thing")


def test_whoever_joins_has_the_state_and_hears_each_change_in_order(hub: Hub) -> None:
    ana, bob = hub.agent("ana"), hub.agent("bob")
    session = ana.start_session(state={"step": 0})
    bobs = bob.session(session.session_id)
    joined = bobs.join("writer")
    assert (joined.state.state, joined.state.version) == ({"step": 0}, 1)
    with bobs.subscribe("session.*", after=joined.position, timeout=1) as events:
        for step in (1, 2, 3):
            session.patch_state({"step": step})
        assert [next(events).data.version for _ in range(3)] == [2, 3, 4]
    assert bobs.state().state == {"step": 3}


def test_a_change_of_another_is_a_conflict_unless_it_is_of_another_field(hub: Hub) -> None:
    ana, bob = hub.agent("ana"), hub.agent("bob")
    session = ana.start_session("bob", state={"title": "a", "limit": 1})
    version = session.state().version
    bob.session(session.session_id).patch_state({"limit": 2}, expected_version=version)
    with pytest.raises(ConflictError) as refused:
        session.patch_state({"title": "b"}, expected_version=version)
    assert refused.value.details["current_version"] == version + 1
    merged = session.patch_state({"title": "b"}, expected_version=version, merge=True)
    assert merged.state == {"title": "b", "limit": 2}
    with pytest.raises(ConflictError):
        session.patch_state({"limit": 3}, expected_version=version, merge=True)


def test_a_decision_waits_for_its_reviewers(hub: Hub) -> None:
    ana, bob = hub.agent("ana"), hub.agent("bob")
    session = ana.start_session("bob", rules={"required_reviewers": ["bob"]})
    proposal = session.post("Cap lists at 100", "decisions", "proposal")
    with pytest.raises(NotAllowedError, match="bob must vote"):
        session.record_decision("Cap lists at 100", proposal_id=proposal.message_id)
    bob.session(session.session_id).post("yes", "decisions", "vote", reply_to=proposal.message_id)
    decided = session.record_decision(
        "Cap lists at 100", "long lists are slow", proposal_id=proposal.message_id
    )
    assert session.get().decisions == [decided]


def test_what_is_done_in_a_session_is_shown_with_it(hub: Hub) -> None:
    ana = hub.agent("ana")
    session = ana.start_session()
    ana.record_activity("tool_called", session_id=session.session_id)
    ana.record_activity("tool_called", session_id="elsewhere")
    shown = [activity.activity_type for activity in session.get().activities]
    assert shown == ["collaboration_started", "tool_called"]


def test_who_takes_no_part_and_what_no_channel_takes_is_refused(hub: Hub) -> None:
    ana, eve = hub.agent("ana"), hub.agent("eve")
    session = ana.start_session(rules={"join": "invited"})
    with pytest.raises(NotAllowedError):
        eve.session(session.session_id).join()
    with pytest.raises(NotAllowedError):
        eve.session(session.session_id).post("hello")
    with pytest.raises(NotAllowedError, match="text"):
        session.post("x", "coordination", "text")
    session.create_channel("review", "structured", ["finding"])
    assert session.post("x", "review", "finding").channel == "review"
    session.invite("eve")
    assert [who.agent_id for who in eve.session(session.session_id).join().session.participants] == [
        "ana",
        "eve",
    ]
    assert [who.agent_id for who in eve.session(session.session_id).leave().participants] == ["ana"]


def test_a_place_is_taken_while_a_session_is_entered(hub: Hub) -> None:
    ana = hub.agent("ana")
    session = ana.start_session(max_clients=1)
    other = ana.session(session.session_id)
    with session as entered:
        assert entered.get().clients == 1
        with pytest.raises(LimitExceededError), other:
            pass
    with other:
        assert other.get().clients == 1
    assert session.get().clients == 0


async def test_event_loops_have_the_same(path: Path) -> None:
    async with AsyncHub.open(path) as hub:
        ana, bob = await hub.agent("ana"), await hub.agent("bob")
        session = await ana.start_session("bob", name="API", rules={"required_reviewers": ["bob"]})
        bobs = bob.session(session.session_id)
        joined = await bobs.join()
        proposal = await session.post("Cap lists at 100", "decisions", "proposal")
        async with bobs.subscribe(after=joined.position, timeout=5) as events:
            assert (await events.next()).data.content == "Cap lists at 100"
        await bobs.post("yes", "decisions", "vote", reply_to=proposal.message_id)
        await session.record_decision("Cap lists at 100", proposal_id=proposal.message_id)
        assert len((await bobs.history("decisions")).messages) == 2
        assert (await session.patch_state({"cap": 100})).state == (await bobs.state()).state
        await session.create_channel("notes", "broadcast")
        cleo = await hub.agent("cleo")
        await session.invite(cleo.agent_id)
        assert (await session.get()).participants[-1].agent_id == "cleo"
        async with session:
            assert (await bobs.get()).clients == 1
        await bobs.leave()
        assert (await session.end()).state == "ended"
