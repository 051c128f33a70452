import type { Caller } from "./caller.js";
import type { ExecutionUpdate } from "./execution.js";
import { Tasks as Generated } from "./generated/operations.js";
import type { Hub } from "./hub.js";
import { textOf } from "./json.js";
import type { NativeHub } from "./native.js";
import { type Reading, Subscription } from "./subscription.js";

/** Operations on tasks. */
export class Tasks extends Generated {
  readonly #hub: Hub;
  readonly #native: NativeHub;

  /** @internal */
  constructor(caller: Caller, hub: Hub, native: NativeHub) {
    super(caller);
    this.#hub = hub;
    this.#native = native;
  }

  /**
   * Follows a task with its parts and what is said about them, from its beginning to its end.
   *
   * ```js
   * for await (const update of hub.tasks.follow(task.task_id)) console.log(update.type, update.seq);
   * ```
   *
   * @throws {FolkmootError} not_found: there is no such task
   */
  follow(task_id: string, options: Omit<Reading, "positions"> = {}): Subscription<ExecutionUpdate> {
    const id = textOf("task_id", task_id);
    return new Subscription(this.#hub, options, (after) => this.#native.followTask(id, after), true);
  }
}
