// Sessions as their agents hold them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { openHub, PATIENCE, refusal } from "./hubs.mjs";

async function team(t, ...names) {
  const hub = await openHub(t);
  return Promise.all(names.map((name) => hub.agent(name)));
}

test("a session is started, talked in and ended", async (t) => {
  const [ana, bob] = await team(t, "ana", "bob", "cleo");
  const session = await ana.startSession(["bob", { agent_id: "cleo", role: "reviewer" }], { name: "API" });
  const said = await session.post("Shall we begin?");
  const bobs = bob.session(session.session_id);
  assert.deepEqual(
    (await bobs.history()).messages.map((message) => message.content),
    ["Shall we begin?"],
  );
  await bobs.post("Yes.", { reply_to: said.message_id });
  const { participants } = await bobs.get();
  assert.deepEqual(
    participants.map((who) => who.role ?? null),
    ["owner", null, "reviewer"],
  );
  assert.deepEqual((await session.end({ agreed: true })).outcome, { agreed: true });
  assert.equal((await refusal(bobs.post("One more thing"))).code, "conflict");
});

test("whoever joins has the state and hears each change in order", async (t) => {
  const [ana, bob] = await team(t, "ana", "bob");
  const session = await ana.startSession([], { state: { step: 0 } });
  const bobs = bob.session(session.session_id);
  const joined = await bobs.join("writer");
  assert.deepEqual([joined.state.state, joined.state.version], [{ step: 0 }, 1]);
  const events = bobs.subscribe({ kinds: "session.*", after: joined.position });
  for (const step of [1, 2, 3]) await session.patchState({ step });
  for (const version of [2, 3, 4]) {
    assert.equal((await events.read({ timeout_seconds: PATIENCE })).data.version, version);
  }
  assert.deepEqual((await bobs.state()).state, { step: 3 });
});

test("a change of another is a conflict unless it is of another field", async (t) => {
  const [ana, bob] = await team(t, "ana", "bob");
  const session = await ana.startSession(["bob"], { state: { title: "a", limit: 1 } });
  const { version: expected_version } = await session.state();
  await bob.session(session.session_id).patchState({ limit: 2 }, { expected_version });
  const refused = await refusal(session.patchState({ title: "b" }, { expected_version }));
  assert.deepEqual([refused.code, refused.details.current_version], ["conflict", expected_version + 1]);
  const merged = await session.patchState({ title: "b" }, { expected_version, merge: true });
  assert.deepEqual(merged.state, { title: "b", limit: 2 });
});

test("a decision waits for its reviewers", async (t) => {
  const [ana, bob] = await team(t, "ana", "bob");
  const session = await ana.startSession(["bob"], { rules: { required_reviewers: ["bob"] } });
  const decisions = { channel: "decisions" };
  const proposal = await session.post("Cap lists at 100", { ...decisions, message_type: "proposal" });
  const about = { proposal_id: proposal.message_id };
  assert.match((await refusal(session.recordDecision("Cap", undefined, about))).message, /bob must vote/);
  const vote = { ...decisions, message_type: "vote", reply_to: proposal.message_id };
  await bob.session(session.session_id).post("yes", vote);
  const decided = await session.recordDecision("Cap lists at 100", "long lists are slow", about);
  assert.deepEqual((await session.get()).decisions, [decided]);
});

test("who takes no part and what no channel takes is refused", async (t) => {
  const [ana, eve] = await team(t, "ana", "eve");
  const session = await ana.startSession([], { rules: { join: "invited" } });
  const eves = eve.session(session.session_id);
  assert.equal((await refusal(eves.join())).code, "not_allowed");
  assert.equal((await refusal(eves.post("hello"))).code, "not_allowed");
  assert.match((await refusal(session.post("x", { channel: "coordination" }))).message, /text/);
  assert.equal((await refusal(session.post("x", { channel: "nowhere" }))).code, "not_found");
  await session.createChannel("review", { type: "structured", message_types: ["finding"] });
  const found = await session.post("x", { channel: "review", message_type: "finding" });
  assert.equal(found.channel, "review");
  await session.invite("eve");
  assert.equal((await eves.join()).session.participants.length, 2);
  assert.equal((await eves.leave()).participants.length, 1);
});

test("a place is taken until it is given back", async (t) => {
  const [ana] = await team(t, "ana");
  const session = await ana.startSession([], { max_clients: 1 });
  const other = ana.session(session.session_id);
  await session.connect();
  assert.equal((await session.get()).clients, 1);
  assert.equal((await refusal(other.connect())).code, "limit_exceeded");
  await session.disconnect();
  await other.connect();
  await other[Symbol.asyncDispose]();
  assert.equal((await session.get()).clients, 0);
});
