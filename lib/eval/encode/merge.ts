/** Joins the shards that {@linkcode encodeShard} makes. @module */
import { checkedField, type FieldRule } from "../../io/fields.ts";
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

/**
 * Joins all shards of a job to the file that encoding the whole would have made, bit for bit the same numbers.
 *
 * @param paths The shards, in any order.
 * @throws {ForeignFileError} If something else than features is at `out`.
 * @throws {RangeError} If one is missing, there twice, or made from something else; the message names it.
 * @throws {SyntaxError} If one lacks its ids, or has another number of them than rows.
 */
export async function mergeShards(
  out: string,
  paths: readonly string[],
  { force = false, onStale }: Pick<EncodeShardOptions, "force" | "onStale"> = {},
): Promise<{ path: string; items: number }> {
  const [first, ...rest] = paths;
  if (first === undefined) {
    throw new RangeError(`Cannot merge to "${out}" as there must be shards: none found beside it`);
  }
  const shards: ShardContent[] = [await readShard(first)];
  for (const path of rest) {
    const next = await readShard(path);
    const { fingerprint, shard: { index, count } } = next;
    if (fingerprint !== shards[0]!.fingerprint || count !== shards[0]!.shard.count) {
      throw new RangeError(
        `Cannot merge "${path}" with "${first}" as both must be shards of one job: they are of different ones`,
      );
    }
    const lists = (content: ShardContent): string =>
      [...content.tensors].map(([key, { shape }]) => `${key} [rows, ${shape[1]}]`).sort().join(", ");
    if (lists(next) !== lists(shards[0]!)) {
      throw new RangeError(
        `Cannot merge "${path}" with "${first}" as both must hold the same features: they hold ${lists(next)} and ${
          lists(shards[0]!)
        }`,
      );
    }
    const same = shards.find(({ shard }) => shard.index === index);
    if (same) {
      throw new RangeError(
        `Cannot merge "${path}" as each shard must come once: "${same.path}" is ${index}/${count}, too`,
      );
    }
    shards.push(next);
  }
  const { shard: { count }, fingerprint, settings, tensors } = shards[0]!;
  const missing = Array.from({ length: count }, (_, i) => i).filter((i) =>
    !shards.some(({ shard }) => shard.index === i)
  );
  if (missing.length > 0) {
    throw new RangeError(
      `Cannot merge to "${out}" as all ${count} shards must be there: missing ${
        missing.slice(0, 8).map((i) => `${i}/${count}`).join(", ")
      }`,
    );
  }
  shards.sort((a, b) => a.shard.index - b.shard.index);
  const merged = new Map<string, TensorData>();
  const lists: FeatureList[] = [];
  for (const key of tensors.keys()) {
    const name = key.replace(/_features$/, "") as FeatureList["name"];
    const sources = shards.map(({ path, tensors, lists }) => {
      const [features, list] = [tensors.get(key), lists.get(name)];
      if (!features || !list) {
        throw new RangeError(
          `Cannot merge "${path}" as it must hold "${key}", as "${shards[0]!.path}" does: it is missing`,
        );
      }
      return { values: toFloat32(features), ids: list.ids, stamps: list.stamps };
    });
    const size = sources.reduce((sum, source) => sum + source.ids.length, 0);
    const width = tensors.get(key)!.shape[1]!;
    const out = new Float32Array(size * width);
    const ids: string[] = [], stamps: string[] = [];
    for (let i = 0; i < size; i++) {
      const source = sources[i % count]!;
      const row = Math.floor(i / count);
      out.set(source.values.subarray(row * width, (row + 1) * width), i * width);
      ids.push(source.ids[row]!);
      if (source.stamps) stamps.push(source.stamps[row]!);
    }
    merged.set(key, float32Tensor([size, width], out));
    lists.push({ name, ids, ...(stamps.length === size ? { stamps } : {}) });
  }
  const metadata = featuresMetadata(settings, fingerprint, { shard: { index: 0, count: 1 }, lists });
  if (force || !await isKept(out, metadata, onStale)) {
    const backends = shards.flatMap(({ backend }) => backend?.split("; ") ?? []);
    await writeSafetensors(out, merged, { ...metadata, ...backendField(backends) }, { isPrivate: true });
  }
  return { path: out, items: lists.reduce((sum, { ids }) => sum + ids.length, 0) };
}

/** Which share a file is. */
const SHARD: FieldRule = {
  must: "i/n, the share it is",
  fits: (value) => {
    const [, index, count] = /^(\d{1,7})\/(\d{1,7})$/.exec(String(value)) ?? [];
    return index !== undefined && Number(index) < Number(count);
  },
};

interface ShardContent {
  path: string;
  fingerprint: string;
  shard: Shard;
  settings: Record<string, string>;
  backend: string | undefined;
  tensors: Map<string, TensorData>;
  lists: Map<string, FeatureList>;
}

async function readShard(path: string): Promise<ShardContent> {
  const { tensors, metadata } = await readSafetensors(path);
  const { format, fingerprint, shard, backend, ...rest } = metadata;
  if (format !== FEATURES_FORMAT || !fingerprint || !shard) {
    throw new SyntaxError(
      `Cannot merge "${path}" as it must be a file of features: it holds ${tensors.size} other tensors`,
    );
  }
  checkedField(path, "shard", shard, SHARD);
  const listOf = (key: string, shape: readonly number[], field: string): string[] => {
    const list = jsonField({ path, fields: metadata }, field);
    if (
      !Array.isArray(list) || list.some((id) => typeof id !== "string") || shape.length !== 2 ||
      list.length !== shape[0]
    ) {
      throw new SyntaxError(
        `Cannot merge "${path}" as its metadata field "${field}" must list one text for each row of "${key}" [${shape}]: ${
          Array.isArray(list) ? `it lists ${list.length}` : "it is no list"
        }`,
      );
    }
    return list as string[];
  };
  const lists = new Map([...tensors].map(([key, { shape }]) => {
    const name = key.replace(/_features$/, "") as FeatureList["name"];
    const ids = listOf(key, shape, `${name}_ids`);
    const hasStamps = metadata[`${name}_stamps`] !== undefined;
    return [name, { name, ids, ...(hasStamps ? { stamps: listOf(key, shape, `${name}_stamps`) } : {}) }];
  }));
  const settings = Object.fromEntries(Object.entries(rest).filter(([key]) => !/^(image|text)_(ids|stamps)$/.test(key)));
  return { path, fingerprint, shard: parseShard(shard), settings, backend, tensors, lists };
}
