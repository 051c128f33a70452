/** A warning of the process: for what went wrong where nobody waits. */
export function warn(text: string): void {
  process.emitWarning(text, "FolkmootWarning");
}
