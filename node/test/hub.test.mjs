// Opening, configuring and closing; errors; what the package is.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { FolkmootError, Hub, version } from "folkmoot";
import { freshFolder, freshPath, openHub, refusal } from "./hubs.mjs";

test("a hub on a file keeps what it was told", async () => {
  const path = freshPath();
  for (const round of [1, 2]) {
    const hub = await Hub.open(pathToFileURL(path));
    await hub.memory.increment({ key: "rounds" });
    assert.equal((await hub.memory.get({ key: "rounds" })).value, round);
    assert.equal(hub.path, path);
    await hub[Symbol.asyncDispose]();
    assert.equal(hub.closed, true);
  }
});

test("a hub in memory ends with its handle", async (t) => {
  const hub = await openHub(t);
  await hub.memory.set({ key: "k", value: 1 });
  const other = await openHub(t);
  assert.equal((await refusal(other.memory.get({ key: "k" }))).code, "not_found");
});

test("keys of the configuration are taken from a file, from the environment and from the call", async (t) => {
  const folder = freshFolder();
  const config_file = join(folder, "hub.toml");
  writeFileSync(config_file, 'durability = "memory"\nlease_seconds = 7\nmax_agents = 3\n');
  process.env.FOLKMOOT_MAX_AGENTS = "4";
  t.after(() => delete process.env.FOLKMOOT_MAX_AGENTS);
  const hub = await openHub(t, join(folder, "team.db"), {
    config_file,
    environment: true,
    durability: "normal",
    status_interval_seconds: undefined,
  });
  const { durability, lease_seconds, max_agents } = hub.config;
  assert.deepEqual(
    { durability, lease_seconds, max_agents },
    { durability: "normal", lease_seconds: 7, max_agents: 4 },
  );
});

test("what cannot be opened is refused, and the error says what to do", async (t) => {
  const path = freshPath();
  await openHub(t, path);
  const cases = [
    [[":memory:", { lease_secs: 5 }], "invalid_input", "lease_secs", "lease_seconds"],
    [[":memory:", { lease_seconds: "5" }], "invalid_input", "lease_seconds", ""],
    [[":memory:", { lease_seconds: -5 }], "invalid_input", "lease_seconds", ""],
    [[":memory:", { durability: "nomal" }], "invalid_input", "durability", ""],
    [[":memory:", { lease_seconds: Number.NaN }], "invalid_input", "lease_seconds", ""],
    [[":memory:", { environment: "yes" }], "invalid_input", "environment", ""],
    [[":memory:", { config_file: join(path, "nowhere.toml") }], "invalid_input", "config_file", ""],
    [[":memory:", null], "invalid_input", "config", ""],
    [[":memory:", 5], "invalid_input", "config", ""],
    [[""], "invalid_input", "path", ""],
    [[5], "invalid_input", "path", ""],
    [[undefined], "invalid_input", "path", ""],
    [["team\0.db"], "invalid_input", "path", ""],
    [[join(path, "below", "team.db")], "storage", undefined, ""],
    [[path, { durability: "full" }], "conflict", undefined, "same configuration"],
  ];
  for (const [args, code, field, says] of cases) {
    const error = await refusal(Hub.open(...args));
    assert.ok(error instanceof FolkmootError, String(error));
    assert.deepEqual([error.code, error.details.field], [code, field], `${args}: ${error.message}`);
    assert.ok(`${error.message} ${error.hint}`.includes(says), `${error.message} ${error.hint}`);
  }
});

test("an error has a name, a code, a sentence, a hint, details, and the stack of whoever called", async (t) => {
  const hub = await openHub(t);
  async function whoeverCalls() {
    return await hub.tasks.get({ task_id: "nothing" });
  }
  const error = await refusal(whoeverCalls());
  assert.equal(error.name, "FolkmootError");
  assert.equal(error.code, "not_found");
  assert.match(error.message, /nothing/);
  assert.equal(typeof error.retryable, "boolean");
  assert.match(error.stack, /whoeverCalls/);
  const unknown = await refusal(hub.call("task.clam", {}));
  assert.deepEqual([unknown.code, unknown.details.field], ["invalid_input", "operation"]);
  assert.match(unknown.hint, /task\.claim/);
});

test("two handles on one file share the hub, and each is closed by itself", async (t) => {
  const path = freshPath();
  const [one, other] = [await openHub(t, path), await openHub(t, path)];
  await one.memory.set({ key: "k", value: "shared" });
  await one.close();
  await one.close();
  assert.equal(one.closed, true);
  assert.equal((await refusal(one.memory.get({ key: "k" }))).code, "unavailable");
  assert.equal((await other.memory.get({ key: "k" })).value, "shared");
});

test("a backup is a hub of its own, and a hub can be checked", async (t) => {
  const folder = freshFolder();
  const hub = await openHub(t, join(folder, "team.db"));
  await hub.memory.set({ key: "k", value: 1 });
  await hub.backup(join(folder, "copy.db"));
  const copy = await openHub(t, join(folder, "copy.db"));
  assert.equal((await copy.memory.get({ key: "k" })).value, 1);
  assert.equal(typeof (await hub.check()), "object");
  assert.equal((await hub.status()).version, version);
});

test("a thousand calls at once are all answered", async (t) => {
  const hub = await openHub(t, freshPath());
  const calls = Array.from({ length: 1000 }, (_, number) =>
    hub.memory.set({ key: `k/${number}`, value: number }),
  );
  const versions = (await Promise.all(calls)).map((entry) => entry.version);
  assert.deepEqual(versions, Array(1000).fill(1));
  const { seq } = await hub.status();
  assert.equal(seq, 1000);
});
