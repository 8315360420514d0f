/** Reads the environment without asking. @module */
import { isDeno } from "./runtime.ts";

/**
 * A variable of the environment.
 *
 * @param name Its name.
 * @returns Its value, or undefined where it is unset or may not be read, as in a browser.
 */
export function readVariable(name: string): string | undefined {
  if (!isDeno) return globalThis.process?.env?.[name];
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) : undefined;
}
