// The hub as a program holds it: open, call, subscribe, close.

import { readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { fileURLToPath } from "node:url";
import { Activities } from "./activities.js";
import { Agent } from "./agent.js";
import { answer, open, ringAll } from "./bridge.js";
import type { Caller } from "./caller.js";
import { Calls } from "./calls.js";
import { FolkmootError, invalid, native } from "./errors.js";
import type { Event, Gap, Item } from "./event.js";
import type { HubConfig } from "./generated/config.js";
import type { ActivityReplayInput, AgentRegisterInput } from "./generated/types.js";
import { Hooking } from "./hooks.js";
import { inputText } from "./json.js";
import { Memory } from "./memory.js";
import type { NativeHub } from "./native.js";
import type { Answer, Arguments, Input, OperationName } from "./operation.js";
import { Replay } from "./replay.js";
import { type SubscribeOptions, Subscription } from "./subscription.js";
import { Tasks } from "./tasks.js";
import { warn } from "./warn.js";

/** How to open a hub: keys of the configuration, and where else to look for them. */
export interface OpenOptions extends HubConfig {
  /** A TOML file with keys of the configuration. */
  readonly config_file?: string | undefined;
  /** Take `FOLKMOOT_…` variables; they win over the file, and the keys given here over both. */
  readonly environment?: boolean | undefined;
}

/** What may go with `hub.on`. */
export interface OnOptions<K extends string>
  extends Omit<SubscribeOptions<K>, "kinds" | "timeout_seconds" | "positions"> {
  /** Called when the handler throws; by default it becomes a warning of the process. */
  readonly onError?: (error: unknown, event: Event<K>) => void;
  /** Called for events that retention took before they were read; by default it becomes a warning of the process. */
  readonly onGap?: (gap: Gap) => void;
}

/**
 * One process's handle on a hub.
 *
 * It does not keep the process alive; a call that somebody waits for does.
 *
 * ```js
 * const hub = await Hub.open("team.db");
 * await hub.memory.set({ key: "plans/q3", value: { goal: "ship" } });
 * await hub.close();
 * ```
 */
export class Hub extends Hooking implements AsyncDisposable {
  declare readonly activities: Activities;
  declare readonly memory: Memory;
  declare readonly tasks: Tasks;
  /** The path of the file, or `":memory:"`. */
  readonly path: string;
  readonly #native: NativeHub;

  private constructor(native_: NativeHub, path: string) {
    const calls = new Calls(native_);
    super(calls, native_);
    this.#native = native_;
    this.activities = new Activities(calls, this, native_);
    this.memory = new Memory(calls);
    this.tasks = new Tasks(calls, this, native_);
    this.path = path;
  }

  /**
   * Opens the hub in a file, creating it when it is not there. Any number of processes and worker threads may open it.
   *
   * @param path the file, or `":memory:"` for a hub that lives with this handle
   * @param options keys of the configuration, such as `durability: "normal"`
   * @throws {FolkmootError} storage: the file cannot be used; invalid_input: a key of the configuration is not known or
   *   makes no sense; conflict: the file is open in this process with another configuration
   */
  static async open(path: string | URL, options: OpenOptions = {}): Promise<Hub> {
    const file = path instanceof URL ? fileURLToPath(path) : path;
    if (typeof file !== "string" || file === "" || file.includes("\0") || !file.isWellFormed()) {
      throw invalid("path", path, 'must be the path of a file, or ":memory:"');
    }
    const text = inputText(options, "config");
    const { config_file, environment = false, ...config } = options;
    if (typeof environment !== "boolean") throw invalid("environment", environment, "must be true or false");
    const toml = config_file === undefined ? undefined : await readToml(config_file);
    const given =
      config_file === undefined && !("environment" in options) ? text : inputText(config, "config");
    return new Hub(await open(file, given, toml, environment), file);
  }

  /**
   * Runs an operation by its name.
   *
   * ```js
   * await hub.call("memory.get", { key: "plans/q3" });
   * ```
   */
  call<N extends OperationName>(name: N, ...[input, options]: Arguments<Input<N>>): Promise<Answer<N>> {
    return this.caller.call(name, input, options);
  }

  /**
   * Registers an agent and gives a handle that acts as it.
   *
   * This process beats for the agent and keeps its leases until the handle or the hub is closed.
   *
   * @param name its display name; also its id unless `agent_id` is given
   */
  async agent(name: string, profile: Omit<AgentRegisterInput, "name"> = {}): Promise<Agent> {
    const location = { host: hostname() || null, pid: process.pid };
    const input = { location, ...profile, agent_id: profile?.agent_id ?? name, name };
    const view = await this.agents.register(input as AgentRegisterInput);
    await answer(this.#native.holdAgent(view.agent.agent_id));
    return new Agent(this, this.#native.acting(view.agent.agent_id), view);
  }

  /**
   * Listens from now on, or from the past; what the options leave out matches everything.
   *
   * @throws {FolkmootError} invalid_input: a pattern can match nothing, or an option is not known
   */
  subscribe<K extends string = string>(
    options: SubscribeOptions<K> & { readonly positions: true },
  ): Subscription<Item<K>>;
  subscribe<K extends string = string>(options?: SubscribeOptions<K>): Subscription<Event<K> | Gap>;
  subscribe(options: SubscribeOptions = {}): Subscription<any> {
    return Subscription.ofEvents(this, this.#native, options);
  }

  /**
   * Calls a function with each event, one after the other, until what it returns is called.
   *
   * It does not keep the process alive. A handler that throws or rejects is reported and ends nothing.
   *
   * ```js
   * const off = hub.on("task.completed", (event) => console.log(event.data.title));
   * ```
   *
   * @returns how to stop listening
   */
  on<K extends string>(
    kinds: K | readonly K[],
    handler: (event: Event<K>) => unknown,
    options: OnOptions<K> = {},
  ): () => void {
    if (typeof handler !== "function") throw invalid("handler", handler, "must be a function");
    const { onError, onGap, ...filter } = options;
    const subscription = this.subscribe<K>({ ...filter, kinds }).unref();
    void handle(subscription, handler, options);
    return () => subscription.close();
  }

  /**
   * Plays back a span or a session as it happened, each event when its turn has come.
   *
   * ```js
   * for await (const event of hub.replay({ session_id: "s1", speed: 10 })) console.log(event.time, event.kind);
   * ```
   *
   * @throws {FolkmootError} invalid_input: the speed is neither `"max"` nor a number from 0.001 to 1,000,000
   */
  replay(options: Omit<ActivityReplayInput, "cursor" | "limit"> & { signal?: AbortSignal } = {}): Replay {
    const { signal, ...input } = options;
    return new Replay(
      this,
      native(() => this.#native.replay(inputText(input))),
      signal,
    );
  }

  /** @internal Calls on behalf of an agent, without a handle that beats for it. */
  acting(agentId: string): Caller {
    return new Calls(this.#native.acting(agentId));
  }

  /** Writes what was acknowledged from memory: presence updates. */
  async flush(): Promise<void> {
    await answer(this.#native.flush());
  }

  /** Copies the hub into a new file while it is in use. */
  async backup(to: string): Promise<void> {
    if (typeof to !== "string" || to.includes("\0"))
      throw invalid("to", to, "must be the path of a new file");
    await answer(this.#native.backup(to));
  }

  /** Checks the whole file: SQLite's own check, the chain of the log, the tables against its fold. */
  check(): Promise<Record<string, any>> {
    return answer(this.#native.check());
  }

  /** Closes this handle; calls that wait in it end. The last one of the process takes its agents offline. */
  async close(): Promise<void> {
    const closing = answer(this.#native.close());
    await closing;
    ringAll();
  }

  /** Whether this handle is closed. */
  get closed(): boolean {
    return this.#native.closed;
  }

  /** The whole configuration. */
  get config(): Required<HubConfig> {
    return JSON.parse(native(() => this.#native.config));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

async function readToml(file: unknown): Promise<string> {
  try {
    return await readFile(file as string, "utf8");
  } catch (error) {
    throw new FolkmootError(`config_file: could not be read: ${(error as Error).message}`, {
      code: "invalid_input",
      details: { field: "config_file" },
    });
  }
}

async function handle<K extends string>(
  subscription: Subscription<Event<K> | Gap>,
  handler: (event: Event<K>) => unknown,
  { onError, onGap }: OnOptions<K>,
): Promise<void> {
  try {
    for await (const item of subscription) {
      if (isGap(item)) {
        if (onGap) onGap(item);
        else warn(`events ${item.from} to ${item.to} were gone before a handler heard of them`);
        continue;
      }
      try {
        await handler(item);
      } catch (error) {
        if (onError) onError(error, item);
        else
          warn(`the handler of ${item.kind} failed: ${error instanceof Error ? error.stack : String(error)}`);
      }
    }
  } catch (error) {
    if (!subscription.closed) warn(`a handler hears nothing any more: ${String(error)}`);
  }
}

function isGap(item: { kind: string }): item is Gap {
  return item.kind === "gap";
}
