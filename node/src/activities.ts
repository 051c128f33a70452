import type { Caller } from "./caller.js";
import type { Gap } from "./event.js";
import { Activities as Generated } from "./generated/operations.js";
import type { Activity, ActivityFeedInput } from "./generated/types.js";
import type { Hub } from "./hub.js";
import { inputText } from "./json.js";
import type { NativeHub } from "./native.js";
import { OWN, type Reading, Subscription } from "./subscription.js";

/** Which activities to follow, from where, and for how long. */
export interface FollowOptions
  extends Omit<ActivityFeedInput, "cursor" | "limit" | "max_tokens">,
    Omit<Reading, "positions"> {}

/** Operations on activities. */
export class Activities extends Generated {
  readonly #hub: Hub;
  readonly #native: NativeHub;

  /** @internal */
  constructor(caller: Caller, hub: Hub, native: NativeHub) {
    super(caller);
    this.#hub = hub;
    this.#native = native;
  }

  /**
   * Follows the feed live: first what was, when there is an `after`, then what comes.
   *
   * ```js
   * for await (const activity of hub.activities.follow({ agent_id: "ana" })) console.log(activity);
   * ```
   */
  follow(options: FollowOptions = {}): Subscription<Activity | Gap> {
    return new Subscription(
      this.#hub,
      options,
      (after) => {
        const given = Object.entries(options).filter(([name]) => !OWN.has(name));
        return this.#native.followFeed(inputText(Object.fromEntries(given), "filter"), after);
      },
      true,
    );
  }
}
