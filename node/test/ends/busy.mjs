// A thread or a process that is in the middle of something when it ends: `busy.mjs STATE PATH [HOW]`.

import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { Hub } from "folkmoot";

const [state, path, how] = process.argv.slice(2);
const name = `agent-${process.pid}-${Math.random()}`;

/** Says that it is in the middle of it, or ends there. */
function now() {
  if (!isMainThread) {
    parentPort.postMessage("busy");
    if (how === "worker-exit") process.exit(7);
  } else if (how === "exit") process.exit(7);
  else if (how === "exit-in-then") Promise.resolve().then(() => process.exit(7));
  else if (how === "exit-in-handler") setImmediate(() => process.exit(7));
  else if (how === "throw")
    setImmediate(() => {
      throw new Error("on purpose");
    });
}

const FOREVER = 600;
const unanswered = () => {};

async function begin(hub) {
  switch (state) {
    case "calls":
      for (let number = 0; number < 200; number++) {
        hub.memory.set({ key: `k/${number % 10}`, value: "x".repeat(1000) }).catch(unanswered);
      }
      return now();
    case "claim": {
      const agent = await hub.agent(name);
      agent.claimTask({ wait_seconds: how === "fall-off" ? 0.05 : FOREVER }).catch(unanswered);
      return now();
    }
    case "subscription": {
      const events = hub.subscribe({ after: 0, timeout_seconds: how === "fall-off" ? 0.05 : FOREVER });
      (async () => {
        for await (const _ of events);
      })().catch(unanswered);
      hub.memory.set({ key: "heard", value: 1 }).catch(unanswered);
      return now();
    }
    case "handler":
      hub.on("memory.*", () => now());
      await hub.memory.set({ key: "handled", value: 1 });
      return isMainThread && how !== "fall-off"
        ? new Promise((resolve) => setTimeout(resolve, 60_000))
        : undefined;
    case "closing":
      hub.memory.set({ key: "late", value: 1 }).catch(unanswered);
      hub.close().catch(unanswered);
      return now();
    case "presence":
      await hub.agent(name);
      for (let number = 0; number < 5_000; number++)
        hub.presence.update({ agent_id: name, tool_name: "Edit" });
      return now();
    case "ask": {
      const agent = await hub.agent(name);
      agent
        .ask("Anyone?", ["nobody"], { wait_seconds: how === "fall-off" ? 0.05 : FOREVER })
        .catch(unanswered);
      return now();
    }
  }
}

if (isMainThread && how === "worker-exit") {
  new Worker(new URL(import.meta.url), { argv: [state, path, how] }).on("exit", (code) => process.exit(code));
} else if (state === "opening") {
  const opening = [1, 2, 3].map((number) => Hub.open(`${path}.${number}`));
  now();
  await Promise.all(opening);
} else {
  await begin(await Hub.open(path, { durability: "normal" }));
}
