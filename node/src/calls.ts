// Calls on behalf of someone: the process, or one agent.

import { abortable, answer } from "./bridge.js";
import type { Caller, CallOptions } from "./caller.js";
import { depth } from "./depth.js";
import { invalid, native } from "./errors.js";
import type { Entry, MemoryGetInput, PresenceUpdateInput, Updated } from "./generated/types.js";
import { inputText } from "./json.js";
import type { NativeHub } from "./native.js";
import { checkSignal } from "./subscription.js";

const ACCEPTED: Updated = Object.freeze({ accepted: true });
const OF_PRESENCE = new Set([
  "agent_id",
  "tool_name",
  "tokens",
  "event",
  "feature_id",
  "task_id",
  "session_id",
  "status",
]);

export class Calls implements Caller {
  readonly #native: NativeHub;

  constructor(native_: NativeHub) {
    this.#native = native_;
  }

  async call(name: string, input: unknown = {}, options?: CallOptions): Promise<any> {
    if (typeof name !== "string" || !name.isWellFormed()) {
      throw invalid("operation", name, 'must be the name of an operation, such as "task.claim"');
    }
    const text = inputText(input);
    const signal = options?.signal;
    if (signal === undefined) return answer(this.#native.submit(name, text, depth()));
    checkSignal(signal);
    signal.throwIfAborted();
    return abortable(this.#native.submit(name, text, depth()), signal, (late) => this.#giveBack(name, late));
  }

  /** Taken at once, on this thread: nothing in it waits. */
  async presenceUpdate(input: PresenceUpdateInput, options?: CallOptions): Promise<Updated> {
    if (options?.signal !== undefined || !isSimple(input))
      return this.call("presence.update", input, options);
    const given = input as Record<string, any>;
    const taken = native(() =>
      this.#native.presenceUpdate(
        given.agent_id,
        given.tool_name,
        given.tokens,
        given.event,
        given.feature_id,
        given.task_id,
        given.session_id,
        given.status,
      ),
    );
    return taken ? ACCEPTED : this.call("presence.update", input);
  }

  /** A value that was read since the last change of anyone is read on this thread: nothing in it waits. */
  async memoryGet(input: MemoryGetInput, options?: CallOptions): Promise<Entry> {
    if (options?.signal === undefined && isLoneKey(input)) {
      const found = native(() => this.#native.memoryCached(input.key));
      if (found !== null) return JSON.parse(found);
    }
    return this.call("memory.get", input, options);
  }

  /** Gives back what a call claimed although nobody waits for it any more. */
  #giveBack(name: string, late: any): void {
    const claimed =
      name === "task.claim" && late !== null ? [late] : name === "task.claim_many" ? late.tasks : [];
    for (const { task_id, agent_id, token } of claimed) {
      this.call("task.release", { task_id, agent_id, token }).catch(() => {});
    }
  }
}

/** Whether the native function can take the fields as they are; the engine says what is wrong with others. */
function isSimple(input: unknown): boolean {
  if (typeof input !== "object" || input === null) return false;
  for (const name in input) {
    const value = (input as Record<string, unknown>)[name];
    if (value === undefined) continue;
    if (!OF_PRESENCE.has(name)) return false;
    if (name === "tokens" ? typeof value !== "number" : typeof value !== "string" || !value.isWellFormed())
      return false;
  }
  return typeof (input as { agent_id?: unknown }).agent_id === "string";
}

function isLoneKey(input: unknown): input is { key: string } {
  if (typeof input !== "object" || input === null) return false;
  for (const name in input) {
    if (name !== "key" && (input as Record<string, unknown>)[name] !== undefined) return false;
  }
  const { key } = input as { key?: unknown };
  return typeof key === "string" && key.isWellFormed();
}
