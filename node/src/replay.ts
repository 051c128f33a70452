// A replay as an async iterator: the log of a span or a session, each event when its turn has come.

import { answer } from "./bridge.js";
import { closed, FolkmootError } from "./errors.js";
import type { Event, Gap } from "./event.js";
import type { Hub } from "./hub.js";
import type { NativePlayback } from "./native.js";
import { checkSignal } from "./subscription.js";

// How many events are read from the log at once.
const MOST = 64;
// How long it sleeps before it looks whether its hub is open still.
const SLICE = 500;

/**
 * Plays back what happened; made by `hub.replay`. Iterate over it; a wait is ended by `close`, by the signal, or by closing
 * the hub.
 */
export class Replay implements AsyncIterableIterator<Event | Gap, undefined>, AsyncDisposable {
  /** Its hub. */
  readonly hub: Hub;
  readonly #native: NativePlayback;
  readonly #signal: AbortSignal | undefined;
  readonly #ended = new AbortController();
  #items: Array<Event | Gap> = [];
  #left: number | null = 0;

  /** Made by `hub.replay`. */
  constructor(hub: Hub, playback: NativePlayback, signal: AbortSignal | undefined) {
    checkSignal(signal);
    this.hub = hub;
    this.#native = playback;
    this.#signal = signal;
  }

  async next(): Promise<IteratorResult<Event | Gap, undefined>> {
    for (;;) {
      this.#signal?.throwIfAborted();
      const value = this.#items.shift();
      if (value !== undefined) return { done: false, value };
      if (this.#left === null || this.#ended.signal.aborted) return { done: true, value: undefined };
      if (this.#native.closed) throw closed("replay");
      if (this.#left > 0) await this.#rest(this.#left * 1000);
      if (!this.closed) await this.#read();
    }
  }

  async #read(): Promise<void> {
    try {
      [this.#items, this.#left] = await answer(this.#native.ready(MOST));
    } catch (error) {
      if (!(this.#ended.signal.aborted && error instanceof FolkmootError)) throw error;
    }
  }

  /** Until the time is up, it is closed, or it is time to look whether the hub is open. */
  #rest(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const signals = [this.#ended.signal, ...(this.#signal ? [this.#signal] : [])];
      const done = () => {
        clearTimeout(timer);
        for (const signal of signals) signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(milliseconds, SLICE));
      for (const signal of signals) signal.addEventListener("abort", done);
    });
  }

  async return(): Promise<IteratorResult<Event | Gap, undefined>> {
    this.close();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Whether it, or its hub, is closed. */
  get closed(): boolean {
    return this.#ended.signal.aborted || this.#native.closed;
  }

  /** Ends it; whoever waits in it is woken. */
  close(): void {
    this.#native.close();
    this.#ended.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
