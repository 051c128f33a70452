// A subscription as an async iterator: events in order, without gaps, or a Gap that says what is missing.

import { forget, listen, wait } from "./bridge.js";
import { closed, invalid, native } from "./errors.js";
import type { Gap, Item, Position } from "./event.js";
import type { Hub } from "./hub.js";
import { inputText } from "./json.js";
import type { NativeHub, NativeSubscription } from "./native.js";

/** What to listen for; what is left out matches everything. */
export interface Filter<K extends string = string> {
  /** Kinds by glob: `"task.claimed"`, `"task.*"`; one or several. */
  readonly kinds?: K | readonly K[] | undefined;
  /** Agents, as source or as target. */
  readonly agents?: string | readonly string[] | undefined;
  /** A session. */
  readonly session_id?: string | undefined;
  /** The same, in short. */
  readonly session?: string | undefined;
  /** A task. */
  readonly task_id?: string | undefined;
  /** The same, in short. */
  readonly task?: string | undefined;
  /** A task that is part of no other, with all of its parts and messages about them. */
  readonly execution_id?: string | undefined;
  /** The start of memory keys. */
  readonly key_prefix?: string | undefined;
  /** The same, as JavaScript would spell it. */
  readonly keyPrefix?: string | undefined;
  /** Types of published events. */
  readonly event_types?: string | readonly string[] | undefined;
  /** What ties a question to its answer. */
  readonly correlation_id?: string | undefined;
}

/** From where to listen, and for how long. */
export interface Reading {
  /** Start after this `seq`, 0 for the beginning; from now when left out. */
  readonly after?: number | undefined;
  /** Seconds of silence after which iterating ends; never when left out. */
  readonly timeout_seconds?: number | undefined;
  /** Ends it: whoever waits in it is rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** Also give a `Position` now and then while nothing matches. */
  readonly positions?: boolean | undefined;
}

/** What to listen for, from where, and for how long. */
export interface SubscribeOptions<K extends string = string> extends Filter<K>, Reading {}

const LISTS = new Set(["kinds", "agents", "event_types"]);
const SHORT: Record<string, string> = { session: "session_id", task: "task_id", keyPrefix: "key_prefix" };
/** What is not part of a filter. */
export const OWN = new Set(["after", "timeout_seconds", "signal", "positions"]);
// How many items are taken from the engine at once: the time until others get their turn.
const MOST = 64;
const POSITION_EVERY = 5_000;

/** The filter as the engine takes it. */
function filterText(options: SubscribeOptions): string {
  const filter: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || OWN.has(name)) continue;
    filter[SHORT[name] ?? name] = LISTS.has(name) && !Array.isArray(value) ? [value] : value;
  }
  return inputText(filter, "filter");
}

/** Refuses seconds that are none. */
function seconds(field: string, value: number | undefined): number | undefined {
  if (value === undefined || (typeof value === "number" && value >= 0)) return value;
  throw invalid(field, value, "must be seconds from 0");
}

/** Refuses what is no signal. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalid("signal", signal, "must be an AbortSignal");
  }
}

/**
 * A cursor on the log, with a filter.
 *
 * Iterate over it, or `read` the next item. Events come at least once and in order; a `Gap` says which were taken by
 * retention before they were read. After a restart, subscribe again with `after` its `position`.
 *
 * ```js
 * for await (const event of hub.subscribe({ kinds: "task.*", timeout_seconds: 5 })) {
 *   console.log(event.seq, event.kind, event.data.title); // ends after 5 seconds without any
 * }
 * ```
 */
export class Subscription<T = Item> implements AsyncIterableIterator<T, undefined>, AsyncDisposable {
  /** Its hub. */
  readonly hub: Hub;
  readonly #native: NativeSubscription;
  readonly #timeout: number | undefined;
  readonly #positions: boolean;
  readonly #signal: AbortSignal | undefined;
  readonly #bells = new Set<() => void>();
  #items: Array<string | [number, number] | number> = [];
  readonly #oneByOne: boolean;
  #position: number;
  #ref = true;

  /** @internal Listens to events. */
  static ofEvents(hub: Hub, hubs: NativeHub, options: SubscribeOptions): Subscription<any> {
    return new Subscription(hub, options, (after) => hubs.subscribe(filterText(options), after));
  }

