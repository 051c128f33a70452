// Many worker threads change one value, and no change is lost.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { Hub } from "folkmoot";

// Every thread opens the hub for itself.
const folder = isMainThread ? mkdtempSync(join(tmpdir(), "folkmoot-")) : undefined;
const path = folder === undefined ? workerData.path : join(folder, "team.db");
const hub = await Hub.open(path, { durability: "normal" });

if (isMainThread) {
  await hub.memory.set({ key: "tally", value: { lines: 0 }, expected_version: 0 }); // 0: it must not be there yet
  try {
    await hub.memory.set({ key: "tally", value: { lines: 1 }, expected_version: 0 });
  } catch (error) {
    console.log(`refused: ${error.code}, current_version=${error.details.current_version}`);
  }

  const counters = [0, 1, 2, 3].map((number) => {
    const worker = new Worker(new URL(import.meta.url), { workerData: { path, from: number * 25 + 1 } });
    return new Promise((resolve, reject) => worker.once("exit", resolve).once("error", reject));
  });
  await Promise.all(counters);
  const tally = await hub.memory.get({ key: "tally" });
  console.log(`${tally.value.lines} lines after ${tally.version} versions`);

  await hub.memory.increment({ key: "visits" });
  console.log(`visits = ${(await hub.memory.get({ key: "visits" })).value}`);
} else {
  // Reads, changes and sets; tried again when another was quicker.
  for (let lines = workerData.from; lines < workerData.from + 25; lines++) {
    await hub.memory.update("tally", (tally) => ({ lines: tally.lines + lines }));
  }
}
await hub.close();
if (folder !== undefined) rmSync(folder, { recursive: true });
