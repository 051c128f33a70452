// Subscriptions: iterating, waiting, resuming, aborting; handlers; consumers.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { freshPath, openHub, PATIENCE, refusal, until } from "./hubs.mjs";

const numbers = (count) => Array.from({ length: count }, (_, number) => number);

async function fill(hub, count, prefix = "k") {
  for (const number of numbers(count)) await hub.memory.set({ key: `${prefix}/${number}`, value: number });
}

async function all(items) {
  const found = [];
  for await (const item of items) found.push(item);
  return found;
}

test("events come in order, from the past and then live, and iterating ends after silence", async (t) => {
  const hub = await openHub(t);
  await fill(hub, 700);
  const events = hub.subscribe({ after: 0, timeout_seconds: 0.3 });
  const seen = [];
  for await (const event of events) {
    seen.push(event.seq);
    if (seen.length === 700) await fill(hub, 5);
  }
  assert.deepEqual(
    seen,
    numbers(705).map((number) => number + 1),
  );
  assert.equal(events.position, 705);
  const rest = await all(hub.subscribe({ after: 700, timeout_seconds: 0.05 }));
  assert.deepEqual(
    rest.map((event) => event.data.value),
    [0, 1, 2, 3, 4],
  );
});

test("a filter takes one or several names, and leaves out the rest", async (t) => {
  const hub = await openHub(t);
  const ana = await hub.agent("ana");
  await hub.memory.set({ key: "plans/a", value: 1 });
  await hub.memory.set({ key: "notes/b", value: 2, agent_id: "ana" });
  const task = await ana.createTask("t");
  await ana.publish("built", { ok: true }, { correlation_id: "c1" });
  const kinds = async (options) =>
    (await all(hub.subscribe({ after: 0, timeout_seconds: 0.05, ...options }))).map((event) => event.kind);
  assert.deepEqual(await kinds({ kinds: "memory.*" }), ["memory.updated", "memory.updated"]);
  assert.deepEqual(await kinds({ kinds: ["task.created", "agent.joined"] }), [
    "agent.joined",
    "task.created",
  ]);
  assert.deepEqual(await kinds({ key_prefix: "plans/" }), ["memory.updated"]);
  assert.deepEqual(await kinds({ keyPrefix: "plans/" }), ["memory.updated"]);
  assert.deepEqual(await kinds({ task: task.task_id }), ["task.created"]);
  assert.deepEqual(await kinds({ task_id: task.task_id }), ["task.created"]);
  assert.deepEqual(await kinds({ event_types: "built" }), ["event.published"]);
  assert.deepEqual(await kinds({ correlation_id: "c1" }), ["event.published"]);
  assert.deepEqual(await kinds({ session: "none" }), []);
  assert.deepEqual(await kinds({ agents: "ana", kinds: "memory.*" }), ["memory.updated"]);
});

test("read waits for one item, and gives null when the time is up", async (t) => {
  const hub = await openHub(t);
  const events = hub.subscribe({ kinds: "memory.*" });
  assert.equal(await events.read({ timeout_seconds: 0.02 }), null);
  const waiting = events.read();
  await hub.memory.set({ key: "k", value: "heard" });
  assert.equal((await waiting).data.value, "heard");
  events.close();
  assert.equal((await refusal(events.read())).code, "unavailable");
  assert.deepEqual(await events.next(), { done: true, value: undefined });
});

test("several may wait in one subscription, and each event is given once", async (t) => {
  const hub = await openHub(t);
  const events = hub.subscribe({ kinds: "memory.*" });
  const waiting = numbers(5).map(() => events.read());
  await fill(hub, 5);
  const seen = (await Promise.all(waiting)).map((event) => event.data.value);
  assert.deepEqual(seen.toSorted(), numbers(5));
});

test("a signal ends a subscription with its reason", async (t) => {
  const hub = await openHub(t);
  const controller = new AbortController();
  const events = hub.subscribe({ kinds: "memory.*", signal: controller.signal });
  const iterated = all(events);
  await turn();
  controller.abort(new Error("enough"));
  assert.equal((await refusal(iterated)).message, "enough");
  assert.equal(events.closed, true);
  const timed = hub.subscribe({ signal: AbortSignal.timeout(20), kinds: "nothing.here" });
  assert.equal((await refusal(all(timed))).name, "TimeoutError");
});

