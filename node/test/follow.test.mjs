// Following a task and the feed; replays.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openHub, PATIENCE, refusal } from "./hubs.mjs";

test("a task is followed with its parts and messages, from its beginning to its end", async (t) => {
  const hub = await openHub(t);
  const ana = await hub.agent("ana");
  const task = await ana.createTask("Index the archive");
  const told = [];
  const following = (async () => {
    for await (const update of hub.tasks.follow(task.task_id, { timeout_seconds: PATIENCE }))
      told.push(update);
  })();
  await ana.claimTask({ task });
  await ana.reportProgress(task, { progress: 40, log: "halfway" });
  await ana.sendMessage("Nearly there.", [], { task_id: task.task_id });
  await ana.completeTask(task, { pages: 12 });
  await following;
  assert.deepEqual(
    told.map((update) => update.type),
    ["status", "status", "status", "message", "status", "completion"],
  );
  assert.deepEqual(told.at(-1).result, { pages: 12 });
  assert.equal(told[2].logs.length, 1);
  const rest = hub.tasks.follow(task.task_id, { after: told[3].seq });
  const types = [];
  for await (const update of rest) types.push(update.type);
  assert.deepEqual(types, ["status", "completion"]);
  assert.equal(rest.ended, true);
  assert.throws(() => hub.tasks.follow("nothing"), { code: "not_found" });
  assert.throws(() => hub.tasks.follow(5), { code: "invalid_input" });
});

test("the feed is followed live, and goes on where it was left", async (t) => {
  const hub = await openHub(t);
  const feed = hub.activities.follow({ agent_id: "ana", activity_type: "research" });
  await hub.agents.register({ name: "ana" });
  const begun = await hub.activities.record({ agent_id: "ana", activity_type: "research" });
  const first = await feed.read({ timeout_seconds: PATIENCE });
  assert.deepEqual([first.activity_id, first.open], [begun.activity_id, true]);
  const { position } = feed;
  await hub.activities.complete({ activity_id: begun.activity_id, outcome: "ok" });
  const again = hub.activities.follow({ activity_type: "research", after: position });
  for (const each of [feed, again]) {
    const done = await each.read({ timeout_seconds: PATIENCE });
    assert.deepEqual([done.activity_id, done.open, done.outcome], [begun.activity_id, false, "ok"]);
    assert.ok(each.position > position);
  }
  assert.throws(() => hub.activities.follow({ agentId: "ana" }), { code: "invalid_input" });
});

test("what happened is played back in order, and a wait in it can be ended", async (t) => {
  const hub = await openHub(t);
  for (let value = 0; value < 200; value++) await hub.memory.set({ key: "k", value });
  const played = [];
  for await (const event of hub.replay({ speed: "max" })) played.push(event.data.value);
  assert.deepEqual(
    played,
    Array.from({ length: 200 }, (_, value) => value),
  );
  const filter = { kinds: ["task.*"] };
  assert.equal((await hub.replay({ speed: "max", filter }).next()).done, true);

  // A thousand times slower than it happened: the second event is a long time off.
  const controller = new AbortController();
  const slow = hub.replay({ speed: 0.001, signal: controller.signal });
  assert.equal((await slow.next()).value.data.value, 0);
  const waiting = (async () => {
    for await (const _ of slow);
  })();
  controller.abort();
  assert.equal((await refusal(waiting)).name, "AbortError");
  const closing = hub.replay({ speed: 0.001 });
  await closing.next();
  const ended = (async () => {
    for await (const _ of closing);
    return "ended";
  })();
  closing.close();
  assert.equal(await ended, "ended");
  assert.throws(() => hub.replay({ speed: -1 }), { code: "invalid_input" });
});
