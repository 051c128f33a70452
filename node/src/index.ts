/**
 * Real-time coordination for teams of software agents, in process, on one SQLite file.
 *
 * @packageDocumentation
 */

export type { FollowOptions } from "./activities.js";
export { Agent } from "./agent.js";
export type { CallOptions } from "./caller.js";
export { FolkmootError } from "./errors.js";
export type { Event, Gap, Item, Position } from "./event.js";
export type { ExecutionUpdate } from "./execution.js";
export type { HubConfig } from "./generated/config.js";
export type * from "./generated/types.js";
export type { Agent as AgentProfile } from "./generated/types.js";
export { OPERATIONS } from "./generated/types.js";
export {
  type BeforeOptions,
  type CollectorOptions,
  Hook,
  type HookCall,
  type HookOptions,
  type Matter,
  type Measure,
  Refusal,
  type Request,
} from "./hooks.js";
export { Hub, type OnOptions, type OpenOptions } from "./hub.js";
export type { UpdateOptions } from "./memory.js";
export type { AgentInput, Answer, Input, OperationName } from "./operation.js";
export { Replay } from "./replay.js";
export { AgentSession } from "./session.js";
export { type Filter, type SubscribeOptions, Subscription } from "./subscription.js";
export { version } from "./version.js";
