/** Reads the environment without asking. @module */

/**
 * A variable of the environment.
 *
 * @param name Its name.
 * @returns Its value, or undefined where it is unset or may not be read.
 */
export function readVariable(name: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) : undefined;
}
