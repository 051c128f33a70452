// Hooks and plug-ins: functions of the program that the hub calls. Threads of the engine never enter this one: a question
// to a hook is left at a desk, and the bridge says that it is there.

import { listen } from "./bridge.js";
import type { Caller } from "./caller.js";
import { DEPTH } from "./depth.js";
import { FolkmootError, invalid, native } from "./errors.js";
import type { Event } from "./event.js";
import { Operations } from "./generated/operations.js";
import type { Message } from "./generated/types.js";
import { textOf, valueText } from "./json.js";
import type { NativeAsked, NativeDesk, NativeHub } from "./native.js";
import { warn } from "./warn.js";

/**
 * Thrown by a `before` hook: the operation is refused, for this reason.
 *
 * ```js
 * hub.before("task.create", (request) => {
 *   if (request.input.title.includes("secret")) throw new Refusal("it tells a secret");
 * });
 * ```
 */
export class Refusal extends Error {
  override get name(): string {
    return "Refusal";
  }
}

/** What a `before` hook is asked about. */
export interface Request {
  /** The operation. */
  readonly operation: string;
  /** Its input. Return another one to change it; changing this one changes nothing. */
  readonly input: Record<string, any>;
  /** On whose behalf: `process`, `agent:<id>` or `operator:<id>`. */
  readonly principal: string;
  /** The agent on whose behalf, if it is one. */
  readonly agent_id: string | null;
}

/** What a summarizer is given. */
export interface Matter {
  /** The digest that is taken out of the messages. */
  readonly digest: Record<string, any>;
  /** The newest messages that fit. */
  readonly messages: Message[];
  /** How many older ones there are. */
  readonly left_out: number;
}

/** A figure of a collector. */
export interface Measure {
  readonly name: string;
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly source?: string;
  readonly time?: string | Date;
}

/** What goes along with each call of a hook. */
export interface HookCall {
  /** Aborted when the time of the hook is over: nobody waits for what it answers any more. */
  readonly signal: AbortSignal;
}

/** What may go with every hook. */
export interface HookOptions {
  /** Its name, one of a kind in the process; the function's own when left out. */
  readonly name?: string | undefined;
  /** Seconds that it may take, from 0.001 to 3600; 5 when left out, 30 for a summarizer. */
  readonly timeout?: number | undefined;
}

/** What may go with a `before` hook. */
export interface BeforeOptions extends HookOptions {
  /** What becomes of the call when the hook fails or is not done in time: `allow` when left out. */
  readonly on_error?: "allow" | "refuse" | undefined;
}

/** What may go with a collector. */
export interface CollectorOptions extends HookOptions {
  /** Seconds from one call to the next; 5 when left out. */
  readonly interval?: number | undefined;
}

/** A registered hook. */
export class Hook implements Disposable {
  /** Its name. */
  readonly name: string;
  readonly #remove: () => void;

  /** Made by `hub.before` and its like. */
  constructor(name: string, remove: () => void) {
    this.name = name;
    this.#remove = remove;
  }

  /** Takes the hook away: it is asked nothing more. */
  remove(): void {
    this.#remove();
  }

  [Symbol.dispose](): void {
    this.remove();
  }
}

type Point = "before" | "after" | "summarizer" | "collector";
type Handler = (subject: any, call: HookCall) => unknown;

interface Fields {
  readonly name?: unknown;
  readonly timeout?: unknown;
  readonly interval?: unknown;
  readonly on_error?: unknown;
}

/** The methods of a hub that register hooks, beside every operation. */
export class Hooking extends Operations {
  readonly #hub: NativeHub;
  #desk: Desk | undefined;

  constructor(caller: Caller, hub: NativeHub) {
    super(caller);
    this.#hub = hub;
  }

  /**
   * Has a function asked before operations: it may refuse them or change their input.
   *
   * It lets a call pass by returning nothing, changes its input by returning another object, and refuses it by throwing a
   * `Refusal`. Hooks are asked in the order of their registration, bind this process only, and go with this hub.
   *
   * @param operations `"task.create"`, `"task.*"` or `"*"`
   * @throws {FolkmootError} already_exists: the name is taken; invalid_input: no operation fits
   */
  before(
    operations: string,
    handler: (request: Request, call: HookCall) => unknown,
    options: BeforeOptions = {},
  ): Hook {
    return this.#register("before", operations, handler, options);
  }

