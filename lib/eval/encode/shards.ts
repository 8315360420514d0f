/**
 * Features of many images and texts, in shards that can be stopped, resumed and joined.
 *
 * A shard is one safetensors file. While it is made, its parts lie in a folder beside it, each whole or absent; a shard
 * or a part counts only under the fingerprint of what it was made from, so nothing is computed twice and nothing stale is kept.
 *
 * @module
 */
import { isRecord, WHOLE } from "../../io/fields.ts";
import { newSha256 } from "../../platform/sha256.ts";
import { readSafetensors, writeSafetensors } from "../../io/safetensors.ts";
import { checkFinite, float32Tensor, type TensorData, toFloat32 } from "../../io/tensors.ts";
import {
  backendField,
  type FeatureList,
  FEATURES_FORMAT,
  featuresMetadata,
  isKept,
  type Shard,
} from "./features_file.ts";
import { CALL, checkOptions, COUNT, FLAG, RECORD, type Rule, type Rules } from "../../platform/options.ts";

/** Encodes items of one list: unit rows, row-major `[indices.length, width]`. */
export interface FeatureEncoder {
  /** Embedding size E. */
  width: number;
  /** Encodes the items at these indices of the list. */
  encode(list: FeatureList["name"], indices: readonly number[]): Promise<Float32Array>;
  /** What computes, for the file's metadata; no reason to compute anything again. @default {not told} */
  backend?: string;
  /** Frees the model. */
  close(): void;
}

/** What is encoded, and with what. */
export interface EncodeJob {
  /** Images, texts or both. */
  lists: readonly FeatureList[];
  /** What the numbers depend on, such as the weights' SHA-256; kept in the file. */
  settings: Readonly<Record<string, string>>;
  /** Loads the model; only called when something is left to encode. */
  open(): Promise<FeatureEncoder>;
}

/** Options of {@linkcode encodeShard}. */
export interface EncodeShardOptions {
  /** Which share. @default {the whole} */
  shard?: Shard;
  /** Items of a part: what is lost at most by an interruption. @default {128} */
  chunk?: number;
  /** Compute again what is there. @default {false} */
  force?: boolean;
  /** Stops after the part under way. */
  signal?: AbortSignal;
  /** Takes a line that says why a file that is there is not kept. */
  onStale?: (text: string) => void;
  /** Called at the start and after each part with the items done. */
  onProgress?: (done: number, total: number) => void;
}

/** A share of the work. */
const SHARD: Rule = {
  must: "an index from 0 to below a count",
  type: "object",
  allows: (value) => {
    if (!isRecord(value)) return false;
    const { index, count } = value;
    return WHOLE.fits(index) && WHOLE.fits(count) && index < count;
  },
};

/** What they must be. */
const ENCODE_SHARD_RULES: Rules<EncodeShardOptions> = {
  shard: SHARD,
  chunk: COUNT,
  force: FLAG,
  signal: RECORD,
  onStale: CALL,
  onProgress: CALL,
};

/** What {@linkcode encodeShard} did. */
export interface EncodedShard {
  /** The shard's file. */
  path: string;
  /** Items encoded in this run. */
  computed: number;
  /** Items that were there already. */
  reused: number;
  /** Whether `signal` ended it; the file is then not there yet. */
  interrupted: boolean;
}

/**
 * Reads `i/n`. Counting may start from 0 or from 1: the share of n/n is that of 0/n.
 *
 * @throws {RangeError} If it is not two whole numbers with `0 <= i <= n` and `n >= 1`.
 */
export function parseShard(text: string): Shard {
  const match = /^(\d{1,7})\/(\d{1,7})$/.exec(text);
  const [index, count] = [Number(match?.[1]), Number(match?.[2])];
  if (!match || count < 1 || index > count) {
    throw new RangeError(
      `Cannot take a share as it must be i/n with i from 0 or 1 to n, such as 1/4: current value is "${text}"`,
    );
  }
  return { index: index % count, count };
}

/** The file of a shard: `out` itself for the whole, else `feats.shard-0-of-8.safetensors` beside `feats.safetensors`. */
export function shardPath(out: string, { index, count }: Shard): string {
  if (count === 1) return out;
  return `${out.replace(/\.safetensors$/, "")}.shard-${index}-of-${count}.safetensors`;
}

/** SHA-256 (hex) of what the features depend on: settings and ids. */
function jobFingerprint({ lists, settings }: Pick<EncodeJob, "lists" | "settings">): string {
  const text = JSON.stringify([
    FEATURES_FORMAT,
    Object.entries(settings).sort(),
    lists.map(({ name, ids }) => [name, ids]),
  ]);
  return newSha256().update(text).digest("hex");
}

