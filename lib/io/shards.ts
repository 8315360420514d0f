/** Weights in several files: `model-00001-of-00002.safetensors` beside `model.safetensors.index.json`. @module */
import { dirname, join } from "@std/path";
import { readSmallText } from "./byte_source.ts";
import { isRecord } from "./fields.ts";
import type { TensorFile } from "./tensor_file.ts";
import { quoted, unreadable } from "./_errors.ts";
import { system } from "../platform/system.ts";

const FORMAT = "an index of shards";
/** Most bytes of an index: that of 100,000 tensors. */
const MAX_INDEX_BYTES = 1 << 24;
const MAX_SHARDS = 1000;

/** Whether a path is an index of shards, by its name. */
export function isShardIndex(path: string): boolean {
  return path.endsWith(".index.json");
}

/** Names of all shards of the set that `path` names one of, or undefined when its name says nothing of shards. */
export function shardSet(path: string): string[] | undefined {
  const [, stem, , total, ending] = /^(.*)-(\d{5})-of-(\d{5})(\.[^.]+)$/.exec(path) ?? [];
  const count = Number(total);
  if (stem === undefined || count < 1 || count > MAX_SHARDS) return undefined;
  return Array.from({ length: count }, (_, i) => `${stem}-${String(i + 1).padStart(5, "0")}-of-${total}${ending}`);
}

/** The file of each tensor, from an index. */
async function readWeightMap(path: string): Promise<Map<string, string>> {
  const fail = (reason: string): SyntaxError => unreadable(path, FORMAT, reason);
  const text = await readSmallText(path, MAX_INDEX_BYTES);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw fail("it must be JSON");
  }
  const map = isRecord(json) ? json["weight_map"] : undefined;
  if (!isRecord(map)) throw fail("weight_map must be a record");
  const files = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    // A shard lies beside its index: a name that leads elsewhere is not followed.
    if (typeof file !== "string" || !/^[^/\\]+\.[^/\\.]+$/.test(file)) {
      throw fail(`the file of ${quoted(name)} must be a name: found ${quoted(String(file))}`);
    }
    files.set(name, file);
  }
  return files;
}

/**
 * Opens the shards that an index names as one file. The caller closes it.
 *
 * @param open Opens one of them.
 * @throws {SyntaxError} If the index is none, a shard is missing or lacks a tensor, or two hold the same.
 */
export async function openShardIndex(path: string, open: (path: string) => Promise<TensorFile>): Promise<TensorFile> {
  const map = await readWeightMap(path);
  const names = [...new Set(map.values())];
  if (names.length < 1 || names.length > MAX_SHARDS) {
    throw unreadable(path, FORMAT, `it must name 1 to ${MAX_SHARDS} files: found ${names.length}`);
  }
  const file = await openShards(names.map((name) => join(dirname(path), name)), path, open);
  for (const [name, shard] of map) {
    if (file.entries.has(name)) continue;
    file.close();
    throw unreadable(path, FORMAT, `${quoted(name)} must be in ${quoted(shard)}: it is not`);
  }
  return file;
}

/**
 * Opens shards as one file. The caller closes it.
 *
 * @param paths All of them.
 * @param name What messages call the set.
 * @param open Opens one of them.
 * @throws {SyntaxError} If one is missing, or two hold a tensor of the same name.
 */
export async function openShards(
  paths: readonly string[],
  name: string,
  open: (path: string) => Promise<TensorFile>,
): Promise<TensorFile> {
  const files: TensorFile[] = [];
  const owners = new Map<string, TensorFile>();
  const close = (): void => files.forEach((file) => file.close());
  try {
    for (const path of paths) {
      if (!await system.stat(path).then(() => true, () => false)) {
        throw new SyntaxError(`Cannot read "${name}" as its shard "${path}" is missing: it has ${paths.length}`);
      }
      const file = await open(path);
      files.push(file);
      for (const tensor of file.entries.keys()) {
        const first = owners.get(tensor)?.path;
        if (first !== undefined) {
          throw new SyntaxError(`Cannot read "${name}" as ${quoted(tensor)} is in "${first}" and in "${path}"`);
        }
        owners.set(tensor, file);
      }
    }
  } catch (error) {
    close();
    throw error;
  }
  return {
    path: name,
    format: files[0]!.format,
    entries: new Map(files.flatMap(({ entries }) => [...entries])),
    metadata: Object.assign({}, ...files.map(({ metadata }) => metadata)),
    read: (tensor) => {
      const file = owners.get(tensor);
      if (file) return file.read(tensor);
      return Promise.reject(new RangeError(`Cannot read ${quoted(tensor)} as "${name}" has no such tensor`));
    },
    close,
  };
}
