import type { Entry, MemoryGetInput, PresenceUpdateInput, Updated } from "./generated/types.js";

/** What may go with a call beside its input. */
export interface CallOptions {
  /** Ends the wait of the call: its promise is rejected with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** How the typed methods reach the engine. */
export interface Caller {
  call(name: string, input: unknown, options?: CallOptions): Promise<any>;
  presenceUpdate(input: PresenceUpdateInput, options?: CallOptions): Promise<Updated>;
  memoryGet(input: MemoryGetInput, options?: CallOptions): Promise<Entry>;
}