/**
 * Encodes one shard of a job, or what is left of it.
 *
 * @param out File of the whole; see {@linkcode shardPath} for a shard's.
 * @throws {ForeignFileError} If something else than features is there.
 * @throws {RangeError} If a feature is not finite; the message names the item, and nothing of its part is written.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function encodeShard(
  out: string,
  job: EncodeJob,
  options: EncodeShardOptions = {},
): Promise<EncodedShard> {
  checkOptions("encode a share", options, ENCODE_SHARD_RULES);
  const { shard = { index: 0, count: 1 }, chunk = 128, force = false, signal, onStale, onProgress } = options;
  const path = shardPath(out, shard);
  const fingerprint = jobFingerprint(job);
  const shares = job.lists.map((list) => ({ list, indices: share(list.ids.length, shard) }));
  const total = shares.reduce((sum, { indices }) => sum + indices.length, 0);
  const metadata = featuresMetadata(job.settings, fingerprint, {
    shard,
    lists: shares.map(({ list, indices }) => part(list, indices)),
  });
  if (!force && await isKept(path, metadata, onStale)) {
    return { path, computed: 0, reused: total, interrupted: false };
  }

  onProgress?.(0, total);
  const parts = `${path}.parts`;
  const tensors = new Map<string, TensorData>();
  const result: EncodedShard = { path, computed: 0, reused: 0, interrupted: false };
  const backends = new Set<string>();
  let model: FeatureEncoder | undefined;
  try {
    for (const { list, indices } of shares) {
      const rows: Float32Array[] = [];
      for (const { some, file, made } of partsOf(list, indices, { folder: parts, fingerprint, chunk })) {
        const kept = force ? undefined : await readPart(file, made);
        if (!kept && signal?.aborted) return { ...result, interrupted: true };
        const { values, backend } = kept ?? await encodePart(model ??= await job.open(), list, some, { file, made });
        result[kept ? "reused" : "computed"] += some.length;
        if (backend) backends.add(backend);
        rows.push(values);
        onProgress?.(result.computed + result.reused, total);
      }
      const width = rows.length > 0
        ? rows[0]!.length / Math.min(chunk, indices.length)
        : (model ??= await job.open()).width;
      tensors.set(`${list.name}_features`, joined(rows, indices.length, width));
    }
  } finally {
    model?.close();
  }
  await writeSafetensors(path, tensors, { ...metadata, ...backendField(backends) }, { isPrivate: true });
  await removeFolder(parts);
  return result;
}

async function removeFolder(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

/** The parts that a list is encoded in: some of its items, the file of their features, and what those are made of. */
function* partsOf(
  list: FeatureList,
  indices: readonly number[],
  { folder, fingerprint, chunk }: { folder: string; fingerprint: string; chunk: number },
): Generator<{ some: number[]; file: string; made: Readonly<Record<string, string>> }> {
  for (let start = 0; start < indices.length; start += chunk) {
    const some = indices.slice(start, start + chunk);
    yield {
      some,
      file: `${folder}/${list.name}-${start}-${some.length}.safetensors`,
      made: { fingerprint, stamps: JSON.stringify(part(list, some).stamps ?? []) },
    };
  }
}

/** Features of some items, and what computed them. */
interface Part {
  values: Float32Array;
  backend: string | undefined;
}

/** Encodes some items of a list, and keeps their features with what they were made of. */
async function encodePart(
  model: FeatureEncoder,
  { name, ids }: FeatureList,
  indices: readonly number[],
  { file, made }: { file: string; made: Readonly<Record<string, string>> },
): Promise<Part> {
  const { width, backend } = model;
  const values = await model.encode(name, indices);
  const features = float32Tensor([indices.length, width], values);
  checkFinite(features, `the features of ${name} ${JSON.stringify(ids[indices[0]!])} and ${indices.length - 1} more`);
  await writeSafetensors(file, { features }, { ...made, ...(backend ? { backend } : {}) }, { isPrivate: true });
  return { values, backend };
}

async function readPart(path: string, made: Readonly<Record<string, string>>): Promise<Part | undefined> {
  try {
    const { tensors, metadata } = await readSafetensors(path);
    const isSame = Object.entries(made).every(([key, value]) => metadata[key] === value);
    return isSame ? { values: toFloat32(tensors.get("features")!), backend: metadata["backend"] } : undefined;
  } catch {
    return undefined; // not there, or damaged: computed again
  }
}

function share(size: number, { index, count }: Shard): number[] {
  return Array.from({ length: Math.max(0, Math.ceil((size - index) / count)) }, (_, i) => index + i * count);
}

/** The items of a list at these indices. */
function part({ name, ids, stamps }: FeatureList, indices: readonly number[]): FeatureList {
  return { name, ids: indices.map((i) => ids[i]!), ...(stamps ? { stamps: indices.map((i) => stamps[i]!) } : {}) };
}

function joined(rows: readonly Float32Array[], count: number, width: number): TensorData {
  const out = new Float32Array(count * width);
  let offset = 0;
  for (const values of rows) {
    out.set(values, offset);
    offset += values.length;
  }
  return float32Tensor([count, width], out);
}
