// Ends in the middle of things: a worker thread that is terminated, a process that exits, in every state. One end says
// little; FOLKMOOT_TEST_ENDS says how many in a row (100 when not said).

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { Hub } from "folkmoot";
import { freshFolder, freshPath, openHub, PACKAGE, PATIENCE, start, until } from "./hubs.mjs";

const ENDS = Number(process.env.FOLKMOOT_TEST_ENDS ?? 100);
const PROGRAM = join(PACKAGE, "test", "ends", "busy.mjs");

const STATES = ["calls", "claim", "subscription", "opening", "handler", "closing", "presence", "ask"];

/** A worker in the middle of things; it has said that it is. */
async function busyWorker(state, path) {
  const worker = new Worker(PROGRAM, { argv: [state, path] });
  const failed = new Promise((_, reject) => {
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`the worker ended by itself with ${code}`)));
  });
  failed.catch(() => {});
  await Promise.race([new Promise((resolve) => worker.once("message", resolve)), failed]);
  return worker;
}

test(`${ENDS} worker threads are terminated in the middle of things, and the hub goes on`, async (t) => {
  const path = freshPath();
  const hub = await openHub(t, path);
  for (let number = 0; number < ENDS; number++) {
    const worker = await busyWorker(STATES[number % STATES.length], path);
    await worker.terminate();
  }
  await hub.memory.set({ key: "still", value: "here" });
  assert.equal((await hub.memory.get({ key: "still" })).value, "here");
  const problems = (await hub.check()).problems ?? [];
  assert.deepEqual(problems, []);
});

test("threads of the engine outlive the only worker that loaded the package", async (t) => {
  // The library must stay in memory: a thread of the engine may still be in it when its worker is gone.
  const program = `
    const { Worker } = require("node:worker_threads");
    const [script, path] = process.argv.slice(1);
    (async () => {
      for (let number = 0; number < 10; number++) {
        const worker = new Worker(script, { argv: ["calls", path] });
        await new Promise((resolve) => worker.once("message", resolve));
        await worker.terminate();
      }
      console.log("fine");
    })();`;
  const { line, ended } = start(t, process.execPath, ["-e", program, PROGRAM, freshPath()]);
  assert.equal(await line(), "fine");
  assert.deepEqual(await ended, { code: 0, signal: null, stderr: "" });
});

test("an agent of a terminated worker is offline at once", async (t) => {
  const path = freshPath();
  const hub = await openHub(t, path);
  const events = hub.subscribe({ kinds: "agent.left" });
  const worker = await busyWorker("claim", path);
  await worker.terminate();
  const left = await events.read({ timeout_seconds: PATIENCE });
  assert.equal(left?.kind, "agent.left");
  const { status } = await hub.presence.get({ agent_id: left.agent_id });
  assert.equal(status, "offline");
});

for (const how of ["exit", "exit-in-handler", "exit-in-then", "throw", "fall-off", "worker-exit"]) {
  const times = Math.max(1, Math.floor(ENDS / 10));
  test(`${times} processes end by ${how} in the middle of things, at once and with the right code`, async (t) => {
    const folder = freshFolder();
    for (let number = 0; number < times; number++) {
      const state = STATES[number % STATES.length];
      const args = [PROGRAM, state, join(folder, "team.db"), how];
      const { child, ended } = start(t, process.execPath, args);
      const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE * 1000);
      const { code, signal, stderr } = await ended;
      clearTimeout(timer);
      const expected = { throw: 1, "fall-off": 0 }[how] ?? 7;
      assert.deepEqual({ state, code, signal }, { state, code: expected, signal: null }, stderr);
    }
    const hub = await openHub(t, join(folder, "team.db"));
    assert.deepEqual((await hub.check()).problems ?? [], []);
  });
}

test("a program that leaves takes its agents offline, without closing its hub", async (t) => {
  const path = freshPath();
  const hub = await openHub(t, path);
  const events = hub.subscribe({ kinds: "agent.*" });
  const { ended } = start(t, process.execPath, [PROGRAM, "claim", path, "exit"]);
  assert.equal((await ended).code, 7);
  const seen = [];
  for await (const event of events) {
    if (event.kind !== "agent.status") seen.push(event.kind);
    if (event.kind === "agent.left") break;
  }
  assert.deepEqual(seen, ["agent.joined", "agent.left"]);
});

test("neither an open hub, nor an agent, nor a handler keeps a program alive", async (t) => {
  const program = `
    const { Hub } = require("folkmoot");
    Hub.open(process.argv[1]).then(async (hub) => {
      await hub.agent("ana");
      hub.on("task.*", () => {});
      console.log("done");
    });`;
  const { line, ended } = start(t, process.execPath, ["-e", program, freshPath()], { cwd: PACKAGE });
  assert.equal(await line(), "done");
  assert.equal((await ended).code, 0);
});

test("a call that somebody waits for keeps its program alive until it is answered", async (t) => {
  const program = `
    const { Hub } = require("folkmoot");
    (async () => {
      const hub = await Hub.open(":memory:");
      await hub.agents.register({ name: "ana" });
      const task = await hub.tasks.claim({ agent_id: "ana", wait_seconds: 0.2 });
      console.log("answered", task);
    })();`;
  const { line, ended } = start(t, process.execPath, ["-e", program], { cwd: PACKAGE });
  assert.equal(await line(), "answered null");
  assert.equal((await ended).code, 0);
});

test("closing ends what waits", async () => {
  const hub = await Hub.open(":memory:", { durability: "normal" });
  const ana = await hub.agent("ana");
  const task = await ana.createTask("for later", { requires: ["patience"] });
  const waits = [
    ana.claimTask({ wait_seconds: 600 }),
    ana.inbox({ wait_seconds: 600 }),
    hub.tasks.wait({ task_id: task.task_id, wait_seconds: 600 }),
    ana.ask("Anyone?", ["ana"], { wait_seconds: 600 }),
    hub.subscribe({ kinds: "nothing.here" }).read(),
  ].map((wait) =>
    wait.then(
      () => "answered",
      (error) => error.code,
    ),
  );
  const iterated = (async () => {
    for await (const event of hub.subscribe({ kinds: "nothing.either" })) return event;
    return "ended";
  })();
  await until(async () => (await hub.messages.list()).messages.length === 1, "the question is asked");
  await hub.close();
  assert.deepEqual(await Promise.all(waits), Array(5).fill("unavailable"));
  assert.equal(await iterated, "ended");
  assert.equal((await hub.memory.get({ key: "k" }).catch((error) => error)).code, "unavailable");
});
