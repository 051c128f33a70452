// Another process works; this one hears of each change, in order, and ends when there is no more.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Hub } from "folkmoot";

async function work(path) {
  const hub = await Hub.open(path);
  for (let number = 0; number < 3; number++) {
    await hub.memory.set({ key: `notes/${number}`, value: { number } });
  }
  await hub.tasks.create({ creator_id: "worker", title: "Read the notes" });
  await hub.close();
}

async function watch(path) {
  const hub = await Hub.open(path);
  const events = hub.subscribe({ timeout_seconds: 60 });
  spawn(process.execPath, [fileURLToPath(import.meta.url), path], { stdio: "inherit" });
  for await (const event of events) {
    if (event.kind === "agent.status") continue; // a summary that comes every two seconds
    console.log(event.seq, event.kind, event.data.key ?? event.data.title);
    if (event.kind === "task.created") break;
  }
  await hub.close();
}

if (process.argv.length > 2) {
  await work(process.argv[2]);
} else {
  const folder = mkdtempSync(join(tmpdir(), "folkmoot-"));
  await watch(join(folder, "team.db"));
  rmSync(folder, { recursive: true });
}
