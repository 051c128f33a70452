// Hooks and plug-ins: functions of the program that the hub calls.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { FolkmootError, Hub, Refusal } from "folkmoot";
import { freshPath, openHub, PATIENCE, refusal, until } from "./hubs.mjs";

function refuseSecrets(request) {
  if (request.input.title.includes("secret")) throw new Refusal("it tells a secret");
}

const titles = async (hub) => (await hub.tasks.list()).tasks.map((task) => task.title);
const counted = async (hub, name) => (await hub.stats()).hooks.find((hook) => hook.name === name);
const create = (hub, title) => hub.tasks.create({ creator_id: "ana", title });

/** Hears the warnings of the process instead of having them printed. */
function warnings(t) {
  const heard = [];
  const hear = (warning) => heard.push(warning);
  const printed = process.listeners("warning");
  process.removeAllListeners("warning");
  process.on("warning", hear);
  t.after(() => {
    process.off("warning", hear);
    for (const listener of printed) process.on("warning", listener);
  });
  return heard;
}

test("a before hook refuses with its name and reason, until it is taken away", async (t) => {
  const hub = await openHub(t);
  const hook = hub.before("task.create", refuseSecrets);
  assert.equal(hook.name, "refuseSecrets");
  const refused = await refusal(create(hub, "a secret plan"));
  assert.deepEqual([refused.code, refused.details.hook], ["not_allowed", "refuseSecrets"]);
  assert.match(refused.message, /it tells a secret/);
  await create(hub, "a plan");
  hook.remove();
  await create(hub, "another secret");
  assert.deepEqual(await titles(hub), ["another secret", "a plan"]);
});

test("a before hook changes the input, which is checked again", async (t) => {
  const hub = await openHub(t);
  const ana = await hub.agent("ana");
  hub.before("task.create", async function tag(request, { signal }) {
    assert.deepEqual(
      [request.operation, request.principal, request.agent_id],
      ["task.create", "agent:ana", "ana"],
    );
    assert.equal(signal.aborted, false);
    return { ...request.input, title: `[ana] ${request.input.title}` };
  });
  assert.equal((await ana.createTask("sweep")).title, "[ana] sweep");
  hub.unhook("tag");
  hub.before("task.create", (request) => ({ ...request.input, priority: 99 }), { name: "eager" });
  const bad = await refusal(ana.createTask("sweep"));
  assert.deepEqual([bad.code, bad.details.field], ["invalid_input", "priority"]);
  assert.match(`${bad.message} ${JSON.stringify(bad.details)}`, /eager/);
});

test("a hook that throws or rejects is reported and breaks nothing", async (t) => {
  const heard = warnings(t);
  const hub = await openHub(t);
  const failures = hub.subscribe({ kinds: "hook.failed" });
  const ways = {
    throws: () => {
      throw new TypeError("on purpose");
    },
    rejects: () => Promise.reject(new TypeError("on purpose")),
  };
  for (const [name, way] of Object.entries(ways)) {
    hub.before("task.create", way, { name });
    await create(hub, "goes on");
    const failure = await failures.read({ timeout_seconds: PATIENCE });
    assert.deepEqual([failure.data.hook, failure.data.then], [name, "allowed"]);
    assert.equal(failure.data.error.message, "TypeError: on purpose");
    assert.equal((await counted(hub, name)).failed, 1);
    hub.unhook(name);
    hub.before("task.create", way, { name, on_error: "refuse" });
    assert.match((await refusal(create(hub, "refused"))).message, /on purpose/);
    assert.equal((await failures.read({ timeout_seconds: PATIENCE })).data.then, "refused");
    hub.unhook(name);
  }
  assert.deepEqual(await titles(hub), ["goes on", "goes on"]);
  assert.equal(heard.length, 4);
  assert.match(heard[0].message, /the hook throws failed: TypeError: on purpose\n +at/);
});

test("what has no place in JSON is a failure of the hook", async (t) => {
  warnings(t);
  const hub = await openHub(t);
  const circle = {};
  circle.self = circle;
  for (const [at, answer] of [() => {}, circle, 5n, "text", { title: undefined }].entries()) {
    hub.before("task.create", () => answer, { name: `odd-${at}`, on_error: "refuse" });
    assert.ok((await refusal(create(hub, "x"))) instanceof FolkmootError, `answer ${at}`);
    hub.unhook(`odd-${at}`);
  }
  assert.deepEqual(await titles(hub), []);
});

