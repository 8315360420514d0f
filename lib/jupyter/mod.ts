/**
 * What a notebook needs besides the package: {@linkcode offline}. The kernel is installed by `deno task kernel`.
 *
 * @module
 */
export { offline, type OfflineStates } from "./offline.ts";
