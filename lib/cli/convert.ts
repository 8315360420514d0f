/** `deno task convert`: adapters and weights from one layout to another. @module */
import { type AdapterFormat, adapterFormat, readAdapter, writeAdapter } from "../adapters/files.ts";
import { mergeIntoCheckpoint } from "../adapters/merge.ts";
import { openCheckpoint } from "../clip/checkpoint/checkpoint.ts";
import { modelFiles } from "../clip/load.ts";
import { layoutLabel } from "../clip/checkpoint/find_layout.ts";
import { openTensorFile } from "../io/open.ts";
import { writeSafetensors } from "../io/safetensors.ts";
import { readFinite, type TensorFile } from "../io/tensor_file.ts";
import type { TensorData } from "../io/tensors.ts";
import { writeTorch } from "../io/torch_writer.ts";
import { checkPath } from "./data_options.ts";
import { type Command, UsageError } from "./command.ts";

const LAYOUTS = ["ace", "peft", "authors", "safetensors", "bin"] as const;

/** The command. */
export const COMMAND: Command = {
  name: "convert",
  summary:
    "Adapters between this package's, PEFT's and the authors' layout; weights between .bin and safetensors, LoRA merged",
  positionals: "FILE",
  options: {
    to: {
      type: "string",
      value: "LAYOUT",
      help: "Adapters: ace (one safetensors file), peft (a folder) or authors (.pt). Weights: safetensors or bin",
    },
    out: { type: "string", value: "PATH", help: "File or, for peft, folder to write" },
    merge: {
      type: "string",
      value: "ADAPTER",
      help: "Weights: merge this adapter's LoRA into FILE (or a model's folder), in its own layout",
    },
    "drop-hgnn": {
      type: "boolean",
      help: "Merge without the adapter's ACE-HGNN, for which such weights have no place",
    },
    "fused-qkv": { type: "boolean", help: "peft: put the image tower's updates on timm's fused attn.qkv" },
  },
  example: "deno task convert adapter.safetensors --to peft --out results/adapter-peft",
  async run(args) {
    const [path, ...more] = args.positionals;
    if (path === undefined || more.length > 0) {
      throw new UsageError(`name one file: current number is ${args.positionals.length}`);
    }
    const merge = args.text("merge");
    const out = args.required("out");
    if (merge === undefined && args.text("to") === undefined) {
      throw new UsageError(`--to is required: ${LAYOUTS.join(", ")}`);
    }
    const to = args.choice("to", LAYOUTS, merge !== undefined && /\.(bin|pt|pth)$/.test(out) ? "bin" : "safetensors");
    const isWeights = to === "safetensors" || to === "bin";
    if (args.flag("fused-qkv") && to !== "peft") throw new UsageError("--fused-qkv needs --to peft");
    if (merge !== undefined && !isWeights) {
      throw new UsageError(`--merge needs --to safetensors or bin: current value is ${to}`);
    }
    if (args.flag("drop-hgnn") && merge === undefined) throw new UsageError("--drop-hgnn needs --merge");
    await checkPath(path);
    await checkTarget(path, out, to);
    if (merge !== undefined) {
      await convertMerged(path, out, { to: to as "safetensors" | "bin", merge, dropHgnn: args.flag("drop-hgnn") });
    } else if (isWeights) await convertWeights(path, out, to);
    else await convertAdapter(path, out, { format: to, fusedQkv: args.flag("fused-qkv") });
    console.log(out);
  },
};

/** Refuses to write over the input, and a file where a folder stands. */
async function checkTarget(path: string, out: string, to: string): Promise<void> {
  const found = await Deno.stat(out).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new Error(`Cannot write "${out}": ${(error as Error).message}`, { cause: error });
  });
  if (!found) return;
  if (await Deno.realPath(path) === await Deno.realPath(out)) {
    throw new RangeError(`Cannot convert "${path}" as --out must be another path: it is the same`);
  }
  if (found.isDirectory !== (to === "peft")) {
    const kind = to === "peft" ? "a folder" : "a file";
    throw new RangeError(
      `Cannot write "${out}" as it must be ${kind}: it is ${found.isDirectory ? "a folder" : "a file"}`,
    );
  }
}

async function convertAdapter(
  path: string,
  out: string,
  options: { format: AdapterFormat; fusedQkv: boolean },
): Promise<void> {
  const adapter = await readAdapter(path);
  await writeAdapter(out, adapter, options);
  const count = adapter.lora.reduce((sum, { a, b }) => sum + a.data.length + b.data.length, 0) / 4;
  console.error(
    `LoRA of ${adapter.lora.length} projections (${count.toLocaleString("en")} numbers), ACE-HGNN of ${
      Object.keys(adapter.hgnn).join(" and ") || "no encoder"
    }`,
  );
}

/** Writes weights with an adapter's LoRA merged, in the layout they came in. */
async function convertMerged(
  path: string,
  out: string,
  options: { to: "safetensors" | "bin"; merge: string; dropHgnn: boolean },
): Promise<void> {
  const { to, merge, dropHgnn } = options;
  await checkPath(merge);
  const adapter = await readAdapter(merge);
  if (Object.keys(adapter.hgnn).length > 0 && !dropHgnn) {
    throw new UsageError(
      `"${merge}" has ACE-HGNN, which no layout of plain weights holds: --drop-hgnn merges its LoRA alone, ` +
        "which is not the model that was trained",
    );
  }
  const { weights } = await modelFiles(path);
  const checkpoint = await openCheckpoint(weights!);
  try {
    const tensors = await mergeIntoCheckpoint(checkpoint, adapter, { name: merge, dropHgnn });
    await writeTensors(out, tensors, { to, metadata: {} });
    console.error(
      `${tensors.size} tensors of ${layoutLabel(checkpoint.layout)}, LoRA of ${adapter.lora.length} projections merged`,
    );
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
