// What the tests share: hubs on fresh files, programs of their own, and waiting for something to be so.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Hub } from "folkmoot";

export const PACKAGE = dirname(dirname(fileURLToPath(import.meta.url)));
export const ROOT = dirname(PACKAGE);

/** Generous: the machine may be busy. */
export const PATIENCE = 60;

/** A folder that is gone after the test file. */
export function freshFolder() {
  const folder = mkdtempSync(join(tmpdir(), "folkmoot-"));
  after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

export function freshPath() {
  return join(freshFolder(), "team.db");
}

/** A hub that is closed after the test `t`. */
export async function openHub(t, path = ":memory:", options = {}) {
  const hub = await Hub.open(path, { durability: "normal", ...options });
  t.after(() => hub.close());
  return hub;
}

/** A program: what it says comes line by line, and how it ended. */
export function start(t, command, args, options = {}) {
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
  t.after(() => child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let said = "";
  child.stderr.on("data", (text) => {
    said += text;
  });
  const ended = new Promise((resolve) => {
    child.on("close", (code, signal) => resolve({ code, signal, stderr: said }));
  });
  return { child, ended, line: async () => (await lines.next()).value };
}

/** Runs a program to its end; it must end well. Answers what it said. */
export async function run(t, command, args, options = {}) {
  const { child, ended } = start(t, command, args, options);
  let out = "";
  child.stdout.on("data", (text) => {
    out += text;
  });
  child.stdin.end();
  const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE * 2000);
  const { code, signal, stderr } = await ended;
  clearTimeout(timer);
  if (code !== 0)
    throw new Error(`${command} ${args.join(" ")}: ended with ${code ?? signal}\n${out}${stderr}`);
  return out;
}

/** Waits until `look` gives something true. */
export async function until(look, what) {
  for (const end = performance.now() + PATIENCE * 1000; performance.now() < end; ) {
    const seen = await look();
    if (seen) return seen;
    await sleep(5);
  }
  throw new Error(`waited in vain until ${what}`);
}

/** The error of a promise that must be rejected. */
export async function refusal(promise) {
  let answer;
  try {
    answer = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`nothing was refused: ${JSON.stringify(answer)}`);
}
