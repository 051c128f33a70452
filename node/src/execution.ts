// What a followed task tells.

import type { LogLine, Message, Task } from "./generated/types.js";

/** A change of the task, or of a part of it. */
export interface StatusUpdate {
  type: "status";
  /** The `seq` of the event. */
  seq: number;
  /** The task that is followed. */
  execution_id: string;
  /** The task that changed: that one, or a part of it. */
  task_id: string;
  /** The task that it is a part of. */
  parent_id: string | null;
  title: string;
  /** What happened, such as `task.claimed`. */
  kind: string;
  status: Task["status"];
  /** 0 to 100. */
  progress: number;
  current_phase: string | null;
  agent_id: string | null;
  estimated_completion: string | null;
  /** The lines that its log got by this. */
  logs: LogLine[];
  timestamp: string;
}

/** Something that was said about the task or a part of it. */
export type MessageUpdate = { type: "message"; execution_id: string } & Message;

/** The end of a task that is done. */
export interface CompletionUpdate {
  type: "completion";
  seq: number;
  execution_id: string;
  /** What came out. */
  result: any;
  timestamp: string;
}

/** The end of a task that is not done. */
export interface FailureUpdate {
  type: "error";
  seq: number;
  execution_id: string;
  /** `failed` or `cancelled`. */
  error: string;
  /** What went wrong, or why it was called off. */
  message: string;
  /** Whether it failed for want of attempts. */
  dead_letter: boolean;
  timestamp: string;
}

/** Events that retention took, both ends included. */
export interface MissingUpdate {
  type: "gap";
  seq: number;
  execution_id: string;
  from: number;
  to: number;
}

/** What a followed task tells: `type` says which. */
export type ExecutionUpdate = StatusUpdate | MessageUpdate | CompletionUpdate | FailureUpdate | MissingUpdate;
