/**
 * Offline stand-in for `jsr:@std/path`: Node's `path` under the same names.
 *
 * @module
 */
import * as path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Last portion of a path, without `suffix` when given. */
export const basename: (path: string, suffix?: string) => string = path.basename;
/** Directory of a path. */
export const dirname: (path: string) => string = path.dirname;
/** Extension of a path, with its dot. */
export const extname: (path: string) => string = path.extname;
/** Whether a path is absolute. */
export const isAbsolute: (path: string) => boolean = path.isAbsolute;
/** Joins and normalises path segments. */
export const join: (...paths: string[]) => string = path.join;
/** Normalises a path. */
export const normalize: (path: string) => string = path.normalize;
/** Path of `to` relative to `from`. */
export const relative: (from: string, to: string) => string = path.relative;
/** Resolves segments to an absolute path. */
export const resolve: (...paths: string[]) => string = path.resolve;
/** Separator of this system. */
export const SEPARATOR: string = path.sep;

/** Path of a `file:` URL. */
export function fromFileUrl(url: string | URL): string {
  return fileURLToPath(url);
}

/** `file:` URL of an absolute path. */
export function toFileUrl(path: string): URL {
  return pathToFileURL(path);
}
