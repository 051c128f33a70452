/**
 * Real-time coordination for teams of software agents, in process, on one SQLite file.
 *
 * @packageDocumentation
 */

export { Agent } from "./agent.js";
export type { CallOptions } from "./caller.js";
export { FolkmootError } from "./errors.js";
export type { Event, Gap, Item, Position } from "./event.js";
export type { HubConfig } from "./generated/config.js";
export type * from "./generated/types.js";
export type { Agent as AgentProfile } from "./generated/types.js";
export { OPERATIONS } from "./generated/types.js";
export { Hub, type OnOptions, type OpenOptions } from "./hub.js";
export type { UpdateOptions } from "./memory.js";
export type { AgentInput, Answer, Input, OperationName } from "./operation.js";
export { type Filter, type SubscribeOptions, Subscription } from "./subscription.js";
export { version } from "./version.js";
