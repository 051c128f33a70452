// The way back from the engine into this thread. Calls get a ticket; their answers come back under it.

import { fromText } from "./errors.js";
import { type NativeHub, native, type What } from "./native.js";

type Settle = (what: What, thing: any) => void;

/** Keeps the process alive while somebody waits for an answer. */
class Alive {
  #waiting = 0;
  readonly #timer = setInterval(() => {}, 2 ** 31 - 1).unref();

  begin(): void {
    if (this.#waiting++ === 0) this.#timer.ref();
  }

  end(): void {
    if (--this.#waiting === 0) this.#timer.unref();
  }
}

/** What a subscription hears: that it may have something. */
export interface Listener {
  ring(): void;
}

const alive = new Alive();
const calls = new Map<number, Settle>();
// A subscription that nobody holds and nobody waits in may go.
const listeners = new Map<number, WeakRef<Listener>>();
const waiting = new Set<Listener>();
const gone = new FinalizationRegistry<number>((ticket) => listeners.delete(ticket));
const bridge = new native.Bridge(empty);

// What is open is closed before the program ends, so that its agents leave at once.
process.on("exit", () => bridge.end());

/** Opens a hub. */
export function open(
  path: string,
  config: string,
  toml: string | undefined,
  environment: boolean,
): Promise<NativeHub> {
  return answer(bridge.open(path, config, toml, environment), (thing) => thing);
}

/** The answer that comes under this ticket, read from its JSON. */
export async function answer<T>(ticket: number, read: (thing: any) => T = JSON.parse): Promise<T> {
  alive.begin();
  try {
    const [what, thing] = await new Promise<[What, any]>((resolve) => {
      calls.set(ticket, (what, thing) => resolve([what, thing]));
    });
    // Made here rather than where it arrived, so that its stack names who called.
    if (what === 2) throw fromText(thing);
    return read(thing);
  } finally {
    alive.end();
  }
}

/**
 * Like `answer`, given up when the signal says so; the engine ends its wait then.
 *
 * `late` is called with an answer that came all the same.
 */
export async function abortable(
  ticket: number,
  signal: AbortSignal,
  late: (answer: any) => void,
): Promise<any> {
  let give: () => void = () => {};
  const aborted = new Promise<never>((_, reject) => {
    give = () => reject(signal.reason);
    signal.addEventListener("abort", give, { once: true });
  });
  const answered = answer(ticket);
  try {
    return await Promise.race([answered, aborted]);
  } catch (error) {
    if (signal.aborted && error === signal.reason) {
      bridge.cancel(ticket);
      answered.then(late, () => {});
    }
    throw error;
  } finally {
    signal.removeEventListener("abort", give);
  }
}

/** Has a subscription told when there may be something for it. */
export function listen(ticket: number, listener: Listener): void {
  listeners.set(ticket, new WeakRef(listener));
  gone.register(listener, ticket, listener);
}

/** The subscription is closed. */
export function forget(ticket: number, listener: Listener): void {
  listeners.delete(ticket);
  gone.unregister(listener);
}

/** Keeps a subscription while somebody waits in it; and the process, if `ref`. Answers how to end that. */
export function wait(listener: Listener, ref: boolean): () => void {
  waiting.add(listener);
  if (ref) alive.begin();
  return () => {
    waiting.delete(listener);
    if (ref) alive.end();
  };
}

/** Has every subscription look again: a hub was closed. */
export function ringAll(): void {
  for (const listener of [...waiting]) listener.ring();
}

function empty(): void {
  const parts = bridge.take();
  for (let at = 0; at < parts.length; at += 3) {
    const [ticket, what, thing] = [parts[at], parts[at + 1], parts[at + 2]];
    if (what === 0) {
      listeners.get(ticket)?.deref()?.ring();
      continue;
    }
    const settle = calls.get(ticket);
    calls.delete(ticket);
    settle?.(what, thing);
  }
}
