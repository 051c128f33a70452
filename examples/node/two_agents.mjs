// Two agents in one process see and hear each other.

import { Hub } from "folkmoot";

const hub = await Hub.open(":memory:");
const ana = await hub.agent("ana", { role: "researcher" });
const bob = await hub.agent("bob", { role: "writer" });

await ana.usedTool("web_search", { tokens: 150 });
for (const presence of (await hub.presence.list()).agents) {
  console.log(`${presence.agent_id} is ${presence.status}, last used ${presence.last_tool_name}`);
}

await ana.sendMessage("I found three sources.", ["bob"]);
for (const message of await bob.inbox({ wait_seconds: 5 })) {
  console.log(`${message.sender_id} to bob: ${message.content}`);
  await bob.reply(message, "Send them over.");
  await bob.markRead(message);
}

const [answer] = await ana.inbox({ wait_seconds: 5 });
const thread = await hub.threads.get({ thread_id: answer.conversation_thread_id });
console.log(`the thread has ${thread.messages.length} messages`);
await hub.close();