  /** Made by `hub.subscribe` and its like. */
  constructor(
    hub: Hub,
    options: Reading,
    open: (after: number | undefined) => NativeSubscription,
    oneByOne = false,
  ) {
    if (typeof options !== "object" || options === null) {
      throw invalid("options", options, 'must be an object, such as { kinds: "task.*" }');
    }
    const { after, positions, signal } = options;
    if (after !== undefined && typeof after !== "number") {
      throw invalid("after", after, "must be a seq, a whole number from 0");
    }
    checkSignal(signal);
    this.hub = hub;
    this.#oneByOne = oneByOne;
    this.#timeout = seconds("timeout_seconds", options.timeout_seconds);
    this.#positions = positions === true;
    this.#signal = signal;
    this.#native = native(() => open(after));
    this.#position = after ?? 0;
    listen(this.#native.ticket, this);
  }

  /**
   * Waits for the next item.
   *
   * @returns an event, a gap, a position if they were asked for, or null when the time is up or nothing more can come
   * @throws {FolkmootError} unavailable: the subscription or its hub is closed
   */
  async read(options: { timeout_seconds?: number; signal?: AbortSignal } = {}): Promise<T | null> {
    const timeout = seconds("timeout_seconds", options.timeout_seconds);
    checkSignal(options.signal);
    const until = timeout === undefined ? undefined : performance.now() + timeout * 1000;
    const signals = [this.#signal, options.signal].filter((signal) => signal !== undefined);
    for (;;) {
      for (const signal of signals) signal.throwIfAborted();
      const item = this.#next();
      if (item !== undefined) return item;
      if (this.#native.ended) return null;
      const left = until === undefined ? undefined : until - performance.now();
      if (left !== undefined && left <= 0) return null;
      await this.#bell(left, signals);
    }
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    let item: T | null;
    try {
      item = await this.read(this.#timeout === undefined ? {} : { timeout_seconds: this.#timeout });
    } catch (error) {
      if (this.closed && !this.#signal?.aborted) return { done: true, value: undefined };
      if (this.#signal?.aborted) this.close();
      throw error;
    }
    return item === null ? { done: true, value: undefined } : { done: false, value: item };
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The last `seq` that was given: subscribe again with `after` this. */
  get position(): number {
    return this.#position;
  }

  /** Whether it, or its hub, is closed. */
  get closed(): boolean {
    return this.#native.closed;
  }

  /** Whether a task that is followed has ended and its end was given. */
  get ended(): boolean {
    return this.#items.length === 0 && this.#native.ended;
  }

  /** Waiting in it no longer keeps the process alive. */
  unref(): this {
    this.#ref = false;
    return this;
  }

  /** Ends it; whoever waits in it is woken. */
  close(): void {
    this.#native.close();
    forget(this.#native.ticket, this);
    this.ring();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  /** Called by the bridge when there may be something. */
  ring(): void {
    for (const bell of [...this.#bells]) bell();
  }

  /** The next item that is there now. */
  #next(): T | undefined {
    for (;;) {
      if (this.#items.length === 0) {
        if (this.closed) throw closed("subscription");
        this.#items = native(() => this.#native.take(this.#oneByOne ? 1 : MOST)).reverse();
      }
      const given = this.#items.pop();
      if (given === undefined) return undefined;
      const item = this.#item(given);
      if ((item as { kind?: unknown }).kind !== "position" || this.#positions) return item as T;
    }
  }

  #item(given: string | [number, number] | number): unknown {
    if (typeof given === "string") {
      const thing = JSON.parse(given);
      // An activity that is completed has the place of its beginning.
      if (this.#oneByOne) this.#position = this.#native.position;
      else if (thing.seq > 0) this.#position = thing.seq;
      return thing;
    }
    if (typeof given === "number") {
      this.#position = given;
      return { kind: "position", seq: given } satisfies Position;
    }
    const [from, to] = given;
    this.#position = to;
    return { kind: "gap", from, to } satisfies Gap;
  }

  /** Waits until there may be something, the time is up, or a signal says so. */
  #bell(milliseconds: number | undefined, signals: AbortSignal[]): Promise<void> {
    const most = this.#positions ? Math.min(milliseconds ?? POSITION_EVERY, POSITION_EVERY) : milliseconds;
    return new Promise((resolve) => {
      const done = wait(this, this.#ref);
      const bell = () => {
        this.#bells.delete(bell);
        clearTimeout(timer);
        for (const signal of signals) signal.removeEventListener("abort", bell);
        done();
        resolve();
      };
      const timer = most === undefined ? undefined : setTimeout(bell, Math.min(most, 2 ** 31 - 1));
      if (!this.#ref) timer?.unref();
      for (const signal of signals) signal.addEventListener("abort", bell);
      this.#bells.add(bell);
    });
  }
}
