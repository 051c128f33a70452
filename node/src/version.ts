import { native } from "./native.js";

/** The version of this package. */
export const version: string = native.version();
