// The same module for `import`: one copy of everything, whichever way it is reached.

export type * from "./index.js";
export { Agent, FolkmootError, Hub, OPERATIONS, Subscription, version } from "./index.js";
