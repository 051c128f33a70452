// Bad input: an error that names the field, from a promise that is rejected, and nothing changed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { FolkmootError } from "folkmoot";
import { openHub, refusal } from "./hubs.mjs";

const circle = {};
circle.again = [circle];
const deep = JSON.parse("[".repeat(200) + "]".repeat(200));

const VALUES = [
  [undefined, "value", "missing"],
  [{ a: undefined }, "value.a", "must be a value"],
  [[1, undefined], "value[1]", "must be a value"],
  // biome-ignore lint/suspicious/noSparseArray: that is what is tried
  [[1, , 2], "value[1]", "must be a value"],
  [10n, "value", "BigInt"],
  [{ deep: { er: [10n] } }, "value.deep.er[0]", "BigInt"],
  [circle, "value.again[0]", "itself"],
  [deep, "value", "deeper"],
  [Number.NaN, "value", "finite"],
  [[Number.POSITIVE_INFINITY], "value[0]", "finite"],
  [() => 1, "value", "must be"],
  [Symbol("s"), "value", "must be"],
  [new Map([[1, 2]]), "value", "plain object"],
  [new Uint8Array(3), "value", "plain object"],
  [new (class Point {})(), "value", "plain object"],
  [Promise.resolve(1), "value", "plain object"],
  [new Date(Number.NaN), "value", "time"],
  ["\ud800", "value", "surrogates"],
  [{ "\udfff": 1 }, "value", "surrogates"],
  [
    {
      get bad() {
        throw new Error("a getter");
      },
    },
    "input",
    "could not be read",
  ],
  [{ toJSON: () => 10n }, "value", "BigInt"],
];

test("a value that JSON cannot hold is refused, and the error says where it is", async (t) => {
  const hub = await openHub(t);
  for (const [value, field, says] of VALUES) {
    const error = await refusal(hub.memory.set({ key: "k", value }));
    assert.ok(error instanceof FolkmootError, String(error));
    const why = `${error.message} (${error.hint})`;
    assert.equal(error.code, "invalid_input", why);
    const named = error.details.field;
    assert.ok(named === field || (says === "deeper" && named.startsWith(field)), `${named}: ${why}`);
    assert.ok(why.includes(says), why);
  }
  assert.equal((await hub.stats()).memory_keys ?? 0, 0);
  assert.equal((await hub.status()).seq, 0);
});

test("what JSON can hold comes back as it was", async (t) => {
  const hub = await openHub(t);
  const now = new Date();
  const same = [
    null,
    true,
    false,
    0,
    -1.5,
    1e21,
    "",
    "ünï\u0000\n",
    [],
    [[1]],
    {},
    { a: { b: [null] } },
    "x".repeat(9999),
  ];
  for (const value of same) {
    await hub.memory.set({ key: "k", value });
    assert.deepEqual((await hub.memory.get({ key: "k" })).value, value);
  }
  const bare = Object.assign(Object.create(null), { a: 1 });
  for (const [value, becomes] of [
    [now, now.toISOString()],
    [bare, { a: 1 }],
    [{ toJSON: () => [1] }, [1]],
    [new URL("folk:moot"), "folk:moot"],
  ]) {
    await hub.memory.set({ key: "k", value });
    assert.deepEqual((await hub.memory.get({ key: "k" })).value, becomes);
  }
});

test("a field that is undefined counts as left out", async (t) => {
  const hub = await openHub(t);
  await hub.memory.set({ key: "k", value: 1, ttl_seconds: undefined, agent_id: undefined });
  assert.equal((await hub.memory.get({ key: "k", version: undefined })).version, 1);
});

