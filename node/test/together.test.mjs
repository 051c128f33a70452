// A Python process and this one on one file: what one has done, the other sees at once.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { freshPath, openHub, PATIENCE, ROOT, start, until } from "./hubs.mjs";

const PYTHON = join(ROOT, ".venv", "bin", "python");

// Runs the operations that it reads, one a line, and says what came out.
const PROGRAM = `
import json, sys
from folkmoot import Hub
with Hub.open(sys.argv[1], durability="normal") as hub:
    ana = hub.agent("ana", capabilities=["python"])
    print("ready", flush=True)
    for line in sys.stdin:
        name, fields = json.loads(line)
        print(json.dumps(ana.call(name, fields), default=dict), flush=True)
`;

test("Python and Node see each other's presence, messages, tasks and memory at once", async (t) => {
  if (!existsSync(PYTHON)) return t.skip("the Python package is not built: make extension");
  const path = freshPath();
  const hub = await openHub(t, path);
  const heard = hub.subscribe();
  const { child, ended, line } = start(t, PYTHON, ["-c", PROGRAM, path]);
  assert.equal(await line(), "ready");
  const python = async (name, fields) => {
    child.stdin.write(`${JSON.stringify([name, fields])}\n`);
    const said = await line();
    assert.notEqual(said, undefined, "the Python process ended");
    return JSON.parse(said);
  };
  const hears = async (kind, fits = () => true) => {
    for (;;) {
      const event = await heard.read({ timeout_seconds: PATIENCE });
      assert.notEqual(event, null, `${kind} was not heard`);
      if (event.kind === kind && fits(event)) return event;
    }
  };
  const bob = await hub.agent("bob", { capabilities: ["javascript"] });

  // Presence: who has joined is seen at once; what was used is written behind.
  assert.equal((await hub.agents.get({ agent_id: "ana" })).presence.status, "idle");
  assert.deepEqual(
    (await python("agent.list", {})).agents.map((view) => view.agent.agent_id),
    ["ana", "bob"],
  );
  await python("presence.update", { tool_name: "grep", tokens: 7 });
  await until(
    async () => (await hub.presence.get({ agent_id: "ana" })).last_tool_name === "grep",
    "Node sees the tool that Python used",
  );
  await bob.usedTool("sed", { tokens: 5 });
  await until(
    async () => (await python("presence.get", { agent_id: "bob" })).total_cost_tokens === 5,
    "Python sees the tokens that Node used",
  );

  // Memory: each reads what the other has written, as soon as it was acknowledged; also what it had read before.
  for (let round = 1; round <= 20; round++) {
    await python("memory.set", { key: "round", value: { of: "python", round } });
    assert.deepEqual((await hub.memory.get({ key: "round" })).value, { of: "python", round });
    await bob.setMemory("round", { of: "node", round });
    const read = await python("memory.get", { key: "round" });
    assert.deepEqual([read.value, read.version], [{ of: "node", round }, 2 * round]);
  }

  // Tasks: made here, done there; the other way round; and each hears of it.
  const task = await bob.createTask("in Python", { requires: ["python"] });
  const claimed = await python("task.claim", {});
  assert.equal(claimed.task_id, task.task_id);
  assert.equal((await hub.tasks.get({ task_id: task.task_id })).agent_id, "ana");
  await python("task.complete", { task_id: task.task_id, result: { by: "python" } });
  const completed = await hears("task.completed");
  assert.deepEqual([completed.data.task_id, completed.data.result], [task.task_id, { by: "python" }]);
  const waiting = bob.claimTask({ wait_seconds: PATIENCE });
  await python("task.create", { title: "in JavaScript", requires: ["javascript"] });
  const own = await waiting;
  await bob.completeTask(own, [1, 2]);
  assert.deepEqual((await python("task.get", { task_id: own.task_id })).result, [1, 2]);

  // Messages: whoever waits for one is woken; a question is answered by the other.
  const inbox = bob.inbox({ wait_seconds: PATIENCE });
  await python("message.send", { content: "hello from Python", recipients: ["bob"] });
  assert.equal((await inbox)[0].content, "hello from Python");
  const asking = bob.ask("Are you there?", "ana", { wait_seconds: PATIENCE });
  const { messages } = await python("message.inbox", { wait_seconds: PATIENCE, unread_only: true });
  const answer = { content: "Yes.", recipients: ["bob"], reply_to: messages[0].message_id };
  await python("message.send", answer);
  assert.equal((await asking).content, "Yes.");

  // And when the Python process ends, Node hears that its agent has left.
  child.stdin.end();
  assert.deepEqual(await ended, { code: 0, signal: null, stderr: "" });
  await hears("agent.left", (event) => event.agent_id === "ana");
  assert.deepEqual((await hub.check()).problems ?? [], []);
});
