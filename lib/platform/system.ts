/**
 * Files by path. On Deno they are Deno's own; Node and Bun have theirs under the same names; in a browser a path names a file that
 * the page was given (`mountFiles`), else one of the origin's private file system.
 *
 * @module
 */
import type { FileErrorClass, System } from "./files.ts";
import { nodeSystem } from "./node_system.ts";
import { builtin, isDeno } from "./runtime.ts";
import { webSystem } from "./web_system.ts";

/** This runtime's files. */
export const system: System = isDeno ? Deno : builtin("node:fs") ? nodeSystem() : webSystem();

/** The error for a file or folder that is not there: `Deno.errors.NotFound` on Deno. */
export const NotFound: FileErrorClass = system.errors.NotFound;

/**
 * For `.catch()` where a path is looked at first: a file or folder that is not there is named, without the system's own words; any
 * other error stays as it is.
 *
 * @throws {Deno.errors.NotFound} If the error is one.
 */
export function notThere(path: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof NotFound)) throw error;
    throw new NotFound(`Cannot read "${path}": there is no such file or folder`, { cause: error });
  };
}

export type { OpenFile } from "./files.ts";
