/** `deno task convert`: adapters and weights from one layout to another. @module */
import { COMBINATIONS, combineAdapters, type CombineOptions, HypergraphCombineError } from "../adapters/combine.ts";
import { type AdapterFormat, adapterFormat, readAdapter, writeAdapter } from "../adapters/files.ts";
import { mergedMetadata, mergeIntoCheckpoint } from "../adapters/merge.ts";
import { layersText } from "../adapters/positions.ts";
import { ACE_LORA_CONFIG } from "../adapters/config.ts";
import type { AdapterFile } from "../adapters/record.ts";
import { type Checkpoint, openCheckpoint } from "../clip/checkpoint/checkpoint.ts";
import { modelFiles } from "../clip/load.ts";
import { type ClipFamily, writeClipFolder } from "../clip/write_folder.ts";
import { layoutLabel } from "../clip/checkpoint/find_layout.ts";
import { openTensorFile } from "../io/open.ts";
import { writeSafetensors } from "../io/safetensors.ts";
import { readFinite, type TensorFile } from "../io/tensor_file.ts";
import type { TensorData } from "../io/tensors.ts";
import { writeTorch } from "../io/torch_writer.ts";
import { checkPath } from "./paths.ts";
import { holdOutput, OVERWRITE_OPTION } from "./output.ts";
import { type Arguments, type Command, FRACTION, UsageError, WHOLE } from "./command.ts";
import { defined } from "../platform/defined.ts";
import { errorMessage } from "../platform/error_message.ts";

/** What a folder for another library may hold. */
const CLIP_FOLDER_FILES = [
  "preprocessor_config.json",
  ...["open_clip_model.safetensors", "open_clip_config.json", "model.safetensors", "config.json"],
];

const LAYOUTS = ["ace", "peft", "authors", "safetensors", "bin"] as const;

export const COMMAND: Command = {
  name: "convert",
  summary:
    "Adapters between this package's, PEFT's and the authors' layout; weights between .bin and safetensors, LoRA merged",
  positionals: "FILE ...",
  options: {
    to: {
      value: "LAYOUT",
      help: "Adapters: ace (one safetensors file), peft (a folder) or authors (.pt). Weights: safetensors or bin",
    },
    out: { value: "PATH", help: "File or, for peft, folder to write" },
    merge: {
      value: "ADAPTER",
      help: "Weights: merge this adapter's LoRA into FILE (or a model's folder), in its own layout",
    },
    "drop-hgnn": {
      help: "Merge or combine without ACE-HGNN, for which such weights or such a combination have no place",
    },
    combine: { value: "WORD", help: `Adapters: one of several FILEs, as PEFT does: ${COMBINATIONS.join(", ")}` },
    weights: { value: "LIST", help: "combine: a number for each FILE (default: equal, with the sum 1)" },
    density: {
      value: "SHARE",
      number: FRACTION,
      help: "combine: share of the numbers that ties and dare keep (default: 0.5)",
    },
    seed: {
      value: "N",
      number: WHOLE,
      help: "combine: of the numbers that dare drops (default: 0)",
    },
    layout: {
      value: "LIBRARY",
      help:
        "Weights: a folder that open_clip or hf (transformers) reads, configuration beside them; --merge goes with it",
    },
    ...OVERWRITE_OPTION,
    "fused-qkv": { help: "peft: put the image tower's updates on timm's fused attn.qkv" },
  },
  example: "deno task convert adapter.safetensors --to peft --out results/adapter-peft",
  async run(args) {
    const [path, ...more] = args.positionals;
    const combine = combineFrom(args);
    if (path === undefined || more.length > 0 && !combine) {
      throw new UsageError(
        `name one file, such as adapter.safetensors --to peft: current number is ${args.positionals.length}`,
      );
    }
    const merge = args.text("merge");
    const out = args.required("out");
    if (args.text("layout") !== undefined) {
      if (args.text("to") !== undefined || combine) throw new UsageError("--layout takes neither --to nor --combine");
      await checkPath(path);
      await checkTarget(path, out, "peft"); // a folder, too
      const family = args.choice<ClipFamily>("layout", ["open_clip", "hf"], "open_clip");
      const dropHgnn = args.flag("drop-hgnn");
      return await holdOutput(args, { path: out, results: CLIP_FOLDER_FILES }, async () => {
        console.log(await convertLayout(path, out, { family, merge, dropHgnn }));
      });
    }
    if (merge === undefined && args.text("to") === undefined) {
      throw new UsageError(`--to is required: ${LAYOUTS.join(", ")}`);
    }
    const to = args.choice("to", LAYOUTS, merge !== undefined && /\.(bin|pt|pth)$/.test(out) ? "bin" : "safetensors");
    const isWeights = to === "safetensors" || to === "bin";
    if (args.flag("fused-qkv") && to !== "peft") throw new UsageError("--fused-qkv needs --to peft");
    if (merge !== undefined && !isWeights) {
      throw new UsageError(`--merge needs --to safetensors or bin: current value is ${to}`);
    }
    if (args.flag("drop-hgnn") && merge === undefined && !combine) {
      throw new UsageError("--drop-hgnn needs --merge or --combine");
    }
    if (combine && isWeights) throw new UsageError(`--combine needs --to ace, peft or authors: current value is ${to}`);
    for (const file of args.positionals) {
      await checkPath(file);
      await checkTarget(file, out, to);
    }
    const results = to === "peft" ? { results: ["adapter_model.safetensors", "adapter_config.json"] } : {};
    await holdOutput(args, { path: out, ...results }, async () => {
      if (merge !== undefined) {
        await convertMerged(path, out, { to: to as "safetensors" | "bin", merge, dropHgnn: args.flag("drop-hgnn") });
      } else if (isWeights) await convertWeights(path, out, to);
      else await convertAdapter(args.positionals, out, { format: to, fusedQkv: args.flag("fused-qkv"), combine });
    });
    console.log(out);
  },
};

