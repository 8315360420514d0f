/** `deno task doctor`: what a model's folder is, whether it computes what it did, and what the commands will do with it. @module */
import { basename, dirname, join, resolve } from "@std/path";
import { describeClip } from "../clip/describe.ts";
import { openCheckpoint } from "../clip/checkpoint/checkpoint.ts";
import { foundLabel } from "../clip/checkpoint/find_layout.ts";
import { attentionHeads, gridSide } from "../clip/towers/image.ts";
import type { ClipConfig } from "../clip/config.ts";
import type { ModelFiles } from "../clip/find_model_files.ts";
import { protocolOfModel } from "../clip/zero_shot/presets.ts";
import { CHEST_TEMPLATES } from "../clip/zero_shot/prompts.ts";
import { syntheticChest } from "../data/synthetic/chest.ts";
import {
  featureDifference,
  loadReferenceFeatures,
  REFERENCE_NAME,
  REFERENCE_TOLERANCE,
  type ReferenceFeatures,
  saveReferenceFeatures,
} from "../eval/reference_features.ts";
import { readImage } from "../image/read.ts";
import type { RasterImage } from "../image/raster.ts";
import { toRgb } from "../image/preprocess.ts";
import { outputColumns } from "../display/terminal.ts";
import { exists } from "../io/files.ts";
import { VERSION } from "../io/run_facts.ts";
import { loadModel, type Model } from "../model.ts";
import { disposeParams } from "../tensor/params.ts";
import { fittingMicroBatch } from "../train/step_memory.ts";
import { type Arguments, type Command, UsageError } from "./command.ts";
import { hangingRows } from "./help.ts";
import { MODEL_OPTIONS, modelFilesFrom } from "./model_options.ts";
import { modelNotice } from "./provenance.ts";
import { holdOutput } from "./output.ts";
import { checkPath } from "./paths.ts";
import { printable } from "./printable.ts";
import { BACKEND_OPTION, startBackend } from "./shared.ts";

const NOTES = `
Reference features: an image, a text and their unit features, in ${REFERENCE_NAME} of the model's folder. --record
writes them with what this package computes; a file made by the library the model came from says more, and takes five
lines of Python (docs/models.md). A difference of more than ${REFERENCE_TOLERANCE} ends the command with 1.`;

const TEXT = "a chest X-ray image of pneumonia.";

export const COMMAND: Command = {
  name: "doctor",
  summary: "What a model's folder is, how it is read, and whether its features are what they were",
  options: {
    ...MODEL_OPTIONS,
    record: { help: `Write the features of an image and a text to ${REFERENCE_NAME} in the folder` },
    image: { value: "FILE", help: "Image to record; it is kept in the file (default: a drawn one)" },
    text: { value: "TEXT", help: `Text to record (default: ${TEXT})` },
    reference: { value: "FILE", help: "Another place for the reference features" },
    overwrite: { help: "Record anew over what is there" },
    json: { help: "One JSON object" },
    ...BACKEND_OPTION,
  },
  example: `deno task doctor --weights data/mini_generalist.safetensors\n${NOTES}`,
  async run(args) {
    if (!args.flag("record") && (args.text("image") ?? args.text("text")) !== undefined) {
      throw new UsageError("--image and --text say what is recorded: --record is missing");
    }
    const files = await modelFilesFrom(args);
    const reference = referencePath(args, files);
    const notes: string[] = [];
    const about = await filesOf(files);
    await startBackend(args);
    const notice = await modelNotice(args);
    if (notice !== undefined) console.error(notice);
    const model = await loadModel(files, { note: (text) => notes.push(text) });
    try {
      const name = basename(resolve(args.text("model") ?? args.text("weights") ?? ""));
      const report: Report = {
        ...about,
        notes,
        ...await describe(model, name),
        check: args.flag("record")
          ? await record(args, model, reference)
          : await check(model, reference, args.text("reference") !== undefined),
      };
      console.log(args.flag("json") ? JSON.stringify(report, null, 2) : format(report));
      return report.check.agrees === false ? 1 : 0;
    } finally {
      disposeParams(model.params);
    }
  },
};

/** What is told, in this order. */
interface Report {
  /** The files read. */
  files: Record<string, string>;
  /** Which release's names the weights have. */
  layout: string;
  /** What was assumed or passed over. */
  notes: string[];
  /** The model in words. */
  model: Record<string, string | number>;
  /** What commands will do with it. */
  commands: Record<string, string>;
  /** How the reference features compare. */
  check: Check;
}

interface Check {
  /** The file of reference features. */
  reference: string | null;
  /** What computed those. */
  source?: string;
  /** Largest difference of a number of the image's feature, and of the text's. */
  image_difference?: number;
  text_difference?: number;
  /** Whether both are small enough; null where there was nothing to compare. */
  agrees: boolean | null;
  /** One sentence. */
  said: string;
}

/** Where the reference features are, or would be: in the folder, or beside the weights. */
function referencePath(args: Arguments, { weights }: ModelFiles): string | null {
  const given = args.text("reference");
  if (given !== undefined) return given;
  const folder = args.text("model") ?? (weights === undefined ? undefined : dirname(weights));
  return folder === undefined ? null : join(folder, REFERENCE_NAME);
}

