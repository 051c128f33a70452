// The types of calls by name.

import type { CallOptions } from "./caller.js";
import type { ACTORS, OperationTable } from "./generated/types.js";

/** The name of an operation. */
export type OperationName = keyof OperationTable;

/** What an operation takes. */
export type Input<N extends OperationName> = OperationTable[N]["input"];

/** What an operation answers. */
export type Answer<N extends OperationName> = OperationTable[N]["answer"];

type Actor<N extends OperationName> = N extends keyof typeof ACTORS ? (typeof ACTORS)[N] : never;

type WithoutActor<T, A extends PropertyKey> = Omit<T, A> & { readonly [K in A & keyof T]?: T[K] };

/** What an agent's handle takes: who acts is filled in, and so is the token of a claim. */
export type AgentInput<N extends OperationName> = WithoutActor<Input<N>, Actor<N>>;

/** The arguments behind the name: the input may be left out where nothing is required. */
export type Arguments<I> =
  Record<never, never> extends I ? [input?: I, options?: CallOptions] : [input: I, options?: CallOptions];
