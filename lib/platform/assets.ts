/** Files that come with the package and its dependencies: WebAssembly, the codecs' JavaScript and the shipped model. @module */
import { builtin, isDeno } from "./runtime.ts";
import { errorMessage } from "./error_message.ts";

/**
 * The wasm files by name: as Deno resolves them (versions as in deno.json), and what Node calls them. A browser fetches them under
 * their last name from the folder of {@linkcode setAssets}.
 */
const WASM = {
  "tfjs-backend-wasm-simd": [
    () => import.meta.resolve("npm:@tensorflow/tfjs-backend-wasm@4.22.0/wasm-out/tfjs-backend-wasm-simd.wasm"),
    "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm",
  ],
  "tfjs-backend-wasm-threaded-simd": [
    () => import.meta.resolve("npm:@tensorflow/tfjs-backend-wasm@4.22.0/wasm-out/tfjs-backend-wasm-threaded-simd.wasm"),
    "@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.wasm",
  ],
  charls: [
    () => import.meta.resolve("npm:@cornerstonejs/codec-charls@1.2.7/decodewasm"),
    "@cornerstonejs/codec-charls/decodewasm",
  ],
  "libjpeg-turbo": [
    () => import.meta.resolve("npm:@cornerstonejs/codec-libjpeg-turbo-8bit@1.2.8/decodewasm"),
    "@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasm",
  ],
  openjpeg: [
    () => import.meta.resolve("npm:@cornerstonejs/codec-openjpeg@1.3.6/decodewasm"),
    "@cornerstonejs/codec-openjpeg/decodewasm",
  ],
  webp: [
    () => import.meta.resolve("npm:@jsquash/webp@1.5.0/codec/dec/webp_dec.wasm"),
    "@jsquash/webp/codec/dec/webp_dec.wasm",
  ],
} as const;

/** A wasm file's name. */
type WasmName = keyof typeof WASM;

/** The JavaScript beside the codecs' wasm ("decode" without more is the same compiled to plain JavaScript, two to ten times slower). */
const GLUE = {
  charls: [
    () => import.meta.resolve("npm:@cornerstonejs/codec-charls@1.2.7/decodewasmjs"),
    "@cornerstonejs/codec-charls/decodewasmjs",
  ],
  "libjpeg-turbo": [
    () => import.meta.resolve("npm:@cornerstonejs/codec-libjpeg-turbo-8bit@1.2.8/decodewasmjs"),
    "@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs",
  ],
  openjpeg: [
    () => import.meta.resolve("npm:@cornerstonejs/codec-openjpeg@1.3.6/decodewasmjs"),
    "@cornerstonejs/codec-openjpeg/decodewasmjs",
  ],
} as const;

// Never run. It tells Deno which packages to bring; bundlers for browsers, which stop at the packages' require("fs"), drop it.
// deno-lint-ignore no-constant-condition
if (false) {
  // @ts-ignore: an importer may forbid code that is never reached
  void import("@cornerstonejs/codec-charls/decodewasmjs");
  void import("@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs");
  void import("@cornerstonejs/codec-openjpeg/decodewasmjs");
}

/** The files that a browser's folder of assets holds: wasm files, weights and vocabulary. */
export const ASSETS: readonly string[] = [
  ...Object.keys(WASM).map((name) => `${name}.wasm`),
  ...Object.keys(GLUE).map((name) => `${name}.js`),
  "mini_generalist.safetensors",
  "mini_vocab.txt",
];

// A variable, as bundlers copy what `new URL("...", import.meta.url)` names, whether or not it is fetched.
const here = import.meta.url;
let assets: URL | undefined;

/**
 * Tells a browser where the wasm files and the shipped model lie; Deno and Node find them without.
 *
 * @param folder Its address, relative to the page. @default {"assets/" beside the script}
 */
export function setAssets(folder: string | URL): void {
  assets = new URL(folder, globalThis.location?.href ?? here);
  if (!assets.pathname.endsWith("/")) assets.pathname += "/";
}

/** Address of an asset, in a browser. */
function assetUrl(file: string): URL {
  return new URL(file, assets ?? new URL("assets/", here));
}

async function fetched(url: URL): Promise<Response> {
  const response = await fetch(url).catch((error) => {
    throw new Error(`Cannot fetch "${url}": ${errorMessage(error)}`, { cause: error });
  });
  if (!response.ok) throw new Error(`Cannot fetch "${url}": ${response.status} ${response.statusText}`);
  return response;
}

const isNode = !isDeno && builtin("node:fs") !== undefined;

/** Compiles one of the wasm files. On Deno it is imported as a module, so no permission to read is asked. */
export async function wasmModule(name: WasmName): Promise<WebAssembly.Module> {
  const [address, installed] = WASM[name];
  if (isDeno) {
    // Elsewhere the source phase of an import is a syntax error still, in TypeScript, too: so only Deno sees it.
    return await new Function("address", "return import.source(address)")(address());
  }
  if (isNode) {
    const { createRequire } = builtin<typeof import("node:module")>("node:module")!;
    const { readFile } = builtin<typeof import("node:fs/promises")>("node:fs/promises")!;
    return await WebAssembly.compile(await readFile(createRequire(here).resolve(installed)) as BufferSource);
  }
  const response = await fetched(assetUrl(`${name}.wasm`));
  return await WebAssembly.compile(await response.arrayBuffer());
}

/** Imports the JavaScript of a codec: what it exports by default. */
export async function codecGlue(name: keyof typeof GLUE): Promise<unknown> {
  const [resolved, installed] = GLUE[name];
  if (isNode) return builtin<typeof import("node:module")>("node:module")!.createRequire(here)(installed);
  const address = isDeno ? resolved() : assetUrl(`${name}.js`).href;
  return (await import(/* @vite-ignore */ address)).default;
}

/** Where a file of the package's folder `data` lies. */
export function dataUrl(file: string): URL {
  return isDeno || isNode ? new URL(`../../data/${file}`, here) : assetUrl(file);
}

/** Reads such a file, from disk or, where the package was imported from a registry or runs in a browser, from there. */
export async function readData(file: string): Promise<Uint8Array<ArrayBuffer>> {
  const url = dataUrl(file);
  if (url.protocol !== "file:") return new Uint8Array(await (await fetched(url)).arrayBuffer());
  if (isDeno) return await Deno.readFile(url);
  const { readFile } = builtin<typeof import("node:fs/promises")>("node:fs/promises")!;
  return new Uint8Array(await readFile(url));
}
