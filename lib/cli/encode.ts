/** `deno task encode`: features of images and texts, in shards. @module */
import type { Communicator } from "../distributed/communicator.ts";
import { checkShared } from "../distributed/shared_settings.ts";
import { readCsv, rowNumber } from "../data/csv.ts";
import type { NamedImage } from "../eval/classify.ts";
import type { FeatureList, Shard } from "../eval/encode/features_file.ts";
import { type EncodedShard, encodeShard, shardPath } from "../eval/encode/shards.ts";
import { findShards, mergeShards } from "../eval/encode/merge.ts";
import { hashIds } from "../data/dataset.ts";
import { imageStamps } from "../data/stamps.ts";
import { defined } from "../platform/defined.ts";
import { type Arguments, type Command, COUNT, UsageError } from "./command.ts";
import { classifierFrom } from "./classifier.ts";
import { COLUMN_OPTIONS, DATASET_OPTIONS } from "./data_options.ts";
import { checkPath } from "./paths.ts";
import { ADAPTER_OPTION, MODEL_OPTIONS, NARROW_OPTION } from "./model_options.ts";
import { DECODE_OPTIONS, EXIF_OPTION, readerFrom, watched } from "./decode_options.ts";
import { encoderOf, settingsOf, withProgress } from "./features.ts";
import { holdOutput } from "./output.ts";
import { printable } from "./printable.ts";
import { readableCases, UNREADABLE_OPTION } from "./unreadable.ts";
import { SHARD_OPTION, shareFrom } from "./ranks.ts";
import { BACKEND_OPTION, startBackend } from "./shared.ts";
import { namedImagesFrom } from "./named_images.ts";

const NOTES = `
Shards: --shard i/n takes every n-th item, so i may count from 0 or from 1; each shard is a file of its own beside --out
(feats.shard-0-of-8.safetensors), and --merge joins them to --out. A finished shard is not computed again; an interrupted
one goes on where it stopped (parts lie in feats.shard-0-of-8.safetensors.parts until it is whole).

Slurm array (sbatch --array=0-7 job.sh), in job.sh:
  #!/bin/bash
  deno task encode --images cases.csv --weights open_clip_pytorch_model.bin --tokenizer tokenizer.json \\
    --out feats.safetensors --shard auto
  Afterwards (sbatch --dependency=afterok:JOBID): deno task encode --merge --out feats.safetensors

Tasks of srun take a shard each. Those that MPI connects do, too, and rank 0 joins them:
  mpirun -n 4 deno task mpi encode --images cases.csv --out feats.safetensors

Kubernetes (Job with completionMode: Indexed, completions: 8; a pod that is evicted and restarted goes on):
  command: [deno, task, encode, --images, /data/cases.csv, --out, /out/feats.safetensors, --shard, auto/8]

The file holds image_features and text_features [n, E] (float32, unit rows) and, as JSON in its metadata, image_ids and text_ids.`;

export const COMMAND: Command = {
  name: "encode",
  summary: "Features of images and texts as safetensors, in shards that can be stopped, resumed and joined",
  positionals: "[IMAGE...]",
  options: {
    images: { value: "PATH", help: "CSV of images, a folder (any depth), or an image; more images may follow" },
    texts: { value: "CSV", help: "Texts, one a row" },
    "text-column": { value: "NAME", help: "Column of the text (default: text)" },
    "id-column": { value: "NAME", help: "Column of the id (default: the image's path; the row's number for texts)" },
    ...COLUMN_OPTIONS,
    ...DATASET_OPTIONS,
    ...EXIF_OPTION,
    ...DECODE_OPTIONS,
    ...MODEL_OPTIONS,
    ...NARROW_OPTION,
    ...ADAPTER_OPTION,
    out: { value: "FILE", help: "safetensors file to write" },
    ...UNREADABLE_OPTION,
    ...SHARD_OPTION,
    merge: { help: "Join the shards of --out, or those named" },
    force: { help: "Compute again what is there" },
    chunk: {
      value: "N",
      number: COUNT,
      help: "Items of a part, at most lost by an interruption (default: 128)",
    },
    "batch-size": { value: "N", number: COUNT, help: "Items encoded at a time (default: 16)" },
    ...BACKEND_OPTION,
  },
  example: `deno task encode --images radiographs --out results/feats.safetensors --shard 1/2\n${NOTES}`,
  async run(args) {
    const out = args.required("out");
    if (args.flag("merge")) return await merge(args, out);
    const { shard, ranks } = await shareFrom(args, "encode");
    const path = shardPath(out, shard ?? { index: 0, count: 1 });
    return await holdOutput(args, { path, mayReplace: true }, () => encode(args, out, { shard, ranks }));
  },
};

