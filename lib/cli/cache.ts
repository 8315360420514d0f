/** `deno task cache`: decodes and resizes images into a pixel cache before a run needs them. @module */
import { readClipConfig } from "../clip/load.ts";
import { fillPixelCache } from "../data/pixels/fill.ts";
import { type ImageLocation, locationName } from "../data/pixels/location.ts";
import type { Case } from "../data/types.ts";
import { squareTransform } from "../data/sources.ts";
import { createProgress } from "../display/progress.ts";
import { type Arguments, type Command, UsageError } from "./command.ts";
import { COLUMN_OPTIONS, DATASET_OPTIONS, datasetFrom, pairsFrom } from "./data_options.ts";
import { fromModelFiles, MODEL_OPTIONS } from "./model_options.ts";
import { DECODE_OPTIONS, EXIF_OPTION, isExifApplied, workersFrom } from "./decode_options.ts";
import { namedImagesFrom } from "./named_images.ts";
import { catchInterrupts } from "./interrupt.ts";
import { printable } from "./printable.ts";
import { SHARD_OPTION, shareFrom } from "./ranks.ts";
import { UNREADABLE_WORDS } from "./unreadable.ts";

const LISTED = 20;
const MODES = ["train", "eval"] as const;

const NOTES = `
Slurm array (sbatch --array=0-15 job.sh), in job.sh:
  #!/bin/bash
  deno task cache --dataset mimic-cxr --root MIMIC-CXR-JPG --model BiomedCLIP --cache /scratch/pixels --shard auto
Kubernetes (completionMode: Indexed, completions: 16): --shard auto/16
Under srun and under mpirun -n 16 deno task mpi cache, each process takes its share unasked.

What is there is not decoded again, so a job that was killed is started again as it was. The files hold patients' images; only
their owner may read them.`;

/** The command. */
export const COMMAND: Command = {
  name: "cache",
  summary: "Decode and resize images once, for all epochs, runs and processes",
  options: {
    pairs: {
      value: "PATH",
      help: "Image-text pairs, as train reads them: a CSV, a .parquet table, or WebDataset shards",
    },
    images: { value: "PATH", help: "CSV of images, or a folder (any depth), as evaluate and encode read them" },
    ...DATASET_OPTIONS,
    "text-column": { value: "NAME", help: "Column of the text (default: text)" },
    ...COLUMN_OPTIONS,
    mode: {
      value: "WORD",
      words: MODES,
      help: "How images are resized: as train does, or eval (default: train for pairs, else eval)",
    },
    ...EXIF_OPTION,
    ...DECODE_OPTIONS,
    ...MODEL_OPTIONS,
    ...SHARD_OPTION,
    unreadable: {
      value: "WORD",
      words: UNREADABLE_WORDS,
      help: "Images that cannot be read: throw or drop (they are listed)",
    },
  },
  example: `deno task cache --pairs pairs.csv --text-column note --cache results/pixels\n${NOTES}`,
  async run(args) {
    const cache = args.required("cache");
    const { shard = { index: 0, count: 1 }, ranks } = await shareFrom(args, "cache");
    const config = await fromModelFiles(
      args,
      (files) => readClipConfig(files, { note: (text) => console.error(text) }),
    );
    const { locations, isPairs } = await locationsFrom(args);
    const mode = args.choice("mode", MODES, isPairs ? "train" : "eval");
    const own = locations.filter((_, i) => i % shard.count === shard.index);
    const interruption = catchInterrupts();
    const bar = ranks && ranks.rank > 0 ? undefined : createProgress(own.length, { label: "cache", unit: "images" });
    let unreadable = 0;
    const isDropped = args.choice("unreadable", UNREADABLE_WORDS, "throw") === "drop";
    const tell = (line: string): void => bar ? bar.note(line) : console.error(line);
    const result = await fillPixelCache(cache, { ...squareTransform(config, mode), exif: isExifApplied(args) }, own, {
      ...workersFrom(args),
      ...(isDropped
        ? {
          onUnreadable: ({ message }) => {
            if (++unreadable <= LISTED) tell(`unreadable: ${printable(message)}`);
          },
        }
        : {}),
      note: (line) => tell(`note: ${printable(line)}`),
      onProgress: (done) => bar?.update(done),
      signal: interruption.signal,
    }).finally(() => {
      bar?.finish();
      interruption.end();
    });
    if (unreadable > LISTED) console.error(`unreadable: and ${unreadable - LISTED} more`);
    console.log(
      `${result.decoded} decoded, ${result.present} were there` + (isDropped ? `, ${unreadable} cannot be read` : ""),
    );
    if (!result.isInterrupted) return;
    console.error("interrupted: what is decoded is kept; the same command goes on");
    return interruption.exitCode();
  },
};

/** The images that the options name, each once, and whether they are of image-text pairs. */
async function locationsFrom(args: Arguments): Promise<{ locations: ImageLocation[]; isPairs: boolean }> {
  const named = ["pairs", "images", "dataset"].filter((name) => args.text(name) !== undefined);
  if (named.length !== 1) throw new UsageError("name one of --pairs, --images and --dataset");
  const dataset = args.text("pairs") !== undefined
    ? await pairsFrom(args)
    : args.text("dataset") !== undefined
    ? await datasetFrom(args)
    : undefined;
  const items: readonly Pick<Case, "path" | "part">[] = dataset ? dataset.cases : await namedImagesFrom(args);
  const all = items.flatMap(({ path, part }) => part ?? path ?? []);
  if (all.length === 0) {
    throw new RangeError("Cannot keep images by file as they must be files or in archives: none is");
  }
  const locations = [...new Map(all.map((location) => [locationName(location), location])).values()];
  return { locations, isPairs: dataset?.task === "pairs" };
}
