/**
 * The safetensors format: eight bytes of header length, a JSON header, then the tensors' bytes.
 *
 * Source: https://github.com/huggingface/safetensors (format section of the README); as strict as its Rust reader. Like it, a
 * header of any length is accepted (data need not be aligned); files written here are aligned to eight bytes.
 *
 * @module
 */
import { type ByteSource, bytesSource, fileSource } from "./byte_source.ts";
import { writeAll, writeFileAtomicWith, type WriteFileOptions } from "./files.ts";
import { MAX_HEADER_BYTES, parseHeader, type SafetensorsHeader } from "./_safetensors_header.ts";
import { readAllTensors, type TensorFile } from "./tensor_file.ts";
import { DTYPE_BYTES, elementCount, type TensorData } from "./tensors.ts";
import { quoted, unreadable } from "./_errors.ts";

/** Tensors by name, in either form. */
export type NamedTensors = ReadonlyMap<string, TensorData> | Readonly<Record<string, TensorData>>;

/** What a safetensors file holds. */
export interface SafetensorsContent {
  /** Tensors by name, in the order of their bytes. */
  tensors: Map<string, TensorData>;
  /** The `__metadata__` map. */
  metadata: Record<string, string>;
}

async function readHeader(source: ByteSource): Promise<SafetensorsHeader & { start: number }> {
  const { name, size } = source;
  if (size < 8) throw unreadable(name, "safetensors", `it must have at least 8 bytes: found ${size}`);
  const head = await source.read(0, 8);
  const length = new DataView(head.buffer, head.byteOffset).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES) {
    throw unreadable(
      name,
      "safetensors",
      `the header must have at most ${MAX_HEADER_BYTES} bytes: it claims ${length}`,
    );
  }
  const start = 8 + Number(length);
  if (start > size) {
    throw unreadable(name, "safetensors", `the header must end within ${size} bytes: it ends at ${start}`);
  }
  return { ...parseHeader(await source.read(8, Number(length)), { name, dataBytes: size - start }), start };
}

async function openSource(source: ByteSource): Promise<TensorFile & Pick<SafetensorsContent, "metadata">> {
  const { entries, metadata, start } = await readHeader(source);
  return {
    path: source.name,
    format: "safetensors",
    entries: new Map([...entries].map(([name, { dtype, shape }]) => [name, { dtype, shape }])),
    metadata,
    read: async (name) => {
      const entry = entries.get(name);
      if (!entry) throw new RangeError(`Cannot read ${quoted(name)} as "${source.name}" has no such tensor`);
      const data = await source.read(start + entry.begin, entry.end - entry.begin);
      return { dtype: entry.dtype, shape: [...entry.shape], data };
    },
    close: () => source.close(),
  };
}

/**
 * Opens a safetensors file and reads its header only; tensors are read when asked for. The caller closes it.
 *
 * @throws {SyntaxError} If the file is not whole and consistent; the message names it.
 */
export async function openSafetensors(path: string): Promise<TensorFile & Pick<SafetensorsContent, "metadata">> {
  const source = await fileSource(path);
  try {
    return await openSource(source);
  } catch (error) {
    source.close();
    throw error;
  }
}

/**
 * Reads all of a safetensors file.
 *
 * @param input Path, or the file's bytes (the tensors then share their memory).
 * @throws {SyntaxError} If it is not whole and consistent.
 */
export async function readSafetensors(input: string | Uint8Array): Promise<SafetensorsContent> {
  if (typeof input !== "string") return await decodeSafetensors(input);
  const file = await openSafetensors(input);
  try {
    return { tensors: await readAllTensors(file), metadata: file.metadata };
  } finally {
    file.close();
  }
}

/**
 * Reads a safetensors file from memory; the tensors share it.
 *
 * @param name What messages call it.
 * @throws {SyntaxError} If it is not whole and consistent.
 */
