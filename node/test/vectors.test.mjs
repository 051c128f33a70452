// Every conformance vector, through the Node package.

import assert from "node:assert/strict";
import { test } from "node:test";
import { OPERATIONS } from "folkmoot";
import { openHub } from "./hubs.mjs";
import { allVectors, differences, play } from "./vectors.mjs";

const ALL = allVectors();

for (const vector of ALL) {
  test(`a vector holds by name: ${vector.name}`, async (t) => {
    const hub = await openHub(t);
    await play(vector, (by, name, input) => (by === undefined ? hub : hub.acting(by)).call(name, input));
  });

  test(`a vector holds in typed methods: ${vector.name}`, async (t) => {
    const hub = await openHub(t);
    await play(vector, (by, name, input) =>
      by === undefined ? method(hub, name)(input) : hub.acting(by).call(name, input),
    );
  });
}

/** `hub.tasks.claimMany` of `task.claim_many`. */
function method(hub, name) {
  const [noun, verb] = name.split(".");
  const place = noun === "hub" ? hub : (hub[`${noun}s`] ?? hub[`${noun.slice(0, -1)}ies`] ?? hub[noun]);
  const camel = verb.replace(/_(.)/g, (_, letter) => letter.toUpperCase());
  return (input) => (camel in (place ?? {}) ? place[camel](input) : hub.call(name, input));
}

test("every operation has a good and a bad step", () => {
  const steps = ALL.flatMap((vector) => vector.steps);
  for (const operation of OPERATIONS) {
    for (const outcome of ["expect", "error"]) {
      const shown = steps.some((step) => step.call === operation && outcome in step);
      assert.ok(shown, `no vector shows ${operation} with ${outcome}`);
    }
  }
});

test("a difference is noticed", () => {
  assert.deepEqual(differences({ a: [1, "<text>"] }, { a: [1, "x"], b: 2 }), []);
  for (const wrong of [{}, { a: [1] }, { a: [true, "x"] }, { a: [1, 2] }, { a: null }]) {
    assert.notDeepEqual(differences({ a: [1, "<text>"] }, wrong), []);
  }
});
