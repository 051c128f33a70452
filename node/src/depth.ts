import { AsyncLocalStorage } from "node:async_hooks";

/** How deep in hooks a piece of the program is: it follows promises, as the calls made there do. */
export const DEPTH = new AsyncLocalStorage<number>();

/** How deep in hooks the caller is. */
export function depth(): number {
  return DEPTH.getStore() ?? 0;
}
