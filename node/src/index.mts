// The same module for `import`: one copy of everything, whichever way it is reached.

export type * from "./index.js";
export {
  Agent,
  AgentSession,
  FolkmootError,
  Hook,
  Hub,
  OPERATIONS,
  Refusal,
  Replay,
  Subscription,
  version,
} from "./index.js";
