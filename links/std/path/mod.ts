/**
 * Offline stand-in for `jsr:@std/path`: Node's `path` under the same names, and where that is not there, as in a browser, the few
 * functions over paths with "/".
 *
 * @module
 */
const built = <Module>(name: string): Module | undefined =>
  (globalThis as { process?: { getBuiltinModule?(name: string): Module | undefined } }).process?.getBuiltinModule?.(
    name,
  );
const node = built<typeof import("node:path")>("node:path");
const url = built<typeof import("node:url")>("node:url");

function normalised(path: string): string {
  const parts: string[] = [];
  const isRooted = path.startsWith("/");
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (part !== ".." || !isRooted) parts.push(part);
  }
  const trail = path.endsWith("/") && parts.length > 0 ? "/" : "";
  return `${isRooted ? "/" : ""}${parts.join("/")}${trail}` || ".";
}

const last = (path: string, suffix = ""): string => {
  const name = path.replace(/\/+$/, "").split("/").at(-1)!;
  return name !== suffix && name.endsWith(suffix) ? name.slice(0, name.length - suffix.length) : name;
};

const folder = (path: string): string => {
  const parts = path.replace(/\/+$/, "").split("/");
  parts.pop();
  return parts.join("/") || (path.startsWith("/") ? "/" : ".");
};

const joined = (...paths: string[]): string => normalised(paths.filter((path) => path !== "").join("/"));

const resolved = (...paths: string[]): string => {
  const from = paths.findLastIndex((path) => path.startsWith("/"));
  return joined(...from < 0 ? ["/", ...paths] : paths.slice(from)).replace(/(?<=.)\/$/, "");
};

const between = (from: string, to: string): string => {
  const [a, b] = [from, to].map((path) => resolved(path).split("/").filter((part) => part !== "")) as [
    string[],
    string[],
  ];
  const shared = a.findIndex((part, i) => part !== b[i]);
  const same = shared < 0 ? a.length : shared;
  return [...a.slice(same).map(() => ".."), ...b.slice(same)].join("/");
};

/** Last portion of a path, without `suffix` when given. */
export const basename: (path: string, suffix?: string) => string = node?.basename ?? last;
/** Directory of a path. */
export const dirname: (path: string) => string = node?.dirname ?? folder;
/** Extension of a path, with its dot. */
export const extname: (path: string) => string = node?.extname ??
  ((path) => /(?<=[^.])\.[^.]*$/.exec(last(path))?.[0] ?? "");
/** Whether a path is absolute. */
export const isAbsolute: (path: string) => boolean = node?.isAbsolute ?? ((path) => path.startsWith("/"));
/** Joins and normalises path segments. */
export const join: (...paths: string[]) => string = node?.join ?? joined;
/** Normalises a path. */
export const normalize: (path: string) => string = node?.normalize ?? normalised;
/** Path of `to` relative to `from`. */
export const relative: (from: string, to: string) => string = node?.relative ?? between;
/** Resolves segments to an absolute path. */
export const resolve: (...paths: string[]) => string = node?.resolve ?? resolved;
/** Separator of this system. */
export const SEPARATOR: string = node?.sep ?? "/";

/** Path of a `file:` URL. */
export function fromFileUrl(address: string | URL): string {
  return url?.fileURLToPath(address) ?? decodeURIComponent(new URL(address).pathname);
}

/** `file:` URL of an absolute path. */
export function toFileUrl(path: string): URL {
  return url?.pathToFileURL(path) ?? new URL(`file://${encodeURI(path)}`);
}
