// An agent's handle: acts as that agent, and keeps the tokens of its claims.

import type { CallOptions } from "./caller.js";
import { Calls } from "./calls.js";
import { FolkmootError, invalid } from "./errors.js";
import type { Event, Gap, Item } from "./event.js";
import type {
  AgentView,
  Entry,
  EventPublishInput,
  MemorySetInput,
  Message,
  MessageAskInput,
  MessageInboxInput,
  MessageSendInput,
  Presence,
  PresenceUpdateInput,
  Agent as Profile,
  PublishedEvent,
  Session,
  SessionStartInput,
  Task,
  TaskCreateInput,
} from "./generated/types.js";
import { ACTORS, TOKENS } from "./generated/types.js";
import type { Hub } from "./hub.js";
import { Memory, type UpdateOptions } from "./memory.js";
import type { NativeHub } from "./native.js";
import type { AgentInput, Answer, Arguments, OperationName } from "./operation.js";
import { AgentSession } from "./session.js";
import { type SubscribeOptions, Subscription } from "./subscription.js";

type Fields = Record<string, unknown>;
type Recipients = string | readonly string[];

// After these the claim of a task is over.
const ENDING = new Set(["task.complete", "task.fail", "task.release"]);

/** Splits options into the fields of the operation and what goes with the call. */
function parted<O extends CallOptions>(options: O): [Omit<O, "signal">, CallOptions] {
  const { signal, ...fields } = options;
  return [fields, { signal }];
}

/** A task's id, from a task or from its id. */
function idOf(task: unknown): any {
  return typeof task === "object" && task !== null && "task_id" in task ? task.task_id : task;
}

/**
 * An agent that this process runs; made by `hub.agent`.
 *
 * Every method acts as the agent, and access control is the agent's. The process beats for it, so that it is present
 * and its tasks stay its own until it is closed or the process ends.
 *
 * ```js
 * const ana = await hub.agent("ana", { capabilities: ["rust"] });
 * const task = await ana.claimTask({ wait_seconds: 10 });
 * await ana.completeTask(task, { lines: 12 });
 * ```
 */
export class Agent implements AsyncDisposable {
  /** Its hub. */
  readonly hub: Hub;
  /** Its id. */
  readonly agent_id: string;
  /** Who it is, as it was registered. */
  readonly profile: Profile;
  /** Operations on memory, as this agent. */
  readonly memory: Memory;
  readonly #native: NativeHub;
  readonly #calls: Calls;
  readonly #tokens = new Map<string, number>();