export async function decodeSafetensors(bytes: Uint8Array, name = "(bytes)"): Promise<SafetensorsContent> {
  const file = await openSource(bytesSource(bytes, name));
  return { tensors: await readAllTensors(file), metadata: file.metadata };
}

/** Entries in the order they are written, widest type first so that each is aligned (as the Rust writer does), then by name. */
function writingOrder(tensors: NamedTensors): [string, TensorData][] {
  const entries: [string, TensorData][] = tensors instanceof Map ? [...tensors] : Object.entries(tensors);
  const order = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0;
  return entries.sort(([a, x], [b, y]) => DTYPE_BYTES[y.dtype] - DTYPE_BYTES[x.dtype] || order(a, b));
}

function encodeHeader(entries: [string, TensorData][], metadata: Readonly<Record<string, string>>): Uint8Array {
  const fields: [string, unknown][] = Object.keys(metadata).length ? [["__metadata__", metadata]] : [];
  let position = 0;
  for (const [name, { dtype, shape, data }] of entries) {
    const bytes = elementCount(shape) * DTYPE_BYTES[dtype];
    if (name === "__metadata__") throw new TypeError('Cannot write a tensor as "__metadata__": that name is reserved');
    if (data.byteLength !== bytes) {
      throw new TypeError(
        `Cannot write ${quoted(name)} as ${dtype} [${shape}] needs ${bytes} bytes: current value is ${data.byteLength}`,
      );
    }
    fields.push([name, { dtype, shape, data_offsets: [position, position + bytes] }]);
    position += bytes;
  }
  const json = new TextEncoder().encode(
    `{${fields.map(([k, v]) => `${JSON.stringify(k)}:${JSON.stringify(v)}`).join(",")}}`,
  );
  const length = Math.ceil(json.length / 8) * 8;
  const head = new Uint8Array(8 + length).fill(0x20, 8);
  new DataView(head.buffer).setBigUint64(0, BigInt(length), true);
  head.set(json, 8);
  return head;
}

/**
 * The bytes of a safetensors file.
 *
 * @param metadata The `__metadata__` map; names and values are strings.
 * @throws {TypeError} If the bytes of a tensor do not fit its type and shape.
 * @example Usage
 * ```ts
 * import { decodeSafetensors, encodeSafetensors, float32Tensor, toFloat32 } from "@ace-lora/ace-lora/io";
 * import { assertEquals } from "@std/assert";
 *
 * const bytes = encodeSafetensors({ weight: float32Tensor([1, 2], [0.5, 2]) }, { note: "hello" });
 * const { tensors, metadata } = await decodeSafetensors(bytes);
 * assertEquals([...toFloat32(tensors.get("weight")!)], [0.5, 2]);
 * assertEquals(metadata, { note: "hello" });
 * ```
 */
export function encodeSafetensors(tensors: NamedTensors, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const entries = writingOrder(tensors);
  const head = encodeHeader(entries, metadata);
  const out = new Uint8Array(entries.reduce((sum, [, t]) => sum + t.data.byteLength, head.length));
  out.set(head);
  let position = head.length;
  for (const [, { data }] of entries) {
    out.set(data, position);
    position += data.byteLength;
  }
  return out;
}

/**
 * Writes a safetensors file, whole or not at all, without joining the tensors in memory.
 *
 * @param metadata The `__metadata__` map; names and values are strings.
 * @param options Who may read the file.
 * @throws {TypeError} If the bytes of a tensor do not fit its type and shape.
 * @throws {Error} If the file cannot be written; the message names it.
 */
export async function writeSafetensors(
  path: string,
  tensors: NamedTensors,
  metadata: Readonly<Record<string, string>> = {},
  options: WriteFileOptions = {},
): Promise<void> {
  const entries = writingOrder(tensors);
  const head = encodeHeader(entries, metadata);
  await writeFileAtomicWith(path, async (file) => {
    await writeAll(file, head);
    for (const [, { data }] of entries) await writeAll(file, data);
  }, options);
}
