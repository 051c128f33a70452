// The conformance vectors: steps and what each must answer, the same for every way in.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import { ROOT } from "./hubs.mjs";

const FOLDER = join(ROOT, "core", "conformance", "vectors");

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const isText = (value) => typeof value === "string";
const WILDCARDS = {
  "<any>": () => true,
  "<id>": (value) => isText(value) && ID.test(value),
  "<time>": (value) => isText(value) && TIME.test(value),
  "<int>": Number.isInteger,
  "<text>": isText,
};

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Each vector with its name. */
export function allVectors() {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith(".json"));
  return files.sort().flatMap((file) => {
    const { noun, vectors } = JSON.parse(readFileSync(join(FOLDER, file), "utf8"));
    return vectors.map((vector) => ({ ...vector, name: `${noun}: ${vector.name}` }));
  });
}

/** The template with what was saved in place of each `$name`. */
export function filled(template, saved) {
  if (Array.isArray(template)) return template.map((value) => filled(value, saved));
  if (isObject(template)) {
    return Object.fromEntries(Object.entries(template).map(([key, value]) => [key, filled(value, saved)]));
  }
  return isText(template) && template.startsWith("$") && template.slice(1) in saved
    ? saved[template.slice(1)]
    : template;
}

/** Where an answer is not as expected: objects may hold more, lists must be of the same length. */
export function differences(expected, got, place = "answer") {
  if (isText(expected) && Object.hasOwn(WILDCARDS, expected)) {
    return WILDCARDS[expected](got) ? [] : [`${place}: ${inspect(got)} is not ${expected}`];
  }
  if (isObject(expected) && isObject(got)) {
    return Object.entries(expected).flatMap(([key, value]) =>
      Object.hasOwn(got, key)
        ? differences(value, got[key], `${place}.${key}`)
        : [`${place}.${key} is missing from ${inspect(got)}`],
    );
  }
  if (Array.isArray(expected) && Array.isArray(got)) {
    if (expected.length !== got.length) {
      return [`${place}: ${got.length} items instead of ${expected.length}: ${inspect(got)}`];
    }
    return expected.flatMap((want, at) => differences(want, got[at], `${place}[${at}]`));
  }
  return expected === got ? [] : [`${place}: ${inspect(got)} instead of ${inspect(expected)}`];
}

/** Plays a vector; `call(by, name, input)` is how a step reaches the hub. */
export async function play(vector, call) {
  const saved = {};
  for (const step of vector.steps) {
    let answer;
    try {
      answer = await call(step.as, step.call, filled(step.input ?? {}, saved));
    } catch (error) {
      checkError(step, error);
      continue;
    }
    assert.ok(
      !("error" in step),
      `${step.call} answered ${inspect(answer)} instead of ${inspect(step.error)}`,
    );
    assert.deepEqual(differences(filled(step.expect ?? "<any>", saved), answer), []);
    for (const [name, path] of Object.entries(step.save ?? {})) {
      saved[name] = path.split(".").reduce((value, part) => value[part], answer);
    }
  }
}

function checkError(step, error) {
  const expected = step.error;
  const shown = `${step.call}: ${inspect(error)}`;
  assert.ok(expected !== undefined, shown);
  assert.equal(error.code, expected.code, shown);
  if (expected.field !== undefined) assert.equal(error.details.field, expected.field, shown);
  if (expected.says !== undefined)
    assert.ok(`${error.message} (${error.hint})`.includes(expected.says), shown);
}
