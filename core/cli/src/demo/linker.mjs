// The linker: the one of the team that is a Node program. It sees to it that the links of documents lead to a file.
//
// It is started as `node linker.mjs PACKAGE {"file", "folder", "pace", "config"}` and ends when its standard input does.

import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as rest } from "node:timers/promises";
import { pathToFileURL } from "node:url";

const [entry, told] = process.argv.slice(2);
const { file, folder, pace, config } = JSON.parse(told);
const { Hub } = await import(pathToFileURL(entry).href);

const NAME = "linker";
const SESSION = "survey";
const STEPS = 5;
/** An inline link or image of Markdown: what stands between its round brackets, up to a title. */
const LINK = /\]\(\s*<?([^\s)>]+)/g;

const over = new AbortController();
process.stdin.resume().on("end", () => over.abort());
const { signal } = over;

/** Does it again for as long as the hub cannot answer just now. */
async function keepTrying(work) {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!error.retryable || signal.aborted) throw error;
      console.error(String(error));
      await rest(100);
    }
  }
}

/** The relative links of a text, with their lines; what stands in blocks or spans of code is none. */
function* linksOf(text) {
  let fenced = false;
  for (const [at, line] of text.split("\n").entries()) {
    if (/^\s*(```|~~~)/.test(line)) fenced = !fenced;
    if (fenced) continue;
    for (const [, target] of line.replace(/`[^`]*`/g, "").matchAll(LINK)) {
      if (!/^([a-z][a-z0-9+.-]*:|\/|#)/i.test(target)) yield { line: at + 1, target };
    }
  }
}

function leadsSomewhere(document, target) {
  const name = target.replace(/[?#].*$/, "");
  try {
    return existsSync(path.join(folder, path.dirname(document), decodeURIComponent(name)));
  } catch {
    return false; // not well escaped
  }
}

function check(documents, found) {
  for (const document of documents) {
    for (const { line, target } of linksOf(readFileSync(path.join(folder, document), "utf8"))) {
      found.checked += 1;
      if (!leadsSomewhere(document, target)) found.broken.push({ path: document, line, target });
    }
  }
}

async function progress(agent, task, percent, phase, log) {
  await keepTrying(() => agent.reportProgress(task, { progress: percent, phase, log }));
  await rest(pace * 1000);
}

/** Checks the documents of a module in a few steps, and tells the others what is known after each. */
async function work(agent, task) {
  const { number, module } = task.requirements;
  const { value } = await agent.memory.get({ key: `survey/modules/${number}` });
  const documents = value.files.filter((name) => name.endsWith(".md"));
  const step = Math.max(1, Math.ceil(documents.length / STEPS));
  const found = { checked: 0, broken: [] };
  await progress(agent, task, 0, "reading", `${documents.length} documents`);
  for (let done = 0; done < documents.length; done += step) {
    signal.throwIfAborted();
    await agent.usedTool("check_links", { task_id: task.task_id });
    check(documents.slice(done, done + step), found);
    await agent.updateMemory("findings/tally", (tally) => ({
      ...tally,
      [number]: { ...tally?.[number], module, links: found.checked, broken: found.broken.length },
    }));
    const percent = Math.floor((95 * Math.min(done + step, documents.length)) / documents.length);
    await progress(agent, task, percent, "check_links", `${found.checked} links so far`);
  }
  await keepTrying(() => agent.setMemory(`findings/${number}/links`, found));
  return { checked: found.checked, broken: found.broken.length };
}

/** Claims and works until the demo is over. */
async function workOn(agent) {
  while (!signal.aborted) {
    const task = await keepTrying(() => agent.claimTask({ wait_seconds: 0.5, signal }));
    if (task === null) continue;
    try {
      const result = await work(agent, task);
      await keepTrying(() => agent.completeTask(task, result));
    } catch (error) {
      if (signal.aborted || error.code === "lease_lost") continue;
      await keepTrying(() => agent.failTask(task, String(error)));
    }
  }
}

/** The module with the most links that lead nowhere. */
async function choice(agent) {
  const tally = Object.entries(await agent.getMemory("findings/tally", {}));
  const [worst] = tally.sort(([, a], [, b]) => (b.broken ?? 0) - (a.broken ?? 0));
  if (!worst?.[1].broken) return null;
  const [number, { module, broken }] = worst;
  return { number, module, because: `${broken} of its links lead nowhere` };
}

/** Votes on what is proposed in the session, until the demo is over. */
async function attend(agent) {
  for await (const event of agent.subscribe({ kinds: "message.sent", session_id: SESSION, signal })) {
    if (event.data?.message_type !== "proposal") continue;
    const vote = await choice(agent);
    await agent.usedTool("vote");
    await keepTrying(() =>
      agent.call("channel.post", {
        session_id: SESSION,
        channel: "decisions",
        message_type: "vote",
        reply_to: event.data.message_id,
        content: vote ? `${vote.module}: ${vote.because}` : "no preference",
        ...(vote && { metadata: vote }),
      }),
    );
  }
}

const hub = await Hub.open(file, config);
try {
  const profile = { type: "tool", role: NAME, capabilities: ["links"] };
  const agent = await keepTrying(() => hub.agent(NAME, profile));
  for await (const _ of hub.subscribe({ kinds: "session.started", session_id: SESSION, after: 0, signal })) break;
  await keepTrying(() => agent.call("session.join", { session_id: SESSION }));
  await Promise.all([workOn(agent), attend(agent)]);
} catch (error) {
  if (!signal.aborted) throw error;
} finally {
  await hub.close();
}
