import { FolkmootError } from "./errors.js";
import { Memory as Generated } from "./generated/operations.js";
import type { Entry } from "./generated/types.js";

// How often `update` tries: past it, something else is wrong.
const TRIES = 1_000;

/** What may go with `memory.update`. */
export interface UpdateOptions {
  /** The value of a key that is not there; null when left out. */
  readonly default?: unknown;
  /** Who writes; access control is that agent's. */
  readonly agent_id?: string | undefined;
  /** Seconds after which the key ends by itself. */
  readonly ttl_seconds?: number | undefined;
  /** Ends the attempt. */
  readonly signal?: AbortSignal | undefined;
}

/** Operations on memory. */
export class Memory extends Generated {
  /**
   * Changes a value by a function, safely while others do the same: a compare-and-set that is tried again.
   *
   * ```js
   * await hub.memory.update("votes", (votes) => votes + 1, { default: 0 });
   * ```
   *
   * @param change given the value, answers the new one; called again when another change came between
   */
  async update(key: string, change: (value: any) => unknown, options: UpdateOptions = {}): Promise<Entry> {
    const { agent_id, ttl_seconds, signal } = options;
    for (let tries = 0; tries < TRIES; tries++) {
      signal?.throwIfAborted();
      const { value, version } = await this.#newest(key, options);
      const changed = await change(value);
      try {
        const input = { key, value: changed, expected_version: version, agent_id, ttl_seconds };
        return await this.set(input, { signal });
      } catch (error) {
        if (!isOvertaken(error)) throw error;
      }
    }
    throw new FolkmootError(`${JSON.stringify(key)} was changed by others ${TRIES} times in a row`, {
      code: "conflict",
      hint: "try again later",
    });
  }

  async #newest(key: string, options: UpdateOptions): Promise<{ value: unknown; version: number }> {
    try {
      return await this.get({ key, agent_id: options.agent_id }, { signal: options.signal });
    } catch (error) {
      if (!(error instanceof FolkmootError && error.code === "not_found")) throw error;
      return { value: options.default ?? null, version: 0 };
    }
  }
}

function isOvertaken(error: unknown): boolean {
  return (
    error instanceof FolkmootError && error.code === "conflict" && error.details.field === "expected_version"
  );
}
