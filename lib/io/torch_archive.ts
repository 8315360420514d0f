/**
 * PyTorch's zip archives (`torch.save` since 1.6): a pickle beside one stored record per storage, read without Python. A
 * TorchScript program (`torch.jit.save`) is such an archive with code in it: its tensors are read, its code is not looked at.
 *
 * Source: torch/serialization.py (`_save`, `_load`) and torch/_utils.py (`_rebuild_tensor_v2`) of PyTorch 2.x.
 *
 * @module
 */
import { type ByteSource, fileSource } from "./byte_source.ts";
import { isPassedOver } from "./_pickle_machine.ts";
import { unpickle } from "./pickle.ts";
import type { TensorFile } from "./tensor_file.ts";
import { DTYPE_BYTES, elementCount, type TensorData } from "./tensors.ts";
import { findTorchGlobal, loadStorage, TorchView } from "./_torch_globals.ts";
import { flattenTree, type FlatTree, isPlain, type PickleValue } from "./torch_tree.ts";
import { quoted, unreadable } from "./_errors.ts";
import { gatherView, isContiguous, viewSpan } from "./_strides.ts";
import { hasRightChecksum, readZipDirectory, readZipRecord, type ZipRecord } from "./zip_directory.ts";
import { errorMessage } from "../platform/error_message.ts";

const FORMAT = "a PyTorch file";
/** Longest pickle read, in bytes: that of 100,000 tensors. */
const MAX_PICKLE_BYTES = 1 << 24;
/** A file's tensors may take this many bytes more than four times the file (views may share or repeat their storage). */
const SPARE_BYTES = 1 << 26;

interface Archive {
  source: ByteSource;
  tree: unknown;
  flat: FlatTree<TorchView>;
  read(view: TorchView): Promise<TensorData>;
}

function readRecord(source: ByteSource, record: ZipRecord, label: string): Promise<Uint8Array> {
  return readZipRecord(source, record, { label, format: FORMAT });
}

async function checkByteOrder(source: ByteSource, record: ZipRecord | undefined): Promise<void> {
  if (!record) return; // files written before PyTorch 2.1 are little-endian
  const order = record.size <= 16 ? new TextDecoder().decode(await readRecord(source, record, "byteorder")) : "?";
  if (order !== "little") {
    throw unreadable(source.name, FORMAT, `its byte order must be "little": found ${quoted(order)}`);
  }
}

/** The folder in the archive that has the pickle. */
function findPrefix(source: ByteSource, records: Map<string, ZipRecord>): string {
  const pickles = [...records.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length !== 1) {
    throw unreadable(source.name, FORMAT, `the archive must have one "<name>/data.pkl": found ${pickles.length}`);
  }
  const prefix = pickles[0]!.slice(0, -"data.pkl".length);
  const stray = [...records.keys()].find((name) => !name.startsWith(prefix));
  if (stray !== undefined) {
    throw unreadable(source.name, FORMAT, `record ${quoted(stray)} must lie under ${quoted(prefix)}`);
  }
  for (const [name, { size, inflated }] of records) {
    // A TorchScript program's code is deflated; it is neither read nor run.
    if (inflated === undefined || !/^(data\.pkl|byteorder|data\/)/.test(name.slice(prefix.length))) continue;
    const actual = `it is deflated, ${size} bytes for ${inflated}`;
    throw unreadable(source.name, FORMAT, `record ${quoted(name)} must be stored, as torch.save writes it: ${actual}`);
  }
  return prefix;
}

/** Checks that each storage is there with the size the pickle gives it, and that the views do not outgrow the file. */
function checkStorages(
  source: ByteSource,
  views: Iterable<TorchView>,
  storages: (key: string) => ZipRecord | undefined,
): void {
  let total = 0;
  for (const { storage, dtype, shape } of views) {
    const record = storages(storage.key);
    if (!record) throw unreadable(source.name, FORMAT, `storage "data/${storage.key}" is missing`);
    const bytes = storage.count * DTYPE_BYTES[storage.dtype];
    if (record.size !== bytes) {
      throw unreadable(
        source.name,
        FORMAT,
        `storage "data/${storage.key}" must have ${bytes} bytes: found ${record.size}`,
      );
    }
    total += elementCount(shape) * DTYPE_BYTES[dtype];
    if (total > 4 * source.size + SPARE_BYTES) {
      throw unreadable(
        source.name,
        FORMAT,
        `its tensors must not outgrow the file of ${source.size} bytes: they take ${total} or more`,
      );
    }
  }
}