test("a hook that hangs is given up, and is told so", async (t) => {
  const hub = await openHub(t);
  const told = [];
  hub.before(
    "task.create",
    (_, { signal }) =>
      new Promise(() => signal.addEventListener("abort", () => told.push(signal.reason.name))),
    { name: "hangs", timeout: 0.1, on_error: "refuse" },
  );
  assert.match((await refusal(create(hub, "late"))).message, /no answer within 0\.1 seconds/);
  await hub.memory.set({ key: "k", value: 1 });
  assert.equal((await counted(hub, "hangs")).timed_out, 1);
  assert.deepEqual(await titles(hub), []);
  await until(() => told[0] === "TimeoutError", "the hook is told");
});

test("a hook that holds its thread holds up no other", async (t) => {
  const path = freshPath();
  const hub = await openHub(t, path);
  const hold = new Int32Array(new SharedArrayBuffer(4));
  const program = `
    const { parentPort, workerData } = require("node:worker_threads");
    const { Hub } = require("folkmoot");
    Hub.open(workerData.path, { durability: "normal" }).then((hub) => {
      hub.before("task.create", () => { Atomics.wait(workerData.hold, 0, 0); }, { name: "holds", timeout: 0.2 });
      parentPort.postMessage("ready");
      setInterval(() => {}, 1000);
    });`;
  const worker = new Worker(program, { eval: true, workerData: { path, hold } });
  await new Promise((resolve) => worker.once("message", resolve));
  await create(hub, "goes on");
  assert.equal((await counted(hub, "holds")).timed_out, 1);
  Atomics.store(hold, 0, 1);
  Atomics.notify(hold, 0);
  await worker.terminate();
  await create(hub, "goes on without it");
  assert.equal(await counted(hub, "holds"), undefined);
});

test("a worker that is terminated in the middle of a hook lets its caller go on", async (t) => {
  const path = freshPath();
  const hub = await openHub(t, path);
  const program = `
    const { parentPort, workerData } = require("node:worker_threads");
    const { Hub } = require("folkmoot");
    Hub.open(workerData, { durability: "normal" }).then((hub) => {
      hub.before("task.create", () => { parentPort.postMessage("asked"); return new Promise(() => {}); },
        { name: "never", timeout: 600 });
      parentPort.postMessage("ready");
    });
    setInterval(() => {}, 1000);`;
  for (let round = 0; round < 5; round++) {
    const worker = new Worker(program, { eval: true, workerData: path });
    await new Promise((resolve) => worker.once("message", resolve));
    const creating = create(hub, `task ${round}`);
    await new Promise((resolve) => worker.once("message", resolve));
    await worker.terminate();
    assert.equal((await creating).title, `task ${round}`);
  }
});

test("a hook may call the hub but not itself without end", async (t) => {
  warnings(t);
  const hub = await openHub(t);
  const calls = [];
  hub.before("task.create", async function again(request) {
    calls.push(request.input.title);
    await hub.memory.increment({ key: "asked" });
    await create(hub, "one more");
  });
  const refused = await refusal(create(hub, "one"));
  assert.equal(refused.code, "limit_exceeded");
  assert.match(refused.message, /inside hooks/);
  assert.deepEqual(calls, ["one", "one more", "one more", "one more"]);
  assert.equal((await hub.memory.get({ key: "asked" })).value, 4);
});

test("the quick calls are hooked too", async (t) => {
  const hub = await openHub(t);
  const ana = await hub.agent("ana");
  await hub.memory.set({ key: "k", value: 1 });
  await hub.memory.get({ key: "k" });
  const closed = () => {
    throw new Refusal("closed today");
  };
  for (const [operation, call] of [
    ["memory.get", () => hub.memory.get({ key: "k" })],
    ["presence.update", () => ana.usedTool("grep")],
    ["presence.update", () => hub.presence.update({ agent_id: "ana" })],
  ]) {
    const hook = hub.before(operation, closed);
    assert.equal((await refusal(call())).code, "not_allowed", operation);
    hook.remove();
    await call();
  }
});