  /**
   * Has a function told of events, off the write path: in order, one at a time, none missed.
   *
   * @param kinds `"task.completed"`, `"task.*"` or `"*"`
   */
  after<K extends string>(
    kinds: K,
    handler: (event: Event<K>, call: HookCall) => unknown,
    options: HookOptions = {},
  ): Hook {
    return this.#register("after", kinds, handler, options);
  }

  /** Has a function write the summaries of `threads.summarize`; when it fails, the digest is given, which says so. */
  summarizer(
    handler: (matter: Matter, call: HookCall) => string | Promise<string>,
    options: HookOptions = {},
  ): Hook {
    return this.#register("summarizer", "", handler, { timeout: 30, ...options });
  }

  /** Has a function give figures; subscribers of `metric.collected` in this process hear them. */
  collector(
    handler: (call: HookCall) => readonly Measure[] | Promise<readonly Measure[]>,
    options: CollectorOptions = {},
  ): Hook {
    const called: unknown = handler;
    const asked = typeof called === "function" ? (_: null, call: HookCall) => handler(call) : called;
    const given = typeof called === "function" ? called.name : "";
    return this.#register("collector", "", asked as Handler, { name: given, ...options });
  }

  /** Takes a hook away, by its name; throws `not_found` when there is none. */
  unhook(name: string): void {
    native(() => this.#hub.unhook(textOf("name", name)));
    this.#desk?.handlers.delete(name);
  }

  #register(point: Point, pattern: string, handler: Handler, options: Fields): Hook {
    if (typeof handler !== "function") throw invalid("handler", handler, "must be a function");
    if (typeof options !== "object" || options === null)
      throw invalid("options", options, "must be an object");
    const { name = handler.name, timeout = 5, interval = 5, on_error = "allow" } = options;
    const called = textOf("name", name);
    this.#desk ??= new Desk(this.#hub.desk());
    const desk = this.#desk;
    native(() =>
      this.#hub.hook(
        desk.native,
        called,
        point,
        textOf(point === "after" ? "kinds" : "operations", pattern),
        number("timeout", timeout),
        number("interval", interval),
        textOf("on_error", on_error),
      ),
    );
    desk.handlers.set(called, handler);
    return new Hook(called, () => this.unhook(called));
  }
}

function number(field: string, value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  throw invalid(field, value, "must be from 0.001 to 3600 seconds");
}

/** Takes the questions to the hooks of one hub, and answers them. */
class Desk {
  readonly native: NativeDesk;
  readonly handlers = new Map<string, Handler>();

  constructor(desk: NativeDesk) {
    this.native = desk;
    listen(desk.ticket, this);
  }

  /** Called by the bridge when a question waits. */
  ring(): void {
    for (const asked of this.native.take()) void this.#answer(asked);
  }

  async #answer(asked: NativeAsked): Promise<void> {
    const handler = this.handlers.get(asked.hook);
    if (handler === undefined) return asked.fail(`the hook ${asked.hook} is gone`);
    try {
      const call = { signal: AbortSignal.timeout(Math.ceil(asked.timeout * 1000)) };
      const subject = subjectOf(asked);
      const answer = await DEPTH.run(asked.depth, async () => handler(subject, call));
      const silent = answer === undefined || answer === null || asked.point === "after";
      asked.answer(silent ? undefined : valueText(answer, "answer"));
    } catch (error) {
      fail(asked, error);
    }
  }
}

/** What the function of a hook is given. */
function subjectOf(asked: NativeAsked): unknown {
  if (asked.point === "collector") return null;
  const matter = JSON.parse(asked.matter);
  if (asked.point !== "before") return matter;
  const { subject: operation, principal } = asked;
  const agent_id = principal.startsWith("agent:") ? principal.slice("agent:".length) : null;
  return { operation, input: matter, principal, agent_id } satisfies Request;
}

/** Answers for a function that threw. */
function fail(asked: NativeAsked, error: unknown): void {
  if (error instanceof Refusal && asked.point === "before") {
    asked.refuse((error.message || "no reason was given").toWellFormed());
    return;
  }
  warn(`the hook ${asked.hook} failed: ${error instanceof Error ? error.stack : String(error)}`);
  const details = error instanceof FolkmootError ? JSON.stringify(error.details) : undefined;
  asked.fail(String(error).toWellFormed(), details);
}