test("breaking out of a loop ends the subscription", async (t) => {
  const hub = await openHub(t);
  await fill(hub, 3);
  const events = hub.subscribe({ after: 0 });
  for await (const _ of events) break;
  assert.equal(events.closed, true);
  assert.equal(events.position, 1);
});

test("what retention took is a gap, and positions come when asked for", async (t) => {
  const path = freshPath();
  const hub = await openHub(t, path, { retain_events: 10 });
  await fill(hub, 3000);
  const first = await until(async () => {
    const [item] = await all(hub.subscribe({ after: 0, timeout_seconds: 0.05 }));
    return item?.kind === "gap" && item;
  }, "retention took something");
  assert.equal(first.from, 1);
  const [, next] = await all(hub.subscribe({ after: 0, timeout_seconds: 0.05 }));
  assert.equal(next.seq, first.to + 1);

  const quiet = hub.subscribe({ kinds: "nothing.here", positions: true });
  await fill(hub, 1100);
  const position = await quiet.read({ timeout_seconds: PATIENCE });
  assert.equal(position.kind, "position");
  assert.ok(position.seq > 3000);
});

test("a handler hears each event in order, one after the other, until it is turned off", async (t) => {
  const hub = await openHub(t);
  const heard = [];
  let inside = 0;
  const off = hub.on("memory.*", async (event) => {
    assert.equal(++inside, 1);
    await turn();
    inside--;
    heard.push(event.data.value);
  });
  await fill(hub, 20);
  await until(() => heard.length === 20, "all were heard");
  off();
  await fill(hub, 3);
  await turn();
  assert.deepEqual(heard, numbers(20));
});

test("a handler that fails is reported and hears on", async (t) => {
  const hub = await openHub(t);
  const failed = [];
  hub.on(
    ["memory.updated"],
    (event) => {
      throw new Error(`no ${event.data.value}`);
    },
    { onError: (error, event) => failed.push([error.message, event.data.value]) },
  );
  const warned = new Promise((resolve) => process.once("warning", resolve));
  hub.on("memory.updated", () => Promise.reject(new Error("rejected")), { key_prefix: "k/0" });
  await fill(hub, 3);
  await until(() => failed.length === 3, "all were heard");
  assert.deepEqual(failed[2], ["no 2", 2]);
  assert.match((await warned).message, /memory\.updated failed: Error: rejected/);
});

test("an event that a handler publishes is heard, too", async (t) => {
  const hub = await openHub(t);
  const heard = [];
  hub.on("event.published", async (event) => {
    const { count } = event.data.payload;
    heard.push(count);
    if (count < 3)
      await hub.events.publish({ event_type: "tick", source_agent: "ana", payload: { count: count + 1 } });
  });
  await hub.agents.register({ name: "ana" });
  await hub.events.publish({ event_type: "tick", source_agent: "ana", payload: { count: 1 } });
  await until(() => heard.length === 3, "three ticks were heard");
  assert.deepEqual(heard, [1, 2, 3]);
});

test("a durable consumer goes on where it acknowledged", async (t) => {
  const hub = await openHub(t);
  await hub.consumers.open({ name: "audit", filter: { kinds: ["memory.*"] } });
  await fill(hub, 3);
  const { events } = await hub.consumers.read({ name: "audit", limit: 2 });
  await hub.consumers.ack({ name: "audit", seq: events[1].seq });
  const rest = await hub.consumers.read({ name: "audit", wait_seconds: 5 });
  assert.deepEqual(
    rest.events.map((event) => event.data.value),
    [2],
  );
});

test("a subscription that nobody holds any more goes", async (t) => {
  const hub = await openHub(t, freshPath(), { max_subscriptions: 50 });
  for (const _ of numbers(40)) hub.subscribe();
  if (globalThis.gc === undefined) {
    const { setFlagsFromString } = await import("node:v8");
    setFlagsFromString("--expose-gc");
    globalThis.gc = (await import("node:vm")).runInNewContext("gc");
  }
  await until(async () => {
    globalThis.gc();
    await turn();
    try {
      for (const _ of numbers(20)) hub.subscribe();
      return true;
    } catch (error) {
      assert.equal(error.code, "limit_exceeded");
      return false;
    }
  }, "lost subscriptions were closed");
});
