/** The file of features: its metadata, and whether one that is there may stand for another. @module */
import { exists } from "../../io/files.ts";
import { openSafetensors } from "../../io/safetensors.ts";

/** Value of `format` in the metadata of a file of features. */
export const FEATURES_FORMAT = "ace-lora features";

/** Things to encode. */
export interface FeatureList {
  /** Tensor and metadata are called `<name>_features` and `<name>_ids`. */
  name: "image" | "text";
  /** Ids, in order. */
  ids: readonly string[];
  /** For each item what changes when its content does, such as a file's size and time; kept in the file. @default none */
  stamps?: readonly string[];
}

/** One of `count` shares of a job: the items whose index leaves the remainder `index` when divided by `count`. */
export interface Shard {
  /** From 0. */
  index: number;
  /** Number of shards. */
  count: number;
}

/** The error for a file that features would replace although it holds none. */
export class ForeignFileError extends RangeError {
  /** Name shown in stack traces. */
  override name = "ForeignFileError";
  /** The file. */
  readonly path: string;

  /**
   * An error about a file.
   *
   * @param path The file.
   */
  constructor(path: string) {
    super(`Cannot write "${path}" as what is there must be a file of features: it is something else`);
    this.path = path;
  }
}

/** The metadata of a file of features: settings, fingerprint, shard and the ids and stamps of each list. */
export function featuresMetadata(
  settings: Readonly<Record<string, string>>,
  fingerprint: string,
  { shard, lists }: { shard: Shard; lists: readonly FeatureList[] },
): Record<string, string> {
  return {
    ...settings,
    format: FEATURES_FORMAT,
    fingerprint,
    shard: `${shard.index}/${shard.count}`,
    ...Object.fromEntries(lists.flatMap(({ name, ids, stamps }) => [
      [`${name}_ids`, JSON.stringify(ids)],
      ...(stamps ? [[`${name}_stamps`, JSON.stringify(stamps)]] : []),
    ])),
  };
}

/** What computed the features, for their file's metadata; several where parts or shards were made on several machines. */
export function backendField(backends: Iterable<string>): Record<string, string> {
  const text = [...new Set(backends)].join("; ");
  return text === "" ? {} : { backend: text };
}

/**
 * Whether a file of features is there and made from the same; why it is not kept is told.
 *
 * @param expected The metadata it would be written with.
 * @throws {ForeignFileError} If something else is there.
 */
export async function isKept(
  path: string,
  expected: Readonly<Record<string, string>>,
  onStale: ((text: string) => void) | undefined,
): Promise<boolean> {
  if (!await exists(path)) return false;
  const file = await openSafetensors(path).catch(() => undefined);
  file?.close();
  if (file?.metadata["format"] !== FEATURES_FORMAT) throw new ForeignFileError(path);
  const { metadata } = file;
  const keys = [...new Set([...Object.keys(expected), ...Object.keys(metadata)])].filter((key) =>
    key !== "fingerprint" && key !== "backend"
  );
  const key = [...keys, "fingerprint"].find((key) => metadata[key] !== expected[key]);
  if (key === undefined) return true;
  onStale?.(`"${path}" is made again, as it was made from something else: ${difference(key, metadata, expected)}`);
  return false;
}

/** One line about a field of two files' metadata; of a list, about the first item that differs. */
function difference(
  key: string,
  actual: Readonly<Record<string, string>>,
  expected: Readonly<Record<string, string>>,
): string {
  const told = (was: unknown, now: unknown): string =>
    `${key} was ${JSON.stringify(was) ?? "absent"}, now ${JSON.stringify(now) ?? "absent"}`;
  const [was, now] = [listIn(actual[key]), listIn(expected[key])];
  if (!was || !now) return told(actual[key]?.slice(0, 80), expected[key]?.slice(0, 80));
  if (was.length !== now.length) return `${key} were ${was.length}, now ${now.length}`;
  const i = now.findIndex((item, i) => item !== was[i]);
  const id = key.endsWith("_stamps") ? listIn(expected[key.replace(/stamps$/, "ids")])?.[i] : i;
  return `${told(was[i], now[i])} for item ${JSON.stringify(id)}`;
}

/** The items of a list that is kept as JSON, or undefined. */
function listIn(text: string | undefined): unknown[] | undefined {
  if (!text?.startsWith("[")) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
