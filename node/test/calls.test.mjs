// Agents, tasks, memory and messages as a program uses them; waits that are aborted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { freshPath, openHub, refusal, until } from "./hubs.mjs";

test("a handle acts as its agent, keeps tokens, and leaves when it is closed", async (t) => {
  const hub = await openHub(t);
  const ana = await hub.agent("Ana", { agent_id: "ana", capabilities: { rust: 0.9 }, role: "reviewer" });
  assert.deepEqual([ana.agent_id, ana.profile.name, ana.profile.role], ["ana", "Ana", "reviewer"]);
  await hub.tasks.createMany({
    creator_id: "boss",
    tasks: [{ title: "a" }, { title: "b" }, { title: "c" }, { title: "d" }],
  });
  const claimed = await ana.claimTask();
  assert.deepEqual(ana.held, [claimed.task_id]);
  await ana.reportProgress(claimed, { progress: 40, phase: "reading", log: "page 1" });
  const done = await ana.completeTask(claimed, { pages: 3 });
  assert.deepEqual([done.status, done.result, ana.held], ["completed", { pages: 3 }, []]);
  const { tasks } = await ana.call("task.claim_many", { count: 3 });
  assert.equal(ana.held.length, 3);
  await ana.releaseTask(tasks[0]);
  await ana.failTask(tasks[1].task_id, "no way", { retry: false });
  await ana.call("task.complete_many", { tasks: [{ task_id: tasks[2].task_id }] });
  assert.deepEqual(ana.held, []);
  await ana.close();
  assert.equal((await hub.presence.get({ agent_id: "ana" })).status, "offline");
});

test("an agent that is in the way of another is refused by its own access", async (t) => {
  const hub = await openHub(t);
  const [ana, bob] = [await hub.agent("ana"), await hub.agent("bob")];
  await ana.setMemory("secret", 1, { access_control: { read: ["ana"], write: ["ana"] } });
  assert.equal((await refusal(bob.memory.get({ key: "secret" }))).code, "not_allowed");
  assert.equal((await refusal(bob.getMemory("secret"))).code, "not_allowed");
  assert.equal(await ana.getMemory("secret"), 1);
  assert.equal(await ana.getMemory("nothing", "fallback"), "fallback");
  const heard = bob.subscribe({ after: 0, kinds: "memory.*", timeout_seconds: 0.05 });
  assert.equal((await heard.next()).done, true);
  assert.equal((await refusal(bob.call("agent.leave", { agent_id: "ana" }))).code, "not_allowed");
});

test("what an agent has just done is seen at once", async (t) => {
  const hub = await openHub(t);
  const ana = await hub.agent("ana");
  for (const tokens of [1, 2, 3]) await ana.usedTool("grep", { tokens });
  assert.deepEqual(await hub.presence.update({ agent_id: "ana", tokens: 4, status: "working" }), {
    accepted: true,
  });
  const presence = await hub.presence.get({ agent_id: "ana" });
  assert.deepEqual(
    [presence.total_tools_executed, presence.total_cost_tokens, presence.last_tool_name],
    [3, 10, "grep"],
  );
  assert.equal((await ana.setStatus("idle", "thinking")).status, "idle");
  assert.equal((await refusal(hub.presence.update({ agent_id: "nobody" }))).code, "not_found");
  await hub.presence.update({ agent_id: "ana", location: { host: "h", pid: 1, workspace: "w" } });
  assert.equal((await hub.presence.get({ agent_id: "ana" })).location.workspace, "w");
});

test("a question gets its answer, and null when nobody answers in time", async (t) => {
  const hub = await openHub(t);
  const [ana, bob] = [await hub.agent("ana"), await hub.agent("bob")];
  const asking = ana.ask("Where?", "bob", { wait_seconds: 60 });
  const [question] = await bob.inbox({ wait_seconds: 60 });
  await bob.reply(question, "Here.");
  await bob.markRead(question);
  assert.equal((await asking).content, "Here.");
  assert.equal(await ana.ask("And now?", ["bob"], { wait_seconds: 0.05 }), null);
  assert.equal((await bob.inbox()).length, 1);
  assert.equal((await refusal(bob.reply("no message", "x"))).details.field, "message");
});

test("update tries again until nothing came between", async (t) => {
  const hub = await openHub(t, freshPath());
  const votes = Array.from({ length: 50 }, () => hub.memory.update("votes", (n) => n + 1, { default: 0 }));
  await Promise.all(votes);
  assert.equal((await hub.memory.get({ key: "votes" })).value, 50);
  const ana = await hub.agent("ana");
  const entry = await ana.updateMemory("votes", async (n) => n * 2);
  assert.deepEqual([entry.value, entry.updated_by], [100, "ana"]);
  assert.equal((await refusal(hub.memory.update("votes", () => undefined))).details.field, "value");
  const failure = new Error("of the function");
  assert.equal(await refusal(hub.memory.update("votes", () => Promise.reject(failure))), failure);
});

test("a value that was read is not the value that is kept", async (t) => {
  const hub = await openHub(t);
  await hub.memory.set({ key: "k", value: { list: [1] } });
  (await hub.memory.get({ key: "k" })).value.list.push(2);
  assert.deepEqual((await hub.memory.get({ key: "k" })).value, { list: [1] });
});

test("a wait that is aborted ends with the signal's reason", async (t) => {
  const hub = await openHub(t);
  const ana = await hub.agent("ana");
  const task = await ana.createTask("never", { requires: ["nothing"] });
  const waits = {
    claim: (signal) => ana.claimTask({ wait_seconds: 600, signal }),
    inbox: (signal) => ana.inbox({ wait_seconds: 600, signal }),
    ask: (signal) => ana.ask("Anyone?", ["ana"], { wait_seconds: 600, signal }),
    wait: (signal) => hub.tasks.wait({ task_id: task.task_id, wait_seconds: 600 }, { signal }),
    name: (signal) => hub.call("task.claim", { agent_id: "ana", wait_seconds: 600 }, { signal }),
  };
  for (const [name, wait] of Object.entries(waits)) {
    const controller = new AbortController();
    const waiting = wait(controller.signal);
    setImmediate(() => controller.abort());
    assert.equal((await refusal(waiting)).name, "AbortError", name);
    assert.equal(await refusal(wait(AbortSignal.abort("before"))), "before", name);
  }
});

test("a task that an aborted call claimed too late goes back", async (t) => {
  const hub = await openHub(t);
  const ana = await hub.agent("ana");
  for (let round = 0; round < 30; round++) {
    const task = await hub.tasks.create({ creator_id: "boss", title: `task ${round}` });
    const controller = new AbortController();
    const claiming = ana.claimTask({ task, signal: controller.signal }).catch((error) => error.name);
    controller.abort();
    assert.equal(await claiming, "AbortError");
    const released = await until(async () => {
      const now = await hub.tasks.get({ task_id: task.task_id });
      return now.status === "ready" && now;
    }, "the task is ready again");
    await hub.tasks.cancel({ task_id: released.task_id });
  }
});

test("the same idempotency key gives the same answer", async (t) => {
  const hub = await openHub(t);
  const make = () => hub.tasks.create({ creator_id: "boss", title: "once", idempotency_key: "once" });
  assert.deepEqual(await make(), await make());
});