test("many calls are hooked at once", async (t) => {
  const hub = await openHub(t);
  let together = 0;
  let all;
  const met = new Promise((resolve) => {
    all = resolve;
  });
  hub.before("memory.set", () => (++together === 6 ? all() : met), { name: "meet", timeout: PATIENCE });
  await Promise.all([1, 2, 3, 4, 5, 6].map((value) => hub.memory.set({ key: `k/${value}`, value })));
  assert.equal((await counted(hub, "meet")).timed_out, 0);
});

test("an after hook hears events in order, and goes on after one that fails", async (t) => {
  warnings(t);
  const hub = await openHub(t);
  const heard = [];
  hub.after("memory.updated", function hear(event) {
    heard.push(event.data.value);
    if (event.data.value === 2) throw new Error("on purpose");
  });
  for (let value = 0; value < 5; value++) await hub.memory.set({ key: "k", value });
  await until(() => heard.length === 5, "all were heard");
  assert.deepEqual(heard, [0, 1, 2, 3, 4]);
  await until(async () => (await counted(hub, "hear")).failed === 1, "one failed");
});

test("a summarizer and a collector", async (t) => {
  warnings(t);
  const hub = await openHub(t);
  await hub.agent("ana");
  const sent = await hub.messages.send({ sender_id: "ana", content: "Ship on Friday?" });
  const thread_id = sent.conversation_thread_id;
  hub.summarizer(function model({ messages }) {
    return `${messages.length} message: ${messages[0].content}`;
  });
  const digest = await hub.threads.summarize({ thread_id });
  assert.deepEqual(
    [digest.method, digest.summarizer, digest.summary],
    ["summarizer", "model", "1 message: Ship on Friday?"],
  );
  hub.summarizer(() => Promise.reject(new Error("no model")), { name: "broken" });
  const extract = await hub.threads.summarize({ thread_id, summarizer: "broken" });
  assert.deepEqual([extract.method, extract.summarizer_error], ["extractive", "Error: no model"]);
  const collected = hub.subscribe({ kinds: "metric.collected" });
  hub.collector(() => [{ name: "orders", value: 3, labels: { shop: "north" } }], {
    name: "shop",
    interval: 0.05,
  });
  const { data } = await collected.read({ timeout_seconds: PATIENCE });
  assert.deepEqual([data.collector, data.points[0].name, data.points[0].value], ["shop", "orders", 3]);
});

test("what is no hook is refused", async (t) => {
  const hub = await openHub(t);
  hub.before("task.*", refuseSecrets);
  const bad = {
    taken: () => hub.before("task.*", refuseSecrets),
    nobody: () => hub.unhook("nobody"),
    "no operation": () => hub.before("task.craete", refuseSecrets, { name: "b" }),
    "no function": () => hub.before("task.*", "function", { name: "b" }),
    "no function to collect": () => hub.collector("function", { name: "b" }),
    "no name": () => hub.before("task.*", () => {}, { name: "" }),
    "a name of another type": () => hub.before("task.*", () => {}, { name: 3 }),
    "a negative time": () => hub.before("task.*", () => {}, { name: "b", timeout: -1 }),
    "no time": () => hub.before("task.*", () => {}, { name: "b", timeout: Number.NaN }),
    "a time of another type": () => hub.before("task.*", () => {}, { name: "b", timeout: "soon" }),
    "an unknown word": () => hub.before("task.*", () => {}, { name: "b", on_error: "explode" }),
    "a pattern of another type": () => hub.before(3, () => {}, { name: "b" }),
    "no interval": () => hub.collector(() => [], { name: "b", interval: 0 }),
    "no options": () => hub.before("task.*", () => {}, null),
  };
  for (const [what, register] of Object.entries(bad)) {
    const code = { taken: "already_exists", nobody: "not_found" }[what] ?? "invalid_input";
    assert.throws(register, (error) => error instanceof FolkmootError && error.code === code, what);
  }
  assert.deepEqual(
    (await hub.stats()).hooks.map((hook) => hook.name),
    ["refuseSecrets"],
  );
});

test("hooks go with their hub", async (t) => {
  const path = freshPath();
  const other = await openHub(t, path);
  const hub = await Hub.open(path, { durability: "normal" });
  hub.before("task.create", refuseSecrets);
  assert.equal((await refusal(create(other, "secret"))).code, "not_allowed");
  await hub.close();
  await create(other, "secret");
  assert.throws(() => hub.before("task.create", refuseSecrets), { code: "unavailable" });
});
