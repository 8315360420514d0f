/** What a file of weights is, for people and as JSON. @module */
import { join } from "@std/path";
import { type AdapterFormat, adapterFormat } from "./files.ts";
import { peftModelFile } from "./peft.ts";
import { findLayout, layoutLabel } from "../clip/checkpoint/find_layout.ts";
import { openTensorFile } from "../io/open.ts";
import type { TensorFile } from "../io/tensor_file.ts";
import { DTYPE_BYTES, elementCount, type TensorDtype } from "../io/tensors.ts";

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
    const { layout, wrapper } = findLayout(new Set(entries.keys()), path);
    return { layout: `${layoutLabel(layout)}${wrapper ? ` below "${wrapper}"` : ""}` };
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

const exists = (path: string): Promise<boolean> => Deno.stat(path).then(() => true, () => false);

/**
 * Describes a file of weights, or an adapter (a file, or PEFT's folder), from its header: no tensor is read.
 *
 * @throws {SyntaxError} If it is no weights file, or damaged; the message names it.
 */
export async function describeTensors(path: string): Promise<TensorsDescription> {
  const inner = await peftModelFile(path);
  if (inner === undefined) return await describeOne(path);
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
  const { tensors, total, bytes, trainableTotal, adapter, layout, format, path } = description;
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
  return [`${path}: ${kind}`, ...lines, sum, ...trainable].join("\n");
}