const WRONG = [
  ["memory.set", { key: 5, value: 1 }, "key"],
  ["memory.set", { key: "a\0b", value: 1 }, "key"],
  ["memory.set", { key: "", value: 1 }, "key"],
  ["memory.set", { key: "k", value: 1, expected_version: -1 }, "expected_version"],
  ["memory.set", { key: "k", value: 1, expected_version: 1.5 }, "expected_version"],
  ["memory.set", { key: "k", value: 1, ttl: 5 }, "ttl"],
  ["memory.get", { key: 5 }, "key"],
  ["memory.get", { key: "\ud800" }, "key"],
  ["memory.get", { key: "a\0b" }, "key"],
  ["memory.get", { key: "k", versoin: 1 }, "versoin"],
  ["memory.get", {}, "key"],
  ["presence.update", { agent_id: 5 }, "agent_id"],
  ["presence.update", { agent_id: "ana", tokens: -1 }, "tokens"],
  ["presence.update", { agent_id: "ana", tokens: 1.5 }, "tokens"],
  ["presence.update", { agent_id: "ana", tokens: "5" }, "tokens"],
  ["presence.update", { agent_id: "ana", tokens: Number.NaN }, "tokens"],
  ["presence.update", { agent_id: "ana", tool_name: "\ud800" }, "tool_name"],
  ["presence.update", { agent_id: "ana", tool_name: "" }, "tool_name"],
  ["presence.update", { agent_id: "ana", tool: "Edit" }, "tool"],
  ["presence.update", { agent_id: "ana", status: "bored" }, "status"],
  ["presence.update", { agent_id: "ana", location: "here" }, "location"],
  ["presence.update", {}, "agent_id"],
  ["task.claim", { agent_id: "ana", wait_seconds: "5" }, "wait_seconds"],
  ["task.create", { creator_id: "ana", title: "t", priority: 10 }, "priority"],
  ["task.create", { creator_id: "ana", title: ["t"] }, "title"],
  ["task.create", "a title", "input"],
  ["task.create", null, "input"],
  ["task.create", [], "input"],
  ["task.create", 5, "input"],
];

test("a field of the wrong kind is refused by name and by typed method alike", async (t) => {
  const hub = await openHub(t);
  await hub.agents.register({ name: "ana" });
  const { seq } = await hub.status();
  for (const [name, input, field] of WRONG) {
    const [noun, verb] = name.split(".");
    const place = { memory: hub.memory, presence: hub.presence, task: hub.tasks }[noun];
    for (const call of [() => hub.call(name, input), () => place[verb](input)]) {
      const error = await refusal(call());
      assert.deepEqual(
        [error.code, error.details.field],
        ["invalid_input", field],
        `${name}: ${error.message}`,
      );
    }
  }
  assert.equal((await hub.status()).seq, seq);
});

test("the name of an operation, a signal and an agent's name are looked at too", async (t) => {
  const hub = await openHub(t);
  const bad = [
    [() => hub.call("nothing.here", {}), "operation"],
    [() => hub.call(5, {}), "operation"],
    [() => hub.call(undefined), "operation"],
    [() => hub.call("\ud800", {}), "operation"],
    [() => hub.agents.list({}, { signal: "now" }), "signal"],
    [() => hub.agent(""), "name"],
    [() => hub.agent(5), "agent_id"],
    [() => hub.agent("ana", { capabilities: 5 }), "capabilities"],
    [() => hub.agent("ana", { roles: "x" }), "roles"],
    [() => hub.backup(5), "to"],
  ];
  for (const [call, field] of bad) {
    const error = await refusal(call());
    assert.deepEqual([error.code, error.details.field], ["invalid_input", field], error.message);
  }
  assert.equal((await hub.agents.list()).agents.length, 0);
});

test("what is not known to a subscription is refused at once", async (t) => {
  const hub = await openHub(t);
  const bad = [
    [{ kind: "task.*" }, "kind"],
    [{ kinds: 5 }, "kinds[0]"],
    [{ kinds: ["task*"] }, "kinds[0]"],
    [{ agents: [""] }, "agents[0]"],
    [{ after: -1 }, "after"],
    [{ after: 1.5 }, "after"],
    [{ after: "0" }, "after"],
    [{ after: 1000 }, "after"],
    [{ timeout_seconds: -1 }, "timeout_seconds"],
    [{ timeout_seconds: "1" }, "timeout_seconds"],
    [{ timeout: 1 }, "timeout"],
    [{ signal: 1 }, "signal"],
    [5, "options"],
    [null, "options"],
  ];
  for (const [options, field] of bad) {
    assert.throws(
      () => hub.subscribe(options),
      (error) => {
        assert.deepEqual([error.code, error.details.field], ["invalid_input", field], error.message);
        return true;
      },
    );
  }
  assert.throws(() => hub.on("task.*", "handler"), { code: "invalid_input" });
});
