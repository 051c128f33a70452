// One agent asks and waits; another answers from its own loop.

import { Hub } from "folkmoot";

const hub = await Hub.open(":memory:");
const reader = await hub.agent("reader");
const librarian = await hub.agent("librarian");
await hub.agent("sleeper");

async function answerOnce() {
  for (const question of await librarian.inbox({ wait_seconds: 10 })) {
    await librarian.reply(question, "On the second shelf.");
  }
}

const answering = answerOnce();
const answer = await reader.ask("Where is the atlas?", ["librarian"], { wait_seconds: 10 });
console.log(answer ? `${answer.sender_id}: ${answer.content}` : "no answer from the librarian");
await answering;

const nothing = await reader.ask("Are you there?", ["sleeper"], { wait_seconds: 0.2 });
console.log(nothing?.content ?? "no answer from the sleeper in time");
await hub.close();
