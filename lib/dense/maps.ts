/** The frozen encoder's maps, computed once and kept on disk. @module */
import { exists } from "../io/files.ts";
import { join } from "@std/path";
import * as tf from "@tensorflow/tfjs";
import { inputTransform } from "../data/sources.ts";
import type { Case } from "../data/types.ts";
import type { ClipConfig } from "../clip/config.ts";
import { gridSide, imageTower } from "../clip/towers/image.ts";
import type { DenseEncoder } from "./encoder.ts";
import { toPixels } from "../image/preprocess.ts";
import { openSafetensors, writeSafetensors } from "../io/safetensors.ts";
import { float32Tensor, type TensorData, toFloat32 } from "../io/tensors.ts";
import type { Tensor4D } from "../tensor/types.ts";
import { errorMessage } from "../platform/error_message.ts";
import { CALL, checkOptions, COUNT, type Rules, TEXT } from "../platform/options.ts";
import { newSha256 } from "../platform/sha256.ts";

/** Maps of a set of images, and the images' sizes. */
export interface MapSource {
  /** Number of images. */
  size: number;
  /** Side of a map. */
  grid: number;
  /** Width of a token. */
  width: number;
  /** What identifies them: SHA-256, hex. */
  key: string;
  /** How many images were encoded now; the others came from disk. */
  computed: number;
  /** Width and height of each image, pixels. */
  imageSizes: readonly (readonly [number, number])[];
  /** Maps of the images asked for, `[n, g, g, D]`. */
  maps(indices: readonly number[]): Promise<Float32Array>;
}

/** Cases with their maps, in the same order. */
export interface MappedCases {
  /** The cases. */
  cases: readonly Case[];
  /** Their maps. */
  maps: MapSource;
}

/** Options of {@linkcode mapSource}. */
export interface MapSourceOptions {
  /** Folder of the cache. @default {none: kept in memory only} */
  cache?: string;
  /** Takes the error of a cache that cannot be written; maps are then held in memory. @default {it is thrown} */
  onCacheError?: (error: Error) => void;
  /** Images encoded at a time. @default {16} */
  batchSize?: number;
  /** Called after each batch with the images done. */
  onBatch?: (done: number) => void;
  /** Called with each image that is encoded and its width and height, to refuse a case before hours have gone by. */
  check?: (item: Case, size: readonly [number, number]) => void | Promise<void>;
}

/** What they must be. */
const MAP_SOURCE_RULES: Rules<MapSourceOptions> = {
  cache: TEXT,
  onCacheError: CALL,
  batchSize: COUNT,
  onBatch: CALL,
  check: CALL,
};

/** Most bytes of maps that are held in memory when there is a cache on disk. */
const IN_MEMORY = 512 * 2 ** 20;

/** Bytes of maps in one file. */
const SHARD = 64 * 2 ** 20;

/** Version of what is stored; a change of meaning must change it. */
const FORMAT = "ace-lora dense maps 1";

/**
 * What the maps of these cases depend on, as one SHA-256: weights (adapter included), sizes and normalisation, the backend
 * (whose rounding they carry), the cases' ids, length and time of their files, and the pixels of the first, the middle and
 * the last image, so that changed images and another folder with the same names have another key.
 */
export async function mapsKey(cases: readonly Case[], { config, hash: weights }: DenseEncoder): Promise<string> {
  const hash = newSha256();
  hash.update(JSON.stringify([FORMAT, config.vision, config.mean, config.std, tf.getBackend()]));
  hash.update(weights);
  hash.update(cases.map(({ id }) => id).join("\n"));
  for (const { path } of cases) {
    if (path === undefined) continue;
    const { size, mtime } = await Deno.stat(path);
    hash.update(`${size} ${mtime?.getTime()}\n`);
  }
  for (const i of new Set([0, cases.length >> 1, cases.length - 1])) {
    const { pixels } = await encoderInput(cases[i]!, config);
    hash.update(new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength));
  }
  return hash.digest("hex");
}

/** The whole image, stretched to the encoder's square, so that a map covers all of it. */
async function encoderInput(
  item: Case,
  config: ClipConfig,
): Promise<{ pixels: Float32Array; size: [number, number] }> {
  const image = await item.image();
  return {
    pixels: toPixels(image, { ...inputTransform(config), mode: "train" }),
    size: [image.width, image.height],
  };
}

