import type { EventData } from "./generated/types.js";

type DataOf<K extends string> = K extends keyof EventData
  ? EventData[K]
  : K extends `${infer Noun}.${string}`
    ? Noun extends keyof EventData
      ? EventData[Noun]
      : any
    : any;

/**
 * What changed, once and for ever.
 *
 * `K` is the kind that was asked for: the data of an `Event<"task.*">` is a task.
 */
export interface Event<K extends string = string> {
  /** Its place in the hub's one total order; 0 for a summary, which has none. */
  seq: number;
  /** Its id. */
  id: string;
  /** What happened, as `noun.verb`. */
  kind: K extends `${string}*` ? string : K;
  /** When, by the wall clock of the process that wrote it. */
  time: string;
  /** On whose behalf: `process`, `agent:<id>` or `operator:<id>`. */
  principal: string;
  /** The agent that acted or that changed. */
  agent_id: string | null;
  /** The session it happened in. */
  session_id: string | null;
  /** The task it is about. */
  task_id: string | null;
  /** The agents it is for; `*` stands for all. */
  target_agents: string[];
  /** What ties a question to its answer. */
  correlation_id: string | null;
  /** The whole thing that changed. */
  data: DataOf<K>;
}

/** Events that retention took before they were read, both ends included. */
export interface Gap {
  kind: "gap";
  /** The first `seq` that is missing. */
  from: number;
  /** The last one. */
  to: number;
}

/** Nothing for this subscription up to here: resume after this `seq`. Given only when asked for. */
export interface Position {
  kind: "position";
  /** The last `seq` that was looked at. */
  seq: number;
}

/** What a subscription gives. */
export type Item<K extends string = string> = Event<K> | Gap | Position;
