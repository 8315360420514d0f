/** What a worker tells its page. @module */

/** The end of a call, or what happened meanwhile. */
export type Told =
  | { ready: true }
  | { id: number; value: unknown }
  | { id: number; error: { kind: string; message: string } }
  | EngineEvent;

/** What happened while a call is under way. */
export type EngineEvent =
  | { event: "step"; step: number; steps: number; loss: number[]; seconds: number }
  | { event: "images"; done: number; of: number }
  | { event: "warning"; text: string }
  | { event: "lost" };

/** Folders under which the page's files are mounted or kept; its reader does not know of them. */
export type Mount = "adapter" | "evaluation" | "kept" | "model" | "pairs";

const MOUNTS: readonly Mount[] = ["adapter", "evaluation", "kept", "model", "pairs"];

/** A message whose paths begin as those that the page was given. */
export function asGiven(message: string): string {
  return message.replace(new RegExp(`"(?:${MOUNTS.join("|")})/(?=[^"])`, "g"), '"');
}

/** Tells the page. */
export function tell(message: Told, transfer: Transferable[] = []): void {
  (globalThis as unknown as { postMessage(message: Told, transfer: Transferable[]): void }).postMessage(
    message,
    transfer,
  );
}