/**
 * The final tokens of every image without [CLS], as maps `[g, g, D]`. With a cache folder they are written in files of 64 MiB
 * under the key, each whole or absent, so that an interrupted run goes on where it stopped; with the same key they are read
 * back instead of computed.
 *
 * ACE-HGNN changes [CLS] alone: of an adapter, only the LoRA part of the image tower is seen here.
 *
 * @param cases Images, in the order of the indices.
 * @param encoder The frozen tower.
 * @throws {RangeError} If there is no case.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function mapSource(
  cases: readonly Case[],
  encoder: DenseEncoder,
  options: MapSourceOptions = {},
): Promise<MapSource> {
  checkOptions("encode images", options, MAP_SOURCE_RULES);
  const { cache } = options;
  if (cases.length === 0) throw new RangeError("Cannot encode images as there must be an image: there are 0");
  const { width } = encoder.config.vision;
  const grid = gridSide(encoder.config.vision);
  const numbers = grid * grid * width;
  const key = await mapsKey(cases, encoder);
  const perShard = Math.max(1, Math.floor(SHARD / (4 * numbers)));
  const isHeld = cache === undefined || cases.length * numbers * 4 <= IN_MEMORY;
  const imageSizes: [number, number][] = [];
  const parts: (string | Float32Array)[] = []; // files, or the maps themselves
  let computed = 0;
  const isWritten = untilItFails(options);
  for (let start = 0; start < cases.length; start += perShard) {
    const part = cases.slice(start, start + perShard);
    const path = cache === undefined ? undefined : join(cache, key.slice(0, 16), `${start}.safetensors`);
    let shard = path === undefined || !await exists(path) ? undefined : await readShard(path, key, isHeld);
    let file = shard && path;
    if (!shard) {
      shard = await encodeShard(part, encoder, { ...options, done: start });
      computed += part.length;
      const made: Shard = shard;
      const write = (path: string): Promise<void> => writeShard(path, key, made, [part.length, grid, width]);
      if (path !== undefined && await isWritten(() => write(path))) file = path;
    }
    parts.push(isHeld || file === undefined ? shard.maps! : file);
    imageSizes.push(...shard.sizes);
    options.onBatch?.(start + part.length);
  }
  const maps = mapReader(parts, { perShard, numbers });
  return { size: cases.length, grid, width, key, computed, imageSizes, maps };
}

/** Does a cache's writing, and says whether it was done: after an error that somebody takes nothing more is written. */
function untilItFails({ cache, onCacheError }: MapSourceOptions): (write: () => Promise<void>) => Promise<boolean> {
  let isWritable = true;
  return async (write) => {
    if (!isWritable) return false;
    await write().catch((error) => {
      if (!onCacheError) throw error;
      isWritable = false;
      onCacheError(new Error(`Cannot keep maps in "${cache}": ${errorMessage(error)}`, { cause: error }));
    });
    return isWritable;
  };
}

/** Reads maps from the parts they lie in, each a file or the maps themselves. */
function mapReader(
  parts: readonly (string | Float32Array)[],
  { perShard, numbers }: { perShard: number; numbers: number },
): MapSource["maps"] {
  return async (indices) => {
    const out = new Float32Array(indices.length * numbers);
    for (const [i, index] of indices.entries()) {
      const [part, place] = [parts[Math.floor(index / perShard)]!, index % perShard];
      const map = typeof part === "string"
        ? await readMap(part, place)
        : part.subarray(place * numbers, (place + 1) * numbers);
      out.set(map, i * numbers);
    }
    return out;
  };
}

interface Shard {
  maps?: Float32Array;
  sizes: [number, number][];
}

async function encodeShard(
  cases: readonly Case[],
  { trunk, config }: DenseEncoder,
  options: MapSourceOptions & { done: number },
): Promise<Shard> {
  const { batchSize = 16, onBatch, check, done } = options;
  const { imageSize, width } = config.vision;
  const grid = gridSide(config.vision);
  const maps = new Float32Array(cases.length * grid * grid * width);
  const sizes: [number, number][] = [];
  for (let start = 0; start < cases.length; start += batchSize) {
    const inputs = await Promise.all(
      cases.slice(start, start + batchSize).map(async (item) => {
        const input = await encoderInput(item, config);
        await check?.(item, input.size);
        return input;
      }),
    );
    const pixels = new Float32Array(inputs.length * imageSize * imageSize * 3);
    inputs.forEach((input, i) => pixels.set(input.pixels, i * imageSize * imageSize * 3));
    const tokens = tf.tidy(() => {
      const x = tf.tensor4d(pixels, [inputs.length, imageSize, imageSize, 3]);
      return tf.slice(imageTower(trunk, x, config.vision).tokens, [0, 1, 0], [-1, -1, -1]);
    });
    maps.set(await tokens.data(), start * grid * grid * width);
    tokens.dispose();
    sizes.push(...inputs.map(({ size }) => size));
    onBatch?.(done + start + inputs.length);
  }
  return { maps, sizes };
}

/** One tensor an image, so that one can be read without the others. */
async function writeShard(
  path: string,
  key: string,
  shard: Shard,
  [count, grid, width]: [number, number, number],
): Promise<void> {
  const numbers = grid * grid * width;
  const tensors = new Map<string, TensorData>([["sizes", float32Tensor([count, 2], shard.sizes.flat())]]);
  for (let i = 0; i < count; i++) {
    tensors.set(
      String(i),
      float32Tensor([grid, grid, width], shard.maps!.subarray(i * numbers, (i + 1) * numbers)),
    );
  }
  await writeSafetensors(path, tensors, { key }, { isPrivate: true });
}

/** The shard, or undefined when it is of another key (the folder's name holds only its beginning). */
async function readShard(path: string, key: string, whole: boolean): Promise<Shard | undefined> {
  const file = await openSafetensors(path);
  try {
    if (file.metadata["key"] !== key) return undefined;
    const flat = toFloat32(await file.read("sizes"));
    const count = flat.length / 2;
    const sizes = Array.from({ length: count }, (_, i): [number, number] => [flat[2 * i]!, flat[2 * i + 1]!]);
    if (!whole) return { sizes };
    const parts: Float32Array[] = [];
    for (let i = 0; i < count; i++) parts.push(toFloat32(await file.read(String(i))));
    const maps = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((offset, part) => {
      maps.set(part, offset);
      return offset + part.length;
    }, 0);
    return { maps, sizes };
  } finally {
    await file.close();
  }
}

async function readMap(path: string, index: number): Promise<Float32Array> {
  const file = await openSafetensors(path);
  try {
    return toFloat32(await file.read(String(index)));
  } finally {
    await file.close();
  }
}

/** The maps asked for as a tensor `[n, g, g, D]`. The caller disposes it. */
export async function mapTensor(source: MapSource, indices: readonly number[]): Promise<Tensor4D> {
  const { grid, width } = source;
  return tf.tensor4d(await source.maps(indices), [indices.length, grid, grid, width]);
}
