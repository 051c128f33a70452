// The native part: found, loaded, and described. Programs use Hub instead.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { FolkmootError } from "./errors.js";

/** What has come under a ticket: a bell, an answer, an error, or a hub that was opened. */
export type What = 0 | 1 | 2 | 3;

/** One for each thread: hands calls to the engine and has their answers come back. */
export interface NativeBridge {
  open(path: string, config: string, toml: string | undefined, environment: boolean): number;
  cancel(ticket: number): void;
  /** Three parts for each thing that has come: its ticket, what it is, the thing. */
  take(): Array<any>;
  end(): void;
}

export interface NativeHub {
  acting(agentId: string): NativeHub;
  submit(name: string, input: string, depth: number): number;
  /** False when hooks are to be asked before: then nothing was done. */
  presenceUpdate(
    agentId: string,
    toolName?: string,
    tokens?: number,
    event?: string,
    featureId?: string,
    taskId?: string,
    sessionId?: string,
    status?: string,
  ): boolean;
  memoryCached(key: string): string | null;
  subscribe(filter: string, after: number | undefined): NativeSubscription;
  followFeed(filter: string, after: number | undefined): NativeSubscription;
  followTask(taskId: string, after: number | undefined): NativeSubscription;
  replay(input: string): NativePlayback;
  desk(): NativeDesk;
  hook(
    desk: NativeDesk,
    name: string,
    point: string,
    pattern: string,
    timeout: number,
    interval: number,
    onError: string,
  ): void;
  unhook(name: string): void;
  holdAgent(agentId: string): number;
  flush(): number;
  backup(to: string): number;
  check(): number;
  close(): number;
  readonly closed: boolean;
  readonly config: string;
}

export interface NativeSubscription {
  readonly ticket: number;
  readonly closed: boolean;
  readonly position: number;
  /** Whether the end of a task that is followed was taken. */
  readonly ended: boolean;
  /** An event is JSON text, a gap its two ends, a position a number. */
  take(most: number): Array<string | [number, number] | number>;
  close(): void;
}

export interface NativePlayback {
  readonly closed: boolean;
  /** Under the ticket comes what may be played now, and the seconds until the next. */
  ready(most: number): number;
  close(): void;
}

/** Where questions to hooks wait. */
export interface NativeDesk {
  readonly ticket: number;
  take(): NativeAsked[];
  close(): void;
}

/** A question to a hook. */
export interface NativeAsked {
  readonly hook: string;
  readonly point: "before" | "after" | "summarizer" | "collector";
  readonly subject: string;
  readonly principal: string;
  readonly depth: number;
  readonly timeout: number;
  /** The input, the event or the messages, as JSON. */
  readonly matter: string;
  answer(value?: string): void;
  refuse(reason: string): void;
  fail(message: string, details?: string): void;
}

interface Native {
  Bridge: new (bell: () => void) => NativeBridge;
  version(): string;
  configKeys(): string;
  cliMain(arguments_: string[], relaunch: string[]): number;
}

/** The names under which the native part of this platform may lie. */
function names(): string[] {
  const { platform, arch } = process;
  if (platform === "linux") return [`linux-${arch}-gnu`, `linux-${arch}-musl`];
  return platform === "win32" ? [`win32-${arch}-msvc`] : [`${platform}-${arch}`];
}

/** Beside this package, or in an optional package of its own for each platform. */
function load(): Native {
  const version = JSON.parse(readFileSync(join(__dirname, "..", "package.json"), "utf8")).version;
  const tried: string[] = [];
  for (const name of names()) {
    for (const place of [`../native/folkmoot.${name}.node`, `folkmoot-${name}`]) {
      try {
        const native: Native = require(place);
        if (native.version() === version) return native;
        tried.push(`${place} is of version ${native.version()}, not ${version}`);
      } catch (error) {
        tried.push(`${place}: ${String((error as Error).message).split("\n")[0]}`);
      }
    }
  }
  throw new FolkmootError(`folkmoot has no native part for this platform. Tried: ${tried.join("; ")}`, {
    code: "unavailable",
    hint: "install folkmoot on the platform it runs on, with optional packages, or build it there",
  });
}

export const native: Native = load();