  /** Made by `hub.agent`. */
  constructor(hub: Hub, native: NativeHub, view: AgentView) {
    this.hub = hub;
    this.agent_id = view.agent.agent_id;
    this.profile = view.agent;
    this.#native = native;
    this.#calls = new Calls(native);
    this.memory = new Memory(this.#calls);
  }

  /** The tasks that this handle has claimed and not ended, by id. */
  get held(): string[] {
    return [...this.#tokens.keys()];
  }

  /** Runs an operation as this agent; who acts and the tokens of claims are filled in. */
  async call<N extends OperationName>(
    name: N,
    ...[input, options]: Arguments<AgentInput<N>>
  ): Promise<Answer<N>> {
    const filled = this.#filled(name, input ?? {});
    try {
      const answer = await this.#calls.call(name, filled, options);
      this.#note(name, filled, answer);
      return answer;
    } catch (error) {
      if (error instanceof FolkmootError && error.code === "lease_lost")
        this.#tokens.delete(filled.task_id as string);
      throw error;
    }
  }

  /** Sends a message to agents; to all when nobody is named. */
  sendMessage(
    content: string,
    recipients?: Recipients,
    options: Partial<MessageSendInput> & CallOptions = {},
  ): Promise<Message> {
    const [fields, call] = parted(options);
    return this.call("message.send", { content, recipients: listed(recipients), ...fields } as any, call);
  }

  /** Answers a message, in its thread, to its sender. */
  async reply(
    message: Message,
    content: string,
    options: Partial<MessageSendInput> & CallOptions = {},
  ): Promise<Message> {
    if (typeof message !== "object" || message === null || !("sender_id" in message)) {
      throw invalid("message", message, "must be a message as the inbox gives it");
    }
    return this.sendMessage(content, [message.sender_id], { reply_to: message.message_id, ...options });
  }

  /** Asks a question and waits for its answer; null when none came in time (30 s when not said). */
  async ask(
    content: string,
    recipients?: Recipients,
    options: Partial<MessageAskInput> & CallOptions = {},
  ): Promise<Message | null> {
    const [fields, call] = parted(options);
    const asked = { content, recipients: listed(recipients), ...fields } as any;
    return (await this.call("message.ask", asked, call)).answer ?? null;
  }

  /** The messages for this agent: unread ones unless told otherwise; waits for one when asked to. */
  async inbox(options: Partial<MessageInboxInput> & CallOptions = {}): Promise<Message[]> {
    const [fields, call] = parted(options);
    return (await this.call("message.inbox", { unread_only: true, ...fields } as any, call)).messages;
  }

  /** Marks messages as read. */
  async markRead(...messages: Array<Message | string>): Promise<void> {
    const ids = messages.map((message) => (typeof message === "string" ? message : message?.message_id));
    await this.call("message.mark_read", { message_ids: ids } as any);
  }

  /** Makes a task. */
  createTask(title: string, options: Partial<TaskCreateInput> & CallOptions = {}): Promise<Task> {
    const [fields, call] = parted(options);
    return this.call("task.create", { title, ...fields } as any, call);
  }

  /**
   * Claims the best task that this agent can do, or this one; null when there is none.
   *
   * The handle keeps the token, so that `completeTask` needs none, and this process keeps the lease.
   */
  claimTask(
    options: CallOptions & {
      readonly task?: Task | string;
      readonly wait_seconds?: number;
      readonly lease_seconds?: number;
    } = {},
  ): Promise<Task | null> {
    const [{ task, ...fields }, call] = parted(options);
    return this.call("task.claim", { task_id: idOf(task), ...fields } as any, call);
  }

  /** Reports progress (0 to 100), a phase or a line of log of a task that this agent holds. */
  reportProgress(
    task: Task | string,
    report: { readonly progress?: number; readonly phase?: string; readonly log?: unknown },
  ): Promise<Task> {
    return this.call("task.progress", { task_id: idOf(task), ...report } as any);
  }

  /** Completes a task that this agent holds, with its result. */
  completeTask(task: Task | string, result?: unknown): Promise<Task> {
    return this.call("task.complete", { task_id: idOf(task), result } as any);
  }

  /** Ends an attempt with an error; the task is tried again while attempts are left. */
  failTask(task: Task | string, error: string, options: { readonly retry?: boolean } = {}): Promise<Task> {
    return this.call("task.fail", { task_id: idOf(task), error, ...options } as any);
  }

  /** Gives a task back; the attempt does not count. */
  releaseTask(task: Task | string): Promise<Task> {
    return this.call("task.release", { task_id: idOf(task) } as any);
  }

  /** Sets a key to a value. */
  setMemory(
    key: string,
    value: unknown,
    options: Partial<MemorySetInput> & CallOptions = {},
  ): Promise<Entry> {
    const [fields, call] = parted(options);
    return this.memory.set({ key, value, ...fields }, call);
  }

  /** The value of a key; `fallback` when it is not there. */
  async getMemory(key: string, fallback: unknown = null): Promise<any> {
    try {
      return (await this.memory.get({ key })).value;
    } catch (error) {
      if (error instanceof FolkmootError && error.code === "not_found") return fallback;
      throw error;
    }
  }

  /** Changes a value by a function, safely while others do the same. */
  updateMemory(key: string, change: (value: any) => unknown, options?: UpdateOptions): Promise<Entry> {
    return this.memory.update(key, change, options);
  }

  /** Says that a tool was used: moves this agent's counters, status and times. Taken at once. */
  async usedTool(
    tool_name: string,
    fields: Omit<PresenceUpdateInput, "agent_id" | "tool_name"> = {},
  ): Promise<void> {
    await this.#calls.presenceUpdate({ agent_id: this.agent_id, tool_name, ...fields });
  }

  /** Sets this agent's status: `active`, `idle`, `error` or `offline`. */
  setStatus(status: Presence["status"] | "working", detail?: string): Promise<Presence> {
    return this.call("agent.set_status", { status, detail } as any);
  }

  /** Publishes an event of your own; it is always of kind `event.published`. */
  publish(
    event_type: string,
    payload?: unknown,
    options: Partial<EventPublishInput> & CallOptions = {},
  ): Promise<PublishedEvent> {
    const [fields, call] = parted(options);
    return this.call("event.publish", { event_type, payload, ...fields } as any, call);
  }

  /** Starts a session, which this agent owns; who else takes part goes first, as ids or as `{ agent_id, role }`. */
  async startSession(
    participants: SessionStartInput["participants"] = [],
    options: Partial<SessionStartInput> & CallOptions = {},
  ): Promise<AgentSession> {
    const [fields, call] = parted(options);
    return this.session(await this.call("session.start", { participants, ...fields }, call));
  }

  /** A session as this agent sees it, by the session or by its id. */
  session(session: Session | string): AgentSession {
    return new AgentSession(this, typeof session === "string" ? session : session.session_id);
  }

  /** Listens as this agent: what it may not see is left out; filters as `hub.subscribe` does. */
  subscribe<K extends string = string>(
    options: SubscribeOptions<K> & { readonly positions: true },
  ): Subscription<Item<K>>;
  subscribe<K extends string = string>(options?: SubscribeOptions<K>): Subscription<Event<K> | Gap>;
  subscribe(options: SubscribeOptions = {}): Subscription<any> {
    return Subscription.ofEvents(this.hub, this.#native, options);
  }

  /** Takes the agent offline. What it holds lapses with its leases: release it before if need be. */
  async close(): Promise<void> {
    if (!this.hub.closed) await this.call("agent.leave", {} as any);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The input with who acts, and with the token of the claim. */
  #filled(name: OperationName, input: unknown): Fields {
    if (typeof input !== "object" || input === null)
      throw invalid("input", input, "must be a plain object of fields and values");
    const filled: Fields = { ...input };
    const actor = (ACTORS as Record<string, string>)[name];
    if (actor !== undefined) filled[actor] ??= this.agent_id;
    if (TOKENS.has(name)) filled.token ??= this.#tokens.get(filled.task_id as string);
    if (name === "task.complete_many" && Array.isArray(filled.tasks)) {
      filled.tasks = filled.tasks.map((task) => ({ token: this.#tokens.get(task?.task_id), ...task }));
    }
    return filled;
  }

  /** Keeps the tokens of what was claimed, forgets those of what has ended. */
  #note(name: OperationName, input: Fields, answer: any): void {
    if (name === "task.claim" && answer !== null) this.#tokens.set(answer.task_id, answer.token);
    else if (name === "task.claim_many")
      for (const task of answer.tasks) this.#tokens.set(task.task_id, task.token);
    else if (ENDING.has(name)) this.#tokens.delete(input.task_id as string);
    else if (name === "task.complete_many" || name === "task.cancel") {
      for (const task of answer.tasks) this.#tokens.delete(task.task_id);
    }
  }
}

function listed(recipients: Recipients | undefined): readonly string[] | undefined {
  return typeof recipients === "string" ? [recipients] : recipients;
}
