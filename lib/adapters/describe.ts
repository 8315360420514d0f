/** What a file of weights is, for people and as JSON. @module */
import { join } from "@std/path";
import { type AdapterFormat, adapterFormat, readAdapter } from "./files.ts";
import { peftModelFile } from "./peft.ts";
import { carryingLayers, layersText } from "./positions.ts";
import type { AdapterEncoder } from "./record.ts";
import { findLayout, foundLabel } from "../clip/checkpoint/find_layout.ts";
import { findModelFiles, type ModelFiles } from "../clip/find_model_files.ts";
import { openTensorFile } from "../io/open.ts";
import type { TensorFile } from "../io/tensor_file.ts";
import { DTYPE_BYTES, elementCount, type TensorDtype } from "../io/tensors.ts";
import { system } from "../platform/system.ts";

/** One tensor of a file. */
export interface TensorDescription {
  /** Name in the file. */
  name: string;
  /** Element type. */
  dtype: TensorDtype;
  /** Sizes. */
  shape: number[];
  /** Number of elements. */
  count: number;
}

/** A file of weights or an adapter. */
export interface TensorsDescription {
  /** File or folder. */
  path: string;
  /** Format of the content. */
  format: "safetensors" | "torch";
  /** Layout, if it is an adapter. */
  adapter?: AdapterFormat;
  /** Whose names it has, if it is the weights of a CLIP, and what stands before them. */
  layout?: string;
  /** The layers of each tower that carry LoRA, from 0, if it is an adapter that can be read. */
  loraLayers?: Record<AdapterEncoder, number[]>;
  /** How many hashes of cases and patients it lists: of those it was trained on, and of those that chose its weights; null where it does not say. */
  casesListed?: Record<"seen" | "chose", number | null>;
  /** Why an adapter cannot be applied, where it cannot. */
  problem?: string;
  /** The files that make the model, of a model's folder; the tensors are those of its weights. */
  files?: ModelFiles;
  /** Tensors in the file's order. */
  tensors: TensorDescription[];
  /** Numbers in all tensors. */
  total: number;
  /** Bytes of all tensors. */
  bytes: number;
  /** Numbers that training changes: all of an adapter's. */
  trainableTotal?: number;
  /** Values that are not tensors. */
  metadata: Record<string, unknown>;
}

async function describeOne(path: string): Promise<TensorsDescription> {
  const file = await openTensorFile(path);
  file.close();
  const tensors = [...file.entries].map(([name, { dtype, shape }]) => ({
    name,
    dtype,
    shape,
    count: elementCount(shape),
  }));
  const total = tensors.reduce((sum, { count }) => sum + count, 0);
  const adapter = adapterFormat(file);
  return {
    path,
    format: file.format,
    ...(adapter ? { adapter, trainableTotal: total } : layoutOf(file)),
    tensors,
    total,
    bytes: tensors.reduce((sum, { dtype, count }) => sum + count * DTYPE_BYTES[dtype], 0),
    metadata: file.metadata,
  };
}

/** The layout of a CLIP's weights; nothing for another file. */
function layoutOf({ path, entries }: TensorFile): { layout?: string } {
  try {
    return { layout: foundLabel(findLayout(new Set(entries.keys()), path)) };
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

const exists = (path: string): Promise<boolean> => system.stat(path).then(() => true, () => false);

/**
 * Describes a file of weights or a model's folder, from the header: no tensor is read; or an adapter (a file, PEFT's folder, or the
 * folder of a run), which is read so that its layers are told.
 *
 * @throws {SyntaxError} If it is no weights file, or damaged; the message names it.
 * @throws {Deno.errors.NotFound} If a folder holds neither.
 */
export async function describeTensors(path: string): Promise<TensorsDescription> {
  const isFolder = await Deno.stat(path).then((stat) => stat.isDirectory, () => false);
  const own = join(path, "adapter.safetensors");
  const description = !isFolder
    ? await describeOne(path)
    : await exists(own)
    ? { ...await describeOne(own), path }
    : await peftModelFile(path) === undefined
    ? await describeModel(path)
    : await describePeft(path);
  return description.adapter ? { ...description, ...await adapterContent(path) } : description;
}

/** A model's folder by its weights. */
async function describeModel(path: string): Promise<TensorsDescription> {
  const files = await findModelFiles(path);
  return { ...await describeOne(files.weights), path, files };
}

/** The layers and the cases that an adapter has, or why it is refused. */
async function adapterContent(
  path: string,
): Promise<Pick<TensorsDescription, "loraLayers" | "casesListed" | "problem">> {
  try {
    const { lora, seen, chose } = await readAdapter(path);
    return {
      loraLayers: { text: carryingLayers(lora, "text"), image: carryingLayers(lora, "image") },
      casesListed: { seen: seen?.length ?? null, chose: chose?.length ?? null },
    };
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
    return { problem: error.message };
  }
}

/** PEFT's folder: its matrices, and what stands beside them. */
async function describePeft(path: string): Promise<TensorsDescription> {
  const inner = (await peftModelFile(path))!;
  const model = await describeOne(inner);
  const sidePath = join(path, "ace_hgnn.safetensors");
  if (!await exists(sidePath)) return { ...model, path };
  const side = await describeOne(sidePath);
  const total = model.total + side.total;
  return {
    ...model,
    path,
    tensors: [...model.tensors, ...side.tensors],
    total,
    bytes: model.bytes + side.bytes,
    trainableTotal: total,
    metadata: { ...model.metadata, ...side.metadata },
  };
}

/** The description as text: one line a tensor, then the totals. */
export function formatTensors(description: TensorsDescription): string {
  const {
    tensors,
    total,
    bytes,
    trainableTotal,
    adapter,
    layout,
    format,
    path,
    loraLayers,
    casesListed,
    problem,
    files,
  } = description;
  const rows = tensors.map((
    { name, dtype, shape, count },
  ) => [name, dtype, `[${shape.join(", ")}]`, count.toLocaleString("en")]);
  const widths = [0, 1, 2, 3].map((i) => Math.max(0, ...rows.map((row) => row[i]!.length)));
  const lines = rows.map((row) =>
    row.map((cell, i) => i === 3 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)).join("  ")
  );
  const kind = `${format === "torch" ? "PyTorch archive" : "safetensors"}${
    adapter ? `, adapter (${adapter} layout)` : layout ? `, ${layout}` : ""
  }`;
  const sum = `${tensors.length} tensors, ${total.toLocaleString("en")} numbers, ${bytes.toLocaleString("en")} bytes`;
  const trainable = trainableTotal === undefined ? [] : [`trainable total: ${trainableTotal.toLocaleString("en")}`];
  const lora = loraLayers
    ? [
      `LoRA in ${
        layersText(
          (["text", "image"] as const).flatMap((encoder) => loraLayers[encoder].map((layer) => ({ encoder, layer }))),
        )
      }`,
    ]
    : [];
  const listed = (count: number | null): string => count === null ? "(not told)" : String(count);
  const cases = casesListed
    ? [
      `hashes of cases and patients: trained on ${listed(casesListed.seen)}, chosen by ${listed(casesListed.chose)}`,
    ]
    : [];
  const refusal = problem === undefined ? [] : [`it cannot be applied: ${problem}`];
  const parts = Object.entries(files ?? {}).map(([part, file]) => `${part}: ${file}`);
  return [`${path}: ${kind}`, ...parts, ...lines, ...lora, ...cases, ...refusal, sum, ...trainable].join("\n");
}
