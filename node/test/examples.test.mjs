// The examples, the guide and the READMEs are programs; each is run, and shows what it promises.

import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { blocks } from "./blocks.mjs";
import { freshFolder, PACKAGE, ROOT, run } from "./hubs.mjs";

export const PYTHON = join(ROOT, ".venv", "bin", "python");

const SHOWN = {
  two_agents: [
    "ana is active, last used web_search",
    "ana to bob: I found three",
    "the thread has 2 messages",
  ],
  task_queue_with_a_crash: [
    "killed doomed at 40 %",
    "heir took it over: attempt 2",
    "the old token is refused: lease_lost",
    "Index the archive: completed by heir",
  ],
  shared_memory: ["refused: conflict, current_version=1", "5050 lines after 101 versions", "visits = 1"],
  ask_and_answer: ["librarian: On the second shelf.", "no answer from the sleeper in time"],
  watch_everything: ["1 memory.updated notes/0", "3 memory.updated notes/2", "4 task.created Read the notes"],
};

/** A folder from which `folkmoot` can be imported. */
function workshop() {
  const folder = freshFolder();
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(PACKAGE, join(folder, "node_modules", "folkmoot"), "dir");
  return folder;
}

test("every example is tried", () => {
  const files = readdirSync(join(ROOT, "examples", "node")).map((file) => basename(file, ".mjs"));
  assert.deepEqual(files.sort(), Object.keys(SHOWN).sort());
});

for (const [name, promises] of Object.entries(SHOWN)) {
  test(`an example shows what it promises: ${name}`, async (t) => {
    const folder = workshop();
    cpSync(join(ROOT, "examples", "node"), folder, { recursive: true });
    const shown = await run(t, process.execPath, [join(folder, `${name}.mjs`)]);
    for (const line of promises) assert.ok(shown.includes(line), shown);
  });
}

test("a Python and a Node process work together as the example shows", async (t) => {
  if (!existsSync(PYTHON)) return t.skip("the Python package is not built: make extension");
  const folder = workshop();
  cpSync(join(ROOT, "examples", "together"), folder, { recursive: true });
  const shown = await run(t, PYTHON, [join(folder, "team.py")]);
  for (const line of [
    "python sees ['helper', 'lead']",
    "node sees helper, lead",
    'node claims "Count the pages" of lead',
    "python sees 'Count the pages' completed by helper: 12 pages",
    "node hears lead: How many with the cover?",
    "python hears helper: 14, with both covers.",
    "python reads 14, version 2, written by helper",
  ]) {
    assert.ok(shown.includes(line), `${line}\nis missing from\n${shown}`);
  }
});

for (const page of ["README.md", "node/README.md", "docs/guides/node.md"]) {
  test(`the code on a page runs from top to bottom: ${page}`, async (t) => {
    const folder = workshop();
    writeFileSync(join(folder, "page.mjs"), blocks(readFileSync(join(ROOT, page), "utf8")));
    const shown = await run(t, process.execPath, ["--unhandled-rejections=strict", "page.mjs"], {
      cwd: folder,
    });
    const kinds = shown.split("\n").map((line) => line.split(" ")[1]);
    for (const kind of ["task.created", "task.claimed", "task.completed"])
      assert.ok(kinds.includes(kind), shown);
  });
}