async function readArchive(source: ByteSource): Promise<Archive> {
  const records = await readZipDirectory(source, FORMAT);
  const prefix = findPrefix(source, records);
  await checkByteOrder(source, records.get(`${prefix}byteorder`));
  const pickle = records.get(`${prefix}data.pkl`)!;
  if (pickle.size > MAX_PICKLE_BYTES) {
    throw unreadable(
      source.name,
      FORMAT,
      `its pickle must have at most ${MAX_PICKLE_BYTES} bytes: found ${pickle.size}`,
    );
  }
  const tree = unpickle(await readRecord(source, pickle, "data.pkl"), {
    name: source.name,
    findGlobal: findTorchGlobal,
    persistentLoad: loadStorage,
  });
  let flat: Archive["flat"];
  try {
    flat = flattenTree(tree, (value) => value instanceof TorchView);
  } catch (error) {
    throw unreadable(source.name, FORMAT, errorMessage(error));
  }
  if (flat.tensors.size === 0 && flat.leftOut !== undefined) {
    const reason = `it holds no tensors beside a ${
      quoted(flat.leftOut)
    }: save its state_dict alone, in Python: torch.save(model.state_dict(), "weights.pt")`;
    throw unreadable(source.name, FORMAT, reason);
  }
  const recordOf = (key: string): ZipRecord | undefined => records.get(`${prefix}data/${key}`);
  checkStorages(source, flat.tensors.values(), recordOf);
  return { source, tree, flat, read: viewReader(source, recordOf) };
}

/** Reads views of storages; a storage that is read in part has its checksum looked at first, once. */
function viewReader(source: ByteSource, recordOf: (key: string) => ZipRecord | undefined): Archive["read"] {
  const checked = new Set<string>();
  return async (view) => {
    const { storage: { key }, dtype, shape, strides } = view;
    const record = recordOf(key)!;
    const elementBytes = DTYPE_BYTES[dtype];
    const bytes = viewSpan(shape, strides) * elementBytes;
    const label = `data/${key}`;
    let data: Uint8Array;
    if (bytes === record.size) data = await readRecord(source, record, label);
    else {
      if (!checked.has(key) && !await hasRightChecksum(source, record)) {
        throw unreadable(source.name, FORMAT, `record ${quoted(label)} is damaged: its checksum differs`);
      }
      data = await source.read(record.offset + view.offset * elementBytes, bytes);
    }
    checked.add(key);
    if (!isContiguous(shape, strides)) data = gatherView(data, { shape, strides, elementBytes });
    return { dtype, shape: [...shape], data };
  };
}

async function openArchive(path: string): Promise<Archive> {
  const source = await fileSource(path);
  try {
    return await readArchive(source);
  } catch (error) {
    source.close();
    throw error;
  }
}

/**
 * Opens a PyTorch archive and reads its pickle only; tensors, under their flat dotted names, are read when asked for. The caller
 * closes it. Views become contiguous; a tensor's checksum is verified when it is read, where the writer stored one.
 *
 * @throws {SyntaxError} If the file is not whole and consistent, or its pickle asks for a global or an opcode that is not allowed.
 */
export async function openTorch(path: string): Promise<TensorFile> {
  const archive = await openArchive(path);
  const { tensors, values } = archive.flat;
  return {
    path,
    format: "torch",
    entries: new Map([...tensors].map(([name, { dtype, shape }]) => [name, { dtype, shape: [...shape] }])),
    metadata: values,
    read: async (name) => {
      const view = tensors.get(name);
      if (!view) throw new RangeError(`Cannot read ${quoted(name)} as "${path}" has no such tensor`);
      return await archive.read(view);
    },
    close: () => archive.source.close(),
  };
}

async function loadTree(value: unknown, archive: Archive): Promise<PickleValue> {
  if (value instanceof TorchView) return await archive.read(value);
  if (Array.isArray(value) && !value.every(isPlain)) {
    const items: PickleValue[] = [];
    for (const item of value) items.push(await loadTree(item, archive));
    return Object.isFrozen(value) ? Object.freeze(items) : items;
  }
  if (isPassedOver(value)) return null;
  if (value instanceof Map) {
    const map = new Map<string | number | boolean, PickleValue>();
    for (const [key, item] of value) map.set(key, await loadTree(item, archive));
    return map;
  }
  return value as PickleValue;
}

/**
 * Reads all of a PyTorch archive as it is nested: what `torch.load` would return, with null for what is neither tensor nor plain.
 *
 * @throws {SyntaxError} If the file is not whole and consistent, or its pickle asks for a global or an opcode that is not allowed.
 *
 * @example What was written
 * ```ts
 * import { float32Tensor, loadTorch, writeTorch } from "@ace-lora/ace-lora/io";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile({ suffix: ".pt" });
 * await writeTorch(path, { epoch: 3, weight: float32Tensor([1, 2], [0.5, 2]) });
 * const checkpoint = await loadTorch(path) as Map<string, unknown>;
 * assertEquals(checkpoint.get("epoch"), 3);
 * await Deno.remove(path);
 * ```
 */
export async function loadTorch(path: string): Promise<PickleValue> {
  const archive = await openArchive(path);
  try {
    return await loadTree(archive.tree, archive);
  } finally {
    archive.source.close();
  }
}
