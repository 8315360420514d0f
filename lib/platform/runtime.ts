/** Which JavaScript this is: Deno, Node or Bun, or a browser. @module */

/** Whether the program runs on Deno. */
export const isDeno: boolean = "Deno" in globalThis;

/**
 * A module that Deno, Node and Bun bring along, such as `node:zlib`. It is asked for at run time, so a bundler for browsers finds
 * no import to fail at.
 *
 * @returns The module, or undefined in a browser.
 */
export function builtin<Module>(name: string): Module | undefined {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): Module | undefined } };
  return process?.getBuiltinModule?.(name);
}

/** Bytes of base64 text; Node 22 lacks `Uint8Array.fromBase64`. */
export function base64Bytes(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64?.(text) ?? Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
}
