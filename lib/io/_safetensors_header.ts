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

/** Most tensors of a file, as of a PyTorch archive. */
const MAX_TENSORS = 100_000;
/** Deepest nesting of a header: the file, a tensor, its shape. */
const MAX_DEPTH = 3;

/** The place of the quotation mark that ends the string begun at `start`, or -1. */
function endOfString(json: string, start: number): number {
  for (let end = json.indexOf('"', start + 1); end >= 0; end = json.indexOf('"', end + 1)) {
    let slashes = 0;
    while (json[end - 1 - slashes] === "\\") slashes++;
    if (slashes % 2 === 0) return end;
  }
  return -1;
}

/**
 * What JSON.parse would not mind: a key that one object has twice (it keeps the last in silence), and more objects than there
 * may be, found before they are made. Undefined when there is nothing; text that is no JSON is left to JSON.parse.
 */
function objection(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let objects = 0;
  for (let position = 0; position < json.length; position++) {
    const char = json[position];
    if (char === "{" || char === "[") {
      if (open.push(char === "{" ? new Set() : undefined) > MAX_DEPTH) {
        return `the header must be ${MAX_DEPTH} deep at most`;
      }
      if (char === "{" && ++objects > MAX_TENSORS + 2) return `it must have at most ${MAX_TENSORS} tensors`;
    } else if (char === "}" || char === "]") open.pop();
    else if (char === '"') {
      const end = endOfString(json, position);
      if (end < 0) return undefined;
      const keys = open.at(-1);
      if (keys && isKey(json, end)) {
        const key = String(JSON.parse(json.slice(position, end + 1)));
        if (keys.has(key)) return `the header has ${quoted(key)} twice`;
        if (keys.add(key).size > MAX_TENSORS + 1) return `an object must have at most ${MAX_TENSORS} fields`;
      }
      position = end;
    }
  }
  return undefined;
}

/** Whether a colon follows the string that ends at `end`. */
function isKey(json: string, end: number): boolean {
  let next = end + 1;
  while (/\s/.test(json[next] ?? "")) next++;
  return json[next] === ":";
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizeList(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((x) => Number.isSafeInteger(x) && x >= 0);
}

function isTexts(value: unknown): value is Record<string, string> {
  return isObject(value) && Object.values(value).every((text) => typeof text === "string");
}

function isDtype(value: unknown): value is TensorDtype {
  return typeof value === "string" && Object.hasOwn(DTYPE_BYTES, value);
}

function readMetadata(value: unknown, fail: Fail): Record<string, string> {
  if (!isTexts(value)) throw fail("__metadata__ must map names to strings");
  return value;
}

function readEntry(name: string, value: unknown, fail: Fail): PlacedEntry {
  if (!isObject(value)) throw fail(`tensor ${quoted(name)} must be described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (!isDtype(dtype)) {
    throw fail(
      `tensor ${quoted(name)} must have a type of ${Object.keys(DTYPE_BYTES).join(", ")}: found ${
        quoted(String(dtype))
      }`,
    );
  }
  if (!isSizeList(shape)) throw fail(`the shape of ${quoted(name)} must be a list of sizes`);
  if (!isSizeList(offsets) || offsets.length !== 2) throw fail(`data_offsets of ${quoted(name)} must be two positions`);
  const [begin = 0, end = 0] = offsets;
  const bytes = elementCount(shape) * DTYPE_BYTES[dtype];
  if (!Number.isSafeInteger(bytes)) throw fail(`the shape of ${quoted(name)} is too large: [${shape.slice(0, 8)}]`);
  if (end - begin !== bytes) {
    throw fail(
      `${quoted(name)} as ${dtype} [${shape.slice(0, 8)}] needs ${bytes} bytes: its data_offsets hold ${end - begin}`,
    );
  }
  return { dtype, shape, begin, end };
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
  let reason: string | undefined;
  let parsed: unknown;
  try {
    json = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    reason = objection(json);
    if (reason === undefined) parsed = JSON.parse(json);
  } catch {
    throw fail("the header must be JSON in UTF-8");
  }
  if (reason !== undefined) throw fail(reason);
  if (!isObject(parsed) || !json.startsWith("{")) throw fail("the header must be a JSON object");
  let metadata: Record<string, string> = {};
  const entries: [string, PlacedEntry][] = [];
  for (const [name, value] of Object.entries(parsed)) {
    if (name === "__metadata__") metadata = readMetadata(value, fail);
    else entries.push([name, readEntry(name, value, fail)]);
  }
  if (entries.length > MAX_TENSORS) throw fail(`it must have at most ${MAX_TENSORS} tensors: it has ${entries.length}`);
  entries.sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  checkLayout(entries, options.dataBytes, fail);
  return { entries: new Map(entries), metadata };
}
