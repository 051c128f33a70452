// The demo, started by Node: one of its workers is a Node program.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const CLI = fileURLToPath(new URL("../dist/cli.js", import.meta.url));
const run = promisify(execFile);

test("one of the demo's workers is a Node program, and its findings are true", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "folkmoot-test-"));
  try {
    const source = path.join(folder, "source");
    await mkdir(path.join(source, "docs"), { recursive: true });
    await writeFile(path.join(source, "main.py"), "def main():\n    return 1\n");
    await writeFile(
      path.join(source, "README.md"),
      "[a](docs/a.md) ![b](docs/none.png) [c](https://example.org) [d](#here) `[e](none)`\n\n```\n[f](none)\n```\n",
    );
    await writeFile(path.join(source, "docs", "a.md"), '[up](../README.md#top) [x](<missing.md> "X")\n');
    const report = path.join(folder, "report.md");
    const words = [CLI, "demo", source, "--json", "--pace", "0.05", "--report", report];
    const { stdout } = await run(process.execPath, words, { cwd: folder, timeout: 120_000 });
    const told = JSON.parse(stdout);
    const linker = told.agents.find((agent) => agent.agent_id === "linker");
    assert.deepEqual(linker.capabilities, ["links"]);
    assert.ok(linker.tasks_done >= 1);
    assert.equal(told.figures.links.checked, 4);
    assert.deepEqual(
      told.figures.links.broken.map(({ path, line, target }) => `${path}:${line} ${target}`).sort(),
      ["README.md:1 docs/none.png", "docs/a.md:1 missing.md"],
    );
    assert.equal(told.tasks.completed, told.tasks.total);
    assert.match(await readFile(report, "utf8"), /4 links to files of the folder; 2 lead nowhere/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
