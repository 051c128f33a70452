"""Messages."""

import threading

import pytest

from folkmoot import Hub, InvalidInputError


def test_what_was_sent_while_an_agent_was_away_waits_for_it(hub: Hub) -> None:
    ana = hub.agent("ana")
    with hub.agent("bob"):
        pass
    ana.send_message("one", "bob")
    ana.send_message("two", ["bob"])
    bob = hub.agent("bob")
    messages = bob.inbox()
    assert [message.content for message in messages] == ["one", "two"]
    bob.mark_read(*messages)
    assert bob.inbox() == []
    assert [message.content for message in bob.inbox(unread_only=False)] == ["two", "one"]


def test_an_inbox_waits_for_the_next_message(hub: Hub) -> None:
    ana, bob = hub.agent("ana"), hub.agent("bob")
    threading.Timer(0.1, ana.send_message, ("hello", "bob")).start()
    (message,) = bob.inbox(wait_seconds=10)
    assert message.sender_id == "ana"
    bob.mark_read(message.id)
    assert bob.inbox(wait_seconds=0.05) == []


def test_a_reply_goes_to_the_sender_in_its_thread(hub: Hub) -> None:
    ana, bob = hub.agent("ana"), hub.agent("bob")
    question = ana.send_message("where?", "bob", message_type="question")
    answer = bob.reply(question, "here", metadata={"sure": True})
    assert (answer.recipient_id, answer.message_type, answer.reply_to) == ("ana", "answer", question.id)
    thread = hub.threads.get(question.conversation_thread_id)
    assert [message.content for message in thread.messages] == ["where?", "here"]
    with pytest.raises(InvalidInputError, match="message"):
        bob.reply("not a message", "here")


def test_a_question_waits_for_its_answer(hub: Hub) -> None:
    ana, bob = hub.agent("ana"), hub.agent("bob")

    def answer() -> None:
        (question,) = bob.inbox(wait_seconds=10)
        bob.reply(question, "42")

    thread = threading.Thread(target=answer)
    thread.start()
    assert ana.ask("what is it?", "bob", wait_seconds=10).content == "42"
    thread.join()
    assert ana.ask("anyone else?", "bob", wait_seconds=0.05) is None


def test_messages_are_found_and_counted(hub: Hub) -> None:
    ana = hub.agent("ana")
    ana.send_message("the walrus and the carpenter")
    ana.send_message("nothing of the sort")
    assert "**walrus**" in hub.messages.search("walrus").hits[0].highlight
    assert hub.messages.stats().total == 2
    assert "<th>content</th>" in hub.messages.list()._repr_html_()