/** How `--combine` makes one adapter of several; undefined where it is not given. */
function combineFrom(args: Arguments): CombineOptions | undefined {
  if (args.text("combine") === undefined) {
    const odd = ["weights", "density", "seed"].find((name) => args.text(name) !== undefined);
    if (odd) throw new UsageError(`--${odd} needs --combine`);
    return undefined;
  }
  if (args.text("merge") !== undefined) throw new UsageError("--combine and --merge exclude each other");
  const weights = args.list("weights")?.map(Number);
  if (weights?.some((weight) => !Number.isFinite(weight))) {
    throw new UsageError(`--weights must be numbers, with commas between: current value is "${args.text("weights")}"`);
  }
  return {
    combination: args.choice("combine", COMBINATIONS, "linear"),
    dropHgnn: args.flag("drop-hgnn"),
    names: args.positionals,
    ...defined({ weights, density: args.number("density", undefined), seed: args.number("seed", undefined) }),
  };
}

/** Refuses to write over the input, and a file where a folder stands. */
async function checkTarget(path: string, out: string, to: string): Promise<void> {
  const existing = await Deno.stat(out).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new Error(`Cannot write "${out}": ${errorMessage(error)}`, { cause: error });
  });
  if (!existing) return;
  if (await Deno.realPath(path) === await Deno.realPath(out)) {
    throw new RangeError(`Cannot convert "${path}" as --out must be another path: it is the same`);
  }
  if (existing.isDirectory !== (to === "peft")) {
    const kind = to === "peft" ? "a folder" : "a file";
    throw new RangeError(
      `Cannot write "${out}" as it must be ${kind}: it is ${existing.isDirectory ? "a folder" : "a file"}`,
    );
  }
}

async function convertAdapter(
  paths: readonly string[],
  out: string,
  { combine, ...options }: { format: AdapterFormat; fusedQkv: boolean; combine: CombineOptions | undefined },
): Promise<void> {
  const adapters = await Promise.all(paths.map((path) => readAdapter(path)));
  const adapter = combine ? combined(adapters, combine) : adapters[0]!;
  await writeAdapter(out, adapter, options);
  const count = adapter.lora.reduce((sum, { a, b }) => sum + a.data.length + b.data.length, 0) / 4;
  console.error(
    `LoRA of ${adapter.lora.length} projections (${count.toLocaleString("en")} numbers) in ${
      layersText(adapter.lora)
    }, ACE-HGNN of ${Object.keys(adapter.hgnn).join(" and ") || "no encoder"}`,
  );
}

