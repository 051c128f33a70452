// What TypeScript must accept and refuse; compiled, never run. Each @ts-expect-error fails when there is no error.

import {
  type Agent,
  type Entry,
  type Event,
  FolkmootError,
  type Gap,
  Hub,
  type Message,
  type Task,
} from "../../src/index.js";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>): void => {};

export async function operations(hub: Hub, signal: AbortSignal): Promise<void> {
  const task = await hub.tasks.claim({ agent_id: "ana", wait_seconds: 5 }, { signal });
  same<typeof task, Task | null>(true);
  // @ts-expect-error there may be no task
  task.title;
  const { tasks } = await hub.tasks.claimMany({ agent_id: "ana", count: 3 });
  same<typeof tasks, Task[]>(true);
  const entry = await hub.call("memory.get", { key: "k" });
  same<typeof entry, Entry>(true);
  await hub.call("hub.status");
  await hub.agents.list();
  await hub.tasks.create({ creator_id: "ana", title: "t", due_date: new Date(), priority: undefined });
  await hub.memory.set({ key: "k", value: { any: ["thing"] } });

  // @ts-expect-error a field is missing
  await hub.tasks.claim({});
  // @ts-expect-error a field is not known
  await hub.tasks.claim({ agent_id: "ana", agentId: "ana" });
  // @ts-expect-error a field is of the wrong type
  await hub.tasks.claim({ agent_id: "ana", wait_seconds: "5" });
  // @ts-expect-error an operation is not known
  await hub.call("task.clam", {});
  // @ts-expect-error an operation lacks its input
  await hub.call("memory.get");
  // @ts-expect-error a status is not known
  await hub.agents.list({ status: "bored" });
  // @ts-expect-error an option is not known
  await hub.agents.list({}, { timeout: 5 });
}

export async function opening(): Promise<void> {
  const hub = await Hub.open(new URL("file:team.db"), { durability: "normal", environment: true });
  same<typeof hub, Hub>(true);
  const seconds: number | undefined = hub.config.lease_seconds;
  await hub.backup(`copy-${seconds}`);
  // @ts-expect-error a key is not known
  await Hub.open("team.db", { lease_secs: 5 });
  // @ts-expect-error a durability is not known
  await Hub.open("team.db", { durability: "some" });
  // @ts-expect-error a hub is opened, not made
  new Hub();
}

export async function agents(hub: Hub): Promise<void> {
  const ana = await hub.agent("ana", { capabilities: { rust: 0.9 } });
  same<typeof ana, Agent>(true);
  await ana.call("task.claim_many", { count: 3 });
  await ana.call("task.complete", { task_id: "t", result: 1 });
  const answer = await ana.ask("Where?", "bob", { wait_seconds: 5 });
  same<typeof answer, Message | null>(true);
  // @ts-expect-error a field is missing
  await ana.call("task.claim_many", {});
  // @ts-expect-error the name goes first
  await hub.agent({ name: "ana" });
}

export async function events(hub: Hub): Promise<void> {
  for await (const item of hub.subscribe({ kinds: "task.*" })) {
    same<typeof item, Event<"task.*"> | Gap>(true);
    if (item.kind === "gap") continue;
    const title: string = (item as Event<"task.*">).data.title;
    console.log(title);
  }
  const off = hub.on("memory.updated", (event) => {
    same<typeof event.data, Entry>(true);
    same<typeof event.kind, "memory.updated">(true);
  });
  off();
  hub.on(["task.created", "task.completed"], (event) => same<typeof event.data, Task>(true));
  hub.on("event.published", (event) => event.data.whatever);
  // @ts-expect-error a filter's field is not known
  hub.subscribe({ kind: "task.*" });
  // @ts-expect-error a handler is a function
  hub.on("task.*", "handler");
}

export function errors(error: unknown): void {
  if (error instanceof FolkmootError) {
    if (error.code === "conflict") console.log(error.details.current_version);
    // @ts-expect-error a code is not known
    if (error.code === "oops") console.log(error.hint);
  }
}
