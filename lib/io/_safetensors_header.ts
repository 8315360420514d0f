/** The JSON header of a safetensors file, checked. @module */
import { DTYPE_BYTES, elementCount, type TensorDtype, type TensorEntry } from "./tensors.ts";
import { quoted, unreadable } from "./_errors.ts";

/** Longest header read, in bytes: the limit of the reference implementation (safetensors 0.4, tensor.rs). */
export const MAX_HEADER_BYTES = 100_000_000;

/** An entry with its place after the header. */
export interface PlacedEntry extends TensorEntry {
  /** First byte, counted from the end of the header. */
  begin: number;
  /** Byte after the last. */
  end: number;
}

/** A checked header. */
export interface SafetensorsHeader {
  /** Tensors by name, in the order of their bytes. */
  entries: Map<string, PlacedEntry>;
  /** The `__metadata__` map. */
  metadata: Record<string, string>;
}

type Fail = (reason: string) => SyntaxError;
type JsonObject = Record<string, unknown>;

/** The first key that one object of `json` (valid JSON) has twice; JSON.parse would keep the last in silence. */
function duplicateKey(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  const token = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g;
  for (let match = token.exec(json); match; match = token.exec(json)) {
    const text = match[0];
    if (text === "{" || text === "[") open.push(text === "{" ? new Set() : undefined);
    else if (text === "}" || text === "]") open.pop();
    else if (match[1] !== undefined) {
      const key = JSON.parse(text.slice(0, text.length - match[1].length)) as string;
      if (open.at(-1)?.has(key)) return key;
      open.at(-1)?.add(key);
    }
  }
  return undefined;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizeList(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((x) => Number.isSafeInteger(x) && x >= 0);
}

function readMetadata(value: unknown, fail: Fail): Record<string, string> {
  if (!isObject(value) || Object.values(value).some((v) => typeof v !== "string")) {
    throw fail("__metadata__ must map names to strings");
  }
  return value as Record<string, string>;
}

function readEntry(name: string, value: unknown, fail: Fail): PlacedEntry {
  if (!isObject(value)) throw fail(`tensor ${quoted(name)} must be described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !Object.hasOwn(DTYPE_BYTES, dtype)) {
    throw fail(
      `tensor ${quoted(name)} must have a type of ${Object.keys(DTYPE_BYTES).join(", ")}: found ${
        quoted(String(dtype))
      }`,
    );
  }
  if (!isSizeList(shape)) throw fail(`the shape of ${quoted(name)} must be a list of sizes`);
  if (!isSizeList(offsets) || offsets.length !== 2) throw fail(`data_offsets of ${quoted(name)} must be two positions`);
  const [begin, end] = offsets as [number, number];
  const bytes = elementCount(shape) * DTYPE_BYTES[dtype as TensorDtype];
  if (!Number.isSafeInteger(bytes)) throw fail(`the shape of ${quoted(name)} is too large: [${shape.slice(0, 8)}]`);
  if (end - begin !== bytes) {
    throw fail(
      `${quoted(name)} as ${dtype} [${shape.slice(0, 8)}] needs ${bytes} bytes: its data_offsets hold ${end - begin}`,
    );
  }
  return { dtype: dtype as TensorDtype, shape, begin, end };
}

function checkLayout(entries: [string, PlacedEntry][], dataBytes: number, fail: Fail): void {
  let position = 0;
  for (const [name, { begin, end }] of entries) {
    if (end > dataBytes) throw fail(`${quoted(name)} must end within ${dataBytes} bytes of data: it ends at ${end}`);
    if (begin < position) {
      throw fail(`${quoted(name)} overlaps the tensor before it: begins at ${begin}, expected ${position}`);
    }
    if (begin > position) throw fail(`a gap of ${begin - position} bytes lies before ${quoted(name)}`);
    position = end;
  }
  if (position !== dataBytes) {
    throw fail(`the tensors must fill the ${dataBytes} bytes of data: they end at ${position}`);
  }
}

/**
 * Parses and checks a header.
 *
 * @param bytes The header's own bytes, after the eight of its length.
 * @param options File name for messages and the number of bytes that follow the header.
 * @throws {SyntaxError} If it is not a header, or what it says does not fit the file.
 */
export function parseHeader(bytes: Uint8Array, options: { name: string; dataBytes: number }): SafetensorsHeader {
  const fail: Fail = (reason) => unreadable(options.name, "safetensors", reason);
  let json: string;
  let parsed: unknown;
  try {
    json = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    parsed = JSON.parse(json);
  } catch {
    throw fail("the header must be JSON in UTF-8");
  }
  if (!isObject(parsed) || !json.startsWith("{")) throw fail("the header must be a JSON object");
  const twice = duplicateKey(json);
  if (twice !== undefined) throw fail(`the header has ${quoted(twice)} twice`);
  let metadata: Record<string, string> = {};
  const entries: [string, PlacedEntry][] = [];
  for (const [name, value] of Object.entries(parsed)) {
    if (name === "__metadata__") metadata = readMetadata(value, fail);
    else entries.push([name, readEntry(name, value, fail)]);
  }
  entries.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  checkLayout(entries, options.dataBytes, fail);
  return { entries: new Map(entries), metadata };
}