async function encode(
  args: Arguments,
  out: string,
  { shard, ranks }: { shard: Shard | undefined; ranks: Communicator | undefined },
): Promise<number | void> {
  const all = await namedImagesFrom(args);
  const images = watched(args, await readableCases(args, all, { whole: shard === undefined }));
  const texts = await textsFrom(args);
  if (images.length + texts.length === 0) {
    throw new UsageError("name something to encode: --images, --dataset or --texts");
  }
  const lists = await featureLists(images, texts);
  const content = { images, texts: texts.map(({ text }) => text) };
  const reader = readerFrom(args);
  const shared = ranks && await startBackend(args, ranks); // all of them, whether or not each has something to do
  const open = async () => {
    const backend = shared ?? await startBackend(args);
    const most = args.number("batch-size", 16);
    const sizes = { images: Math.min(most, images.length), texts: Math.min(most, texts.length) };
    return encoderOf(args, await classifierFrom(args, { sizes }), content, { reader, backend });
  };
  const settings = {
    ...await settingsOf(args, content.texts),
    ...(images.length < all.length ? { unreadable_images: String(all.length - images.length) } : {}),
  };
  if (ranks) checkShared({ ...settings, items: await hashIds([JSON.stringify(lists)]) }, ranks, { verb: "encode" });
  const result = await withProgress(async (signal, onProgress) =>
    await encodeShard(out, { lists, settings, open }, {
      ...defined({ shard }),
      chunk: args.number("chunk", 128),
      force: args.flag("force"),
      signal,
      onStale: (text) => console.error(printable(text)),
      onProgress,
    }), ranks !== undefined && ranks.rank > 0).finally(() => reader.close());
  const isStopped = ranks &&
    ranks.allGather(Float32Array.of(Number(result.interrupted))).some((stopped) => stopped > 0);
  console.error(outcomeText(result));
  if (result.interrupted) return result.exitCode;
  if (!ranks) return console.log(result.path);
  if (!isStopped && ranks.rank === 0) await merge(args, out);
}

function outcomeText({ interrupted, computed, reused }: EncodedShard): string {
  if (interrupted) return `interrupted: ${computed + reused} items are kept; the same command goes on`;
  return computed === 0 ? `nothing to do: ${reused} items are there` : `${computed} encoded, ${reused} kept`;
}

/** The lists of what is encoded, those that are not empty. */
async function featureLists(
  images: readonly NamedImage[],
  texts: readonly { id: string }[],
): Promise<FeatureList[]> {
  const lists: FeatureList[] = [
    { name: "image", ids: images.map(({ name }) => name), stamps: await imageStamps(images) },
    { name: "text", ids: texts.map(({ id }) => id) },
  ];
  return lists.filter(({ ids }) => ids.length > 0);
}

async function merge(args: Arguments, out: string): Promise<void> {
  const named = args.flag("merge") ? args.positionals : [];
  for (const path of named) await checkPath(path);
  const { path, items } = await holdOutput(
    args,
    { path: out, mayReplace: true },
    async () =>
      await mergeShards(out, named.length > 0 ? named : await findShards(out), {
        force: args.flag("force"),
        onStale: (text) => console.error(printable(text)),
      }),
  );
  console.error(`${items} items`);
  console.log(path);
}

/** The texts that `--texts` names, every row of it. */
async function textsFrom(args: Arguments): Promise<{ id: string; text: string }[]> {
  const path = args.text("texts");
  if (path === undefined) return [];
  await checkPath(path);
  const table = await readCsv(path);
  const text = table.column(args.text("text-column") ?? "text");
  const idColumn = args.text("id-column");
  const id = idColumn === undefined ? undefined : table.column(idColumn);
  if (table.rows.length === 0) throw new RangeError(`Cannot encode "${path}" as it must have a row: it has none`);
  return table.rows.map((cells, row) => ({
    id: id === undefined ? String(rowNumber(row)) : cells[id]!,
    text: cells[text]!,
  }));
}
