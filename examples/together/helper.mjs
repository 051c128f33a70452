// The Node process of `team.py`: takes the task, answers the question, changes what Python wrote.

import { Hub } from "folkmoot";

const hub = await Hub.open(process.argv[2]);
const helper = await hub.agent("helper", { capabilities: ["counting"] });
console.log("node sees", (await hub.presence.list()).agents.map((agent) => agent.agent_id).join(", "));

const task = await helper.claimTask({ wait_seconds: 60 });
console.log(`node claims "${task.title}" of ${task.creator_id}`);
await helper.completeTask(task, { pages: 12 });

const [question] = await helper.inbox({ wait_seconds: 60 });
console.log(`node hears ${question.sender_id}: ${question.content}`);
const pages = await helper.updateMemory("pages", (pages) => pages + 2);
await helper.reply(question, `${pages.value}, with both covers.`);
await helper.close();
await hub.close();
