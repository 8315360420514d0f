/** Permissions given back in a notebook, whose kernel starts with all of them. @module */

/** State of each permission after {@linkcode offline}; a notebook shows a sentence in its place. */
export type OfflineStates = Record<"net" | "run" | "ffi", Deno.PermissionState>;

const GIVEN_BACK = ["net", "run", "ffi"] as const;

const SENTENCE =
  "Offline: until the kernel is restarted, nothing here can use the network, start a program or load a native " +
  "library.";

/**
 * Takes the permissions to use the network, to start programs and to call native libraries away from this process, for good:
 * what is read afterwards cannot leave it. A BLAS library must be loaded before.
 *
 * @returns The state of each: never "granted". As a cell's result it reads as a sentence.
 * @throws {Error} If one could not be taken away.
 *
 * @example First line of a notebook that reads patients' files
 * ```ts ignore
 * import { offline } from "@ace-lora/ace-lora/jupyter";
 *
 * await offline();
 * ```
 */
export async function offline(): Promise<OfflineStates> {
  const states = await Promise.all(
    GIVEN_BACK.map(async (name) => [name, (await Deno.permissions.revoke({ name })).state] as const),
  );
  const kept = states.filter(([, state]) => state === "granted").map(([name]) => name);
  if (kept.length > 0) throw new Error(`Cannot go offline as no permission may be left: ${kept.join(", ")} is`);
  const shown = { value: () => ({ "text/plain": SENTENCE }) };
  return Object.defineProperty(Object.fromEntries(states) as OfflineStates, Symbol.for("Jupyter.display"), shown);
}
