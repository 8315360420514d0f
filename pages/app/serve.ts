/**
 * Serves a folder on this machine alone, with the headers that let a page use threads:
 * `deno run --allow-read=DIR --allow-net=127.0.0.1 pages/app/serve.ts DIR [PORT] [--plain]`. It prints the address.
 *
 * @module
 */
import { join } from "@std/path";

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  png: "image/png",
  svg: "image/svg+xml",
  txt: "text/plain; charset=utf-8",
  wasm: "application/wasm",
  webmanifest: "application/manifest+json",
};

/** What tells a browser to keep the page apart from others: it then gives the page memory that threads share. */
export const ISOLATION: Readonly<Record<string, string>> = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
};

/** Options of {@linkcode serveFolder}. */
export interface ServeFolderOptions {
  /** Port; 0 takes a free one. @default {0} */
  port?: number;
  /** As a plain static host serves: without the headers of isolation. @default {false} */
  plain?: boolean;
}

/** Serves a folder until the process ends. */
export function serveFolder(folder: string, options: ServeFolderOptions = {}): Deno.HttpServer<Deno.NetAddr> {
  const { port = 0, plain = false } = options;
  return Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, async (request) => {
    const path = decodeURIComponent(new URL(request.url).pathname); // of a URL: it has no ".."
    const file = join(folder, path.endsWith("/") ? `${path}index.html` : path);
    const body = await Deno.open(file).then((opened) => opened.readable, () => undefined);
    if (body === undefined) return new Response("not found", { status: 404 });
    const type = TYPES[file.split(".").at(-1)!] ?? "application/octet-stream";
    return new Response(body, {
      headers: { "content-type": type, "cache-control": "no-cache", ...(plain ? {} : ISOLATION) },
    });
  });
}

if (import.meta.main) {
  const [folder, port = "0"] = Deno.args.filter((arg) => !arg.startsWith("--"));
  const server = serveFolder(folder!, { port: Number(port), plain: Deno.args.includes("--plain") });
  console.log(`http://127.0.0.1:${server.addr.port}/`);
  await server.finished;
}
