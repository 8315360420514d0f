/**
 * Keeps the page's own files, so that it works without a network, and gives them the headers that isolate the page where a plain
 * static host does not. What is not one of those files goes its way.
 *
 * @module
 */

/** Files of the page and a version out of their content; the build writes them in. */
declare const PAGE: { version: string; files: string[] };

interface Extendable extends Event {
  waitUntil(promise: Promise<unknown>): void;
}
interface Fetched extends Extendable {
  request: Request;
  respondWith(response: Promise<Response>): void;
}
interface Scope {
  registration: { scope: string };
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
  addEventListener(type: "install" | "activate", listener: (event: Extendable) => void): void;
  addEventListener(type: "fetch", listener: (event: Fetched) => void): void;
}
const scope = globalThis as unknown as Scope;

const CACHE = `ace-lora ${PAGE.version}`;
const ADDRESSES = new Set(["", ...PAGE.files].map((file) => new URL(file, scope.registration.scope).href));

/** A response as an isolated page may use it. */
function isolated(response: Response): Response {
  const headers = new Headers(response.headers);
  headers.set("cross-origin-opener-policy", "same-origin");
  headers.set("cross-origin-embedder-policy", "require-corp");
  headers.set("cross-origin-resource-policy", "same-origin");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

scope.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(CACHE);
    await cache.addAll([...ADDRESSES].map((address) => new Request(address, { cache: "no-cache" })));
    await scope.skipWaiting();
  })());
});

scope.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith("ace-lora ") && name !== CACHE) await caches.delete(name);
    }
    await scope.clients.claim();
  })());
});

scope.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  address.search = address.hash = "";
  if (event.request.method !== "GET" || !ADDRESSES.has(address.href)) return;
  event.respondWith((async () => {
    const kept = await (await caches.open(CACHE)).match(address.href);
    return isolated(kept ?? await fetch(event.request));
  })());
});
