"""One agent asks and waits; another answers from its own loop."""

import asyncio

from folkmoot import AsyncHub


async def librarian(hub: AsyncHub) -> None:
    agent = await hub.agent("librarian")
    for question in await agent.inbox(wait_seconds=10):
        await agent.reply(question, "On the second shelf.")


async def main() -> None:
    async with await AsyncHub.open(":memory:") as hub:
        reader = await hub.agent("reader")
        await hub.agent("sleeper")
        answering = asyncio.create_task(librarian(hub))
        while not any(
            view.agent.agent_id == "librarian"
            for view in (await hub.agents.list()).agents
        ):
            await asyncio.sleep(0.01)

        answer = await reader.ask("Where is the atlas?", ["librarian"], wait_seconds=10)
        print(
            f"{answer.sender_id}: {answer.content}"
            if answer
            else "no answer from the librarian"
        )
        await answering

        nothing = await reader.ask("Are you there?", ["sleeper"], wait_seconds=0.2)
        print(
            "no answer from the sleeper in time" if nothing is None else nothing.content
        )


asyncio.run(main())
