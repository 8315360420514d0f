/** Joins the shards that {@linkcode encodeShard} makes. @module */
import { checkedField, type FieldRule, TEXTS } from "../../io/fields.ts";
import { readSafetensors, writeSafetensors } from "../../io/safetensors.ts";
import { jsonField } from "../../io/tree.ts";
import { float32Tensor, type TensorData, toFloat32 } from "../../io/tensors.ts";
import {
  backendField,
  type FeatureList,
  FEATURES_FORMAT,
  featuresMetadata,
  isKept,
  type Shard,
} from "./features_file.ts";
import { type EncodeShardOptions, parseShard } from "./shards.ts";
import { CALL, checkOptions, FLAG, type Rules } from "../../platform/options.ts";

/** The shards of `out` that lie beside it, by path. */
export async function findShards(out: string): Promise<string[]> {
  const slash = Math.max(out.lastIndexOf("/"), out.lastIndexOf("\\"));
  const [folder, name] = [
    slash < 0 ? "." : out.slice(0, slash) || "/",
    out.slice(slash + 1).replace(/\.safetensors$/, ""),
  ];
  const shards: string[] = [];
  for await (const entry of Deno.readDir(folder)) {
    const rest = entry.name.startsWith(name) ? entry.name.slice(name.length) : "";
    if (/^\.shard-\d+-of-\d+\.safetensors$/.test(rest)) {
      shards.push(slash < 0 ? entry.name : `${out.slice(0, slash + 1)}${entry.name}`);
    }
  }
  return shards.sort();
}

/** What they must be. */
const MERGE_RULES: Rules<Pick<EncodeShardOptions, "force" | "onStale">> = { force: FLAG, onStale: CALL };

/**
 * Joins all shards of a job to the file that encoding the whole would have made, bit for bit the same numbers.
 *
 * @param paths The shards, in any order.
 * @throws {ForeignFileError} If something else than features is at `out`.
 * @throws {RangeError} If one is missing, there twice, or made from something else; the message names it.
 * @throws {SyntaxError} If one lacks its ids, or has another number of them than rows.
 * @throws {TypeError} If an option is unknown or of another kind.
 */
export async function mergeShards(
  out: string,
  paths: readonly string[],
  options: Pick<EncodeShardOptions, "force" | "onStale"> = {},
): Promise<{ path: string; items: number }> {
  checkOptions("merge shards", options, MERGE_RULES);
  const { force = false, onStale } = options;
  const shards = await readJob(out, paths);
  const { fingerprint, settings } = shards[0]!;
  const lists = shards[0]!.lists.map((_, l) => interleaved(shards.map(({ lists }) => lists[l]!)));
  const metadata = featuresMetadata(settings, fingerprint, { shard: { index: 0, count: 1 }, lists });
  if (force || !await isKept(out, metadata, onStale)) {
    const tensors = new Map(lists.map(({ name, features }) => [`${name}_features`, features]));
    const backends = shards.flatMap(({ backend }) => backend?.split("; ") ?? []);
    await writeSafetensors(out, tensors, { ...metadata, ...backendField(backends) }, { isPrivate: true });
  }
  return { path: out, items: lists.reduce((sum, { ids }) => sum + ids.length, 0) };
}

/** Features of a list, `[ids.length, E]`. */
interface EncodedList extends FeatureList {
  features: TensorData;
}

interface ShardContent {
  path: string;
  fingerprint: string;
  shard: Shard;
  settings: Record<string, string>;
  backend: string | undefined;
  /** By name. */
  lists: EncodedList[];
}

/** All shards of one job, in order. */
async function readJob(out: string, paths: readonly string[]): Promise<ShardContent[]> {
  const [path, ...rest] = paths;
  if (path === undefined) {
    throw new RangeError(`Cannot merge to "${out}" as there must be shards: none found beside it`);
  }
  const first = await readShard(path);
  const shards = [first];
  for (const path of rest) {
    const next = await readShard(path);
    checkSameJob(next, first);
    const same = shards.find(({ shard }) => shard.index === next.shard.index);
    if (same) {
      throw new RangeError(
        `Cannot merge "${path}" as each shard must come once: "${same.path}" is ${next.shard.index}/${next.shard.count}, too`,
      );
    }
    shards.push(next);
  }
  const { count } = first.shard;
  const there = new Set(shards.map(({ shard }) => shard.index));
  const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !there.has(i));
  if (missing.length > 0) {
    throw new RangeError(
      `Cannot merge to "${out}" as all ${count} shards must be there: missing ${
        missing.slice(0, 8).map((i) => `${i}/${count}`).join(", ")
      }`,
    );
  }
  return shards.sort((a, b) => a.shard.index - b.shard.index);
}