/** The files by their part, and the layout their names tell. */
async function filesOf(files: ModelFiles): Promise<Pick<Report, "files" | "layout">> {
  const { weights, ...others } = files;
  if (weights === undefined) return { files: { weights: "the shipped mini model" }, layout: "this package's own" };
  const checkpoint = await openCheckpoint(weights);
  const { entries } = checkpoint.file;
  checkpoint.file.close();
  const dtypes = [...new Set(entries.values().map(({ dtype }) => dtype))].sort().join(", ");
  return {
    files: { weights: `${weights} (${entries.size} tensors, ${dtypes})`, ...others },
    layout: foundLabel(checkpoint),
  };
}

async function describe(model: Model, name: string): Promise<Pick<Report, "model" | "commands">> {
  const { config } = model;
  const { numbers, ...parts } = describeClip(config);
  const scale = (await model.params.logitScale.data())[0]!;
  return {
    model: {
      ...parts,
      ...(config.text.kind === "none" ? {} : { scale: `s = ${Math.exp(scale).toFixed(2)}` }),
      numbers: `${numbers.toLocaleString("en-GB")}, ${(4 * numbers / 2 ** 20).toFixed(0)} MiB in float32`,
    },
    commands: commandsFor(config, name),
  };
}

/** What commands will do with a model. */
function commandsFor(config: ClipConfig, name: string): Record<string, string> {
  const own = protocolOfModel(name);
  const fitting = fittingMicroBatch(config);
  return {
    ...(config.text.kind === "none" ? {} : {
      "classify, evaluate": `ask ${CHEST_TEMPLATES.map((template) => JSON.stringify(template)).join(" and ")}${
        own === undefined ? "; --protocol asks otherwise" : `; --protocol ${own.name} asks as ${own.source}`
      }`,
      train: `${config.similarity === "sigmoid" ? "sigmoid pair loss" : "label-guided InfoNCE"}; ${
        fitting === Infinity
          ? "the backend sets the micro-batch's limit"
          : fitting < 1
          ? "too large for wasm: --backend webgpu"
          : `micro-batches of up to ${fitting} fit`
      }`,
    }),
    "encode, probe": "read the image's features",
    "explain, segment, detect": `${
      attentionHeads(config.vision) > 0
        ? "maps by the attention that the image is read with"
        : "maps by each place's similarity to what is read"
    }, ${gridSide(config.vision) ** 2} places`,
  };
}

/** An image and a text that need no file: the drawn chest of one seed. */
function drawnImage(): RasterImage {
  return syntheticChest(1, { size: 256 }).image;
}

async function encode(model: Model, image: RasterImage, text: string) {
  const images = [{ name: "the reference image", image: () => Promise.resolve(image) }];
  return {
    imageFeature: await model.encodeImages(images),
    ...(model.config.text.kind === "none" ? {} : { textFeature: await model.encodeTexts([text]) }),
  };
}

async function record(args: Arguments, model: Model, path: string | null): Promise<Check> {
  if (path === null) {
    throw new UsageError("the shipped mini model has no folder of its own: --reference names the file");
  }
  const from = args.text("image");
  if (from !== undefined) await checkPath(from);
  const image = from === undefined ? drawnImage() : toRgb(await readImage(from));
  const text = args.text("text") ?? (model.config.text.kind === "none" ? "" : TEXT);
  const source = `@ace-lora/ace-lora ${VERSION}`;
  const reference: ReferenceFeatures = { image, text, source, ...await encode(model, image, text) };
  await holdOutput(args, { path, option: "reference" }, async () => {
    await saveReferenceFeatures(path, reference, { isPrivate: from !== undefined });
  });
  return { reference: path, source, agrees: null, said: `wrote ${path}` };
}

async function check(model: Model, path: string | null, isNamed: boolean): Promise<Check> {
  if (path === null || !await exists(path)) {
    if (isNamed) await checkPath(path!);
    await encode(model, drawnImage(), TEXT); // refuses features that mean nothing
    return {
      reference: null,
      agrees: null,
      said: "no reference features beside it, but those of a drawn image and a text are finite; --record writes them",
    };
  }
  const { image, text, source, ...stored } = await loadReferenceFeatures(path, model.config.embedding);
  const now = await encode(model, image, text);
  const differences = {
    image_difference: featureDifference(now.imageFeature, stored.imageFeature),
    ...(now.textFeature && stored.textFeature
      ? { text_difference: featureDifference(now.textFeature, stored.textFeature) }
      : {}),
  };
  const agrees = Math.max(...Object.values(differences)) <= REFERENCE_TOLERANCE;
  const shown = Object.entries(differences).map(([name, value]) => `${name.split("_")[0]} ${value.toExponential(1)}`);
  return {
    reference: path,
    source,
    ...differences,
    agrees,
    said: `${agrees ? "features agree with" : "FEATURES DIFFER from"} those of ${source}: ${shown.join(", ")} at most`,
  };
}

function format({ files, layout, notes, model, commands, check }: Report): string {
  const isTable = (note: string): boolean => note.includes("\n");
  const rows: [string, string][] = [
    ...Object.entries(files),
    ["layout", layout],
    ...Object.entries(model).map(([name, value]): [string, string] => [name, String(value)]),
    ...Object.entries(commands),
    ["features", check.said],
    ...notes.filter((note) => !isTable(note)).map((note): [string, string] => ["note", note]),
  ];
  const about = hangingRows(rows.map(([name, value]) => [name, printable(value)]), outputColumns());
  return [...about, ...notes.filter(isTable).flatMap((table) => table.split("\n").map(printable))].join("\n");
}
