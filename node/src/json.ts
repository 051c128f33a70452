// Values to JSON text. JSON.stringify leaves out or changes what JSON cannot hold; here that is an error which names the
// field. It is found in two steps: a quick look that only says whether all is well, and, when it is not, a slow one.

import { FolkmootError, invalid } from "./errors.js";

// Deeper than any limit of the engine, and far from the end of the stack.
const DEEPEST = 120;

/** The input of an operation as JSON text. A field that is undefined counts as left out. */
export function inputText(input: unknown, what = "input"): string {
  let good: boolean;
  try {
    good = isPlain(input) && fieldsAreFine(input);
    if (good) return JSON.stringify(input);
  } catch {
    // A getter, a proxy or a toJSON threw; the slow look says where.
  }
  throw wrong(input, what);
}

/** A text, which must be one. */
export function textOf(field: string, value: unknown): string {
  if (typeof value === "string" && value.isWellFormed()) return value;
  throw invalid(field, value, "must be text in Unicode");
}

/** Any value as JSON text. */
export function valueText(value: unknown, what: string): string {
  try {
    if (isFine(value, 1)) return JSON.stringify(value);
    throw find(value, what, 1, []) ?? invalid(what, value, "cannot be written as JSON");
  } catch (thrown) {
    throw thrown instanceof FolkmootError ? thrown : invalid(what, thrown, "could not be read");
  }
}

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  // The second is true in every realm: objects of a vm context are plain too.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function fieldsAreFine(input: Record<string, unknown>): boolean {
  for (const name in input) {
    const value = input[name];
    if (value !== undefined && !isFine(value, 1)) return false;
    if (!name.isWellFormed()) return false;
  }
  return true;
}

function isFine(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case "string":
      return value.isWellFormed();
    case "number":
      return Number.isFinite(value);
    case "boolean":
      return true;
    case "object":
      return value === null || (depth < DEEPEST && isFineObject(value, depth));
    default:
      return false;
  }
}

function isFineObject(value: object, depth: number): boolean {
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) if (!isFine(value[at], depth + 1)) return false;
    return true;
  }
  if (hasOwnForm(value)) return isFine(value.toJSON(), depth + 1);
  if (!isPlain(value)) return false;
  for (const name of Object.keys(value)) {
    if (!isFine(value[name], depth + 1) || !name.isWellFormed()) return false;
  }
  return true;
}

/** Whether it says itself what it is in JSON, as a Date does. */
function hasOwnForm(value: object): value is { toJSON(): unknown } {
  return typeof (value as { toJSON?: unknown }).toJSON === "function" && !isInvalidDate(value);
}

function isInvalidDate(value: object): boolean {
  return value instanceof Date && Number.isNaN(value.getTime());
}

/** The error for what the quick look did not like. */
function wrong(input: unknown, what: string): Error {
  if (!isPlain(input)) return invalid(what, input, "must be a plain object of fields and values");
  try {
    for (const name of Object.keys(input)) {
      if (!name.isWellFormed())
        return invalid(what, name, "must have names in Unicode, without lone surrogates");
      const error = input[name] === undefined ? null : find(input[name], name, 1, []);
      if (error !== null) return error;
    }
  } catch (thrown) {
    return invalid(what, thrown, "could not be read");
  }
  return invalid(what, input, "cannot be written as JSON");
}

function find(value: unknown, field: string, depth: number, around: object[]): Error | null {
  if (isFine(value, depth)) return null;
  switch (typeof value) {
    case "string":
      return invalid(field, value, "must be text in Unicode, without lone surrogates");
    case "number":
      return invalid(field, value, "must be a finite number");
    case "undefined":
      return invalid(field, value, "must be a value", "leave the field out, or give null");
    case "bigint":
      return invalid(field, value, "must not be a BigInt", "give a number, or larger numbers as text");
    case "object":
      return value === null ? null : findInObject(value, field, depth, around);
    default:
      return invalid(field, value, "must be null, true or false, a number, text, an array or a plain object");
  }
}

function findInObject(value: object, field: string, depth: number, around: object[]): Error | null {
  if (around.includes(value)) return invalid(field, value, "must not hold itself");
  if (depth >= DEEPEST) return invalid(field, value, `is nested deeper than ${DEEPEST}`);
  const within = [...around, value];
  if (Array.isArray(value)) {
    return firstOf(value.keys(), (at) => find(value[at], `${field}[${at}]`, depth + 1, within));
  }
  if (isInvalidDate(value)) return invalid(field, value, "must be a time");
  if (hasOwnForm(value)) return find(value.toJSON(), field, depth + 1, within);
  if (!isPlain(value)) {
    return invalid(field, value, "must be a plain object, or have a toJSON method");
  }
  return firstOf(Object.keys(value), (name) =>
    name.isWellFormed()
      ? find(value[name], `${field}.${name}`, depth + 1, within)
      : invalid(field, name, "must have names in Unicode, without lone surrogates"),
  );
}

function firstOf<T>(items: Iterable<T>, look: (item: T) => Error | null): Error | null {
  for (const item of items) {
    const error = look(item);
    if (error !== null) return error;
  }
  return null;
}