/** Refuses a shard of another job, or of other features, than the first one's. */
function checkSameJob(next: ShardContent, first: ShardContent): void {
  if (next.fingerprint !== first.fingerprint || next.shard.count !== first.shard.count) {
    throw new RangeError(
      `Cannot merge "${next.path}" with "${first.path}" as both must be shards of one job: they are of different ones`,
    );
  }
  const held = ({ lists }: ShardContent): string =>
    lists.map(({ name, features }) => `${name}_features [rows, ${features.shape[1]}]`).join(", ");
  if (held(next) === held(first)) return;
  throw new RangeError(
    `Cannot merge "${next.path}" with "${first.path}" as both must hold the same features: they hold ${
      held(next)
    } and ${held(first)}`,
  );
}

/** The rows of a job's n shards as the whole had them: row i is in shard i mod n. */
function interleaved(parts: readonly EncodedList[]): EncodedList {
  const { name, features: { shape } } = parts[0]!;
  const [size, width] = [parts.reduce((sum, { ids }) => sum + ids.length, 0), shape[1]!];
  const values = parts.map(({ features }) => toFloat32(features));
  const out = new Float32Array(size * width);
  const ids: string[] = [], stamps: string[] = [];
  for (let i = 0; i < size; i++) {
    const [part, row] = [i % parts.length, Math.floor(i / parts.length)];
    out.set(values[part]!.subarray(row * width, (row + 1) * width), i * width);
    ids.push(parts[part]!.ids[row]!);
    if (parts[part]!.stamps) stamps.push(parts[part]!.stamps[row]!);
  }
  const features = float32Tensor([size, width], out);
  return { name, ids, features, ...(stamps.length === size ? { stamps } : {}) };
}

/** Which share a file is. */
const SHARD: FieldRule<string> = {
  must: "i/n, the share it is",
  fits: (value): value is string => {
    const [, index, count] = /^(\d{1,7})\/(\d{1,7})$/.exec(String(value)) ?? [];
    return index !== undefined && Number(index) < Number(count);
  },
};

async function readShard(path: string): Promise<ShardContent> {
  const { tensors, metadata } = await readSafetensors(path);
  const { format, fingerprint, shard, backend, ...rest } = metadata;
  if (format !== FEATURES_FORMAT || !fingerprint || !shard) {
    throw new SyntaxError(
      `Cannot merge "${path}" as it must be a file of features: it holds ${tensors.size} other tensors`,
    );
  }
  checkedField(path, "shard", shard, SHARD);
  const textsOf = (key: string, shape: readonly number[], field: string): string[] => {
    const list = jsonField({ path, fields: metadata }, field);
    if (TEXTS.fits(list) && shape.length === 2 && list.length === shape[0]) return list;
    throw new SyntaxError(
      `Cannot merge "${path}" as its metadata field "${field}" must list one text for each row of "${key}" [${shape}]: ${
        Array.isArray(list) ? `it lists ${list.length}` : "it is no list"
      }`,
    );
  };
  const lists = [...tensors].map(([key, features]): EncodedList => {
    const name = key.replace(/_features$/, "") as FeatureList["name"];
    const ids = textsOf(key, features.shape, `${name}_ids`);
    const hasStamps = metadata[`${name}_stamps`] !== undefined;
    return { name, ids, features, ...(hasStamps ? { stamps: textsOf(key, features.shape, `${name}_stamps`) } : {}) };
  });
  const settings = Object.fromEntries(Object.entries(rest).filter(([key]) => !/^(image|text)_(ids|stamps)$/.test(key)));
  return { path, fingerprint, shard: parseShard(shard), settings, backend, lists };
}
