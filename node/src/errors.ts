import { inspect } from "node:util";
import type { ErrorCode } from "./generated/types.js";

/** What goes with an error beside its sentence. */
export interface ErrorParts {
  readonly code: ErrorCode;
  readonly hint?: string | null;
  readonly retryable?: boolean;
  readonly details?: Readonly<Record<string, any>>;
}

/**
 * What folkmoot refuses or cannot do.
 *
 * ```js
 * try {
 *   await hub.memory.set({ key: "plans/q3", value: 2, expected_version: 7 });
 * } catch (error) {
 *   if (error.code === "conflict") console.log(error.details.current_version);
 * }
 * ```
 */
export class FolkmootError extends Error {
  /** What went wrong, as a word that programs may match on. */
  readonly code: ErrorCode;
  /** What to do next, where there is something to say. */
  readonly hint: string | null;
  /** Whether the same call may succeed later without being changed. */
  readonly retryable: boolean;
  /** Machine-readable parts: `field`, `value`, `limit`, `current_version` … */
  readonly details: Readonly<Record<string, any>>;

  constructor(message: string, parts: ErrorParts) {
    super(message);
    this.code = parts.code;
    this.hint = parts.hint ?? null;
    this.retryable = parts.retryable ?? false;
    this.details = parts.details ?? {};
  }

  override get name(): string {
    return "FolkmootError";
  }
}

/** The error that the native part tells of in JSON. */
export function fromText(text: string): FolkmootError {
  const { message, ...parts } = JSON.parse(text);
  return new FolkmootError(message, parts);
}

/** Runs a native function; what it throws becomes an error of ours. */
export function native<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const text = error instanceof Error ? error.message : "";
    throw text.startsWith("{") ? fromText(text) : error;
  }
}

/** `invalid_input`: names the field, what it must be and what was given. */
export function invalid(field: string, value: unknown, must: string, hint?: string): FolkmootError {
  const got = shown(value);
  return new FolkmootError(`${field}: ${must}; got ${got}`, {
    code: "invalid_input",
    hint: hint ?? null,
    details: { field, value: got },
  });
}

/** A value as an error shows it. */
function shown(value: unknown): string {
  const longest = 120;
  let text: string;
  try {
    text = inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY, maxStringLength: longest });
  } catch {
    text = "something that cannot be shown";
  }
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

/** What is asked of something that is closed. */
export function closed(what: string): FolkmootError {
  return new FolkmootError(`this ${what} is closed`, {
    code: "unavailable",
    hint: "open it again",
    retryable: true,
    details: { reason: "closed" },
  });
}
