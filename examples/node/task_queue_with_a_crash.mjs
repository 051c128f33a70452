// A worker process dies in the middle of a task; another takes it over, and the old token changes nothing.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Hub } from "folkmoot";

// Short, so that the death is noticed within seconds.
const TIMES = { lease_seconds: 1, presence_ttl_seconds: 1 };

/** Claims a task, reports some progress, and is never heard of again. */
async function doomedWorker(path) {
  const hub = await Hub.open(path, TIMES);
  const worker = await hub.agent("doomed");
  const task = await worker.claimTask();
  await worker.reportProgress(task, { progress: 40, phase: "reading" });
  setTimeout(() => {}, 60_000); // killed long before this is over
}

async function survive(path) {
  const hub = await Hub.open(path, TIMES);
  const heir = await hub.agent("heir");
  const task = await hub.tasks.create({ creator_id: "boss", title: "Index the archive" });

  const progress = hub.subscribe({ kinds: "task.progressed", after: 0 });
  const worker = spawn(process.execPath, [fileURLToPath(import.meta.url), path], { stdio: "inherit" });
  const { data: held } = await progress.read({ timeout_seconds: 60 });
  worker.kill("SIGKILL");
  await once(worker, "exit");
  console.log(`killed ${held.agent_id} at ${held.progress} %`);

  const taken = await heir.claimTask({ wait_seconds: 30 });
  console.log(`heir took it over: attempt ${taken.attempts}`);
  try {
    await hub.tasks.complete({ task_id: task.task_id, agent_id: "doomed", token: held.token });
  } catch (error) {
    console.log(`the old token is refused: ${error.code}`);
  }
  const done = await heir.completeTask(taken, { pages: 12 });
  console.log(`${done.title}: ${done.status} by ${done.agent_id}`);
  await hub.close();
}

if (process.argv.length > 2) {
  await doomedWorker(process.argv[2]);
} else {
  const folder = mkdtempSync(join(tmpdir(), "folkmoot-"));
  await survive(join(folder, "team.db"));
  rmSync(folder, { recursive: true });
}
