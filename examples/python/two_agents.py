"""Two agents in one process see and hear each other."""

from folkmoot import Hub

with Hub.open(":memory:") as hub:
    ana = hub.agent("ana", role="researcher")
    bob = hub.agent("bob", role="writer")

    ana.used_tool("web_search", tokens=150)
    for presence in hub.presence.list().agents:
        print(
            f"{presence.agent_id} is {presence.status}, last used {presence.last_tool_name}"
        )

    ana.send_message("I found three sources.", ["bob"])
    for message in bob.inbox(wait_seconds=5):
        print(f"{message.sender_id} to bob: {message.content}")
        bob.reply(message, "Send them over.")
        bob.mark_read(message)

    (answer,) = ana.inbox(wait_seconds=5)
    thread = hub.threads.get(answer.conversation_thread_id)
    print(f"the thread has {len(thread.messages)} messages")
