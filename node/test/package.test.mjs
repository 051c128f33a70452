// The package as it is given out: packed, and installed into an empty folder.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { blocks } from "./blocks.mjs";
import { freshFolder, PACKAGE, ROOT, run } from "./hubs.mjs";

test("a packed package installs into an empty folder and runs the README's example", async (t) => {
  const folder = freshFolder();
  const listing = await run(t, "npm", ["pack", "--json", "--pack-destination", folder], { cwd: PACKAGE });
  const [{ filename, files }] = JSON.parse(listing);
  const odd = files
    .map((file) => file.path)
    .filter((path) => !/^(dist\/|native\/[^/]+\.node$|README\.md$|LICENSE-|package\.json$)/.test(path));
  assert.deepEqual(odd, []);

  const empty = join(folder, "empty");
  mkdirSync(empty);
  writeFileSync(join(empty, "package.json"), "{}");
  const install = ["install", "--offline", "--no-audit", "--no-fund", join(folder, filename)];
  await run(t, "npm", install, { cwd: empty });
  const installed = JSON.parse(readFileSync(join(empty, "node_modules", "folkmoot", "package.json"), "utf8"));
  const scripts = ["preinstall", "install", "postinstall", "prepare"];
  assert.deepEqual(
    Object.keys(installed.scripts ?? {}).filter((name) => scripts.includes(name)),
    [],
  );
  assert.deepEqual([installed.dependencies, installed.gypfile], [undefined, undefined]);

  writeFileSync(join(empty, "readme.mjs"), blocks(readFileSync(join(ROOT, "README.md"), "utf8")));
  const shown = await run(t, process.execPath, ["readme.mjs"], { cwd: empty });
  assert.match(shown, /task\.created[\s\S]*task\.claimed[\s\S]*task\.completed/);

  const both = `
    const required = require("folkmoot");
    import("folkmoot").then((imported) => {
      for (const name of Object.keys(required)) {
        if (required[name] !== imported[name]) throw new Error(name + " differs");
      }
      console.log(Object.keys(required).sort().join(" "));
    });`;
  const names = await run(t, process.execPath, ["-e", both], { cwd: empty });
  assert.match(
    names,
    /Agent AgentSession FolkmootError Hook Hub OPERATIONS Refusal Replay Subscription version/,
  );

  const command = join(empty, "node_modules", ".bin", "folkmoot");
  assert.match(await run(t, command, ["--version"], { cwd: empty }), /^folkmoot \d+\.\d+\.\d+/);
});