function combined(adapters: readonly AdapterFile[], options: CombineOptions): AdapterFile {
  try {
    return combineAdapters(adapters, options);
  } catch (error) {
    if (!(error instanceof HypergraphCombineError)) throw error;
    throw new UsageError(
      `${error.message}; --drop-hgnn combines LoRA alone, which is not the models that were trained`,
    );
  }
}

/** An adapter whose LoRA can be merged. */
async function mergeable(path: string, { sizes }: Checkpoint, dropHgnn: boolean): Promise<AdapterFile> {
  await checkPath(path);
  const adapter = await readAdapter(path, { depths: { image: sizes.vision.depth, text: sizes.text.depth } });
  if (Object.keys(adapter.hgnn).length === 0 || dropHgnn) return adapter;
  throw new UsageError(
    `"${path}" has ACE-HGNN, which no layout of plain weights holds: --drop-hgnn merges its LoRA alone, ` +
      "which is not the model that was trained",
  );
}

/** Writes weights with an adapter's LoRA merged, in the layout they came in. */
async function convertMerged(
  path: string,
  out: string,
  options: { to: "safetensors" | "bin"; merge: string; dropHgnn: boolean },
): Promise<void> {
  const { to, merge, dropHgnn } = options;
  const { weights } = await modelFiles(path);
  const checkpoint = await openCheckpoint(weights!);
  try {
    const adapter = await mergeable(merge, checkpoint, dropHgnn);
    const tensors = await mergeIntoCheckpoint(checkpoint, adapter, { name: merge, dropHgnn });
    const metadata = mergedMetadata(checkpoint, adapter);
    await writeTensors(out, tensors, { to, metadata });
    const lost = to === "bin" ? Object.entries(metadata).map((entry) => entry.join(" = ")) : [];
    if (lost.length > 0) console.error(`note: .bin has no place for ${lost.join(", ")}; safetensors has`);
    console.error(
      `${tensors.size} tensors of ${layoutLabel(checkpoint.layout)}, LoRA merged in ${layersText(adapter.lora)}`,
    );
  } finally {
    checkpoint.file.close();
  }
}

/** Writes the folder that a library reads; returns the names of its files. */
async function convertLayout(
  path: string,
  out: string,
  options: { family: ClipFamily; merge: string | undefined; dropHgnn: boolean },
): Promise<string> {
  const { family, merge, dropHgnn } = options;
  const files = await modelFiles(path);
  const checkpoint = await openCheckpoint(files.weights!);
  try {
    const adapter = merge === undefined ? undefined : await mergeable(merge, checkpoint, dropHgnn);
    const merging = adapter ?? { lora: [], hgnn: {}, config: ACE_LORA_CONFIG };
    const tensors = await mergeIntoCheckpoint(checkpoint, merging, { name: merge ?? "nothing", dropHgnn });
    const written = await writeClipFolder(out, { checkpoint, files, tensors, family }, (text) => console.error(text));
    console.error(
      `${tensors.size} tensors of ${layoutLabel(checkpoint.layout)}, LoRA merged in ${layersText(merging.lora)}`,
    );
    return written.join("\n");
  } finally {
    checkpoint.file.close();
  }
}

async function writeTensors(
  out: string,
  tensors: Map<string, TensorData>,
  options: { to: "safetensors" | "bin"; metadata: Record<string, string> },
): Promise<void> {
  if (options.to === "bin") await writeTorch(out, tensors);
  else await writeSafetensors(out, tensors, { ...options.metadata, format: "pt" });
}

async function convertWeights(path: string, out: string, to: "safetensors" | "bin"): Promise<void> {
  const file = await openTensorFile(path);
  try {
    if (adapterFormat(file) !== undefined) {
      throw new RangeError(
        `Cannot convert "${path}" to ${to} as it must hold weights: it is an adapter, for ace, peft or authors`,
      );
    }
    const tensors = new Map<string, TensorData>();
    for (const name of file.entries.keys()) tensors.set(name, await readFinite(file, name));
    await writeTensors(out, tensors, { to, metadata: textMetadata(file) });
    console.error(`${tensors.size} tensors`);
  } finally {
    file.close();
  }
}

/** Values beside the tensors, as safetensors' metadata holds them: text. */
function textMetadata(file: TensorFile): Record<string, string> {
  return Object.fromEntries(
    Object.entries(file.metadata).map((
      [name, value],
    ) => [name, typeof value === "string" ? value : JSON.stringify(value) ?? ""]),
  );
}
