/** What the rows say about the aims, and the summary they go into. @module */
import { writeFileAtomic } from "../../lib/io/files.ts";
import type { Aim } from "../record.ts";
import type { Row } from "./row.ts";

const three = (x: number): number => Number(x.toPrecision(3));

/** Kernels that move memory more than they compute, or the other way round: each against its own floor. */
function floorAims(rows: readonly Row[]): Aim[] {
  return rows.filter(({ op, implementation, floor }) =>
    implementation === "ace-webgpu" && floor.ratio > 0 && (op.startsWith("Ace") || op.startsWith("matMul"))
  ).map(({ op, shape, ms, gpuMs, floor }) => {
    const share = (milliseconds: number): number => three(100 * floor.ms / milliseconds);
    const measured = share(gpuMs ?? ms.median);
    return {
      name: `${op} ${shape}, WebGPU, against its floor`,
      aim: "at least 50 % of bandwidth or float32 rate",
      measured,
      low: gpuMs === null ? share(ms.max) : measured,
      high: gpuMs === null ? share(ms.min) : measured,
      met: measured >= 50,
    };
  });
}

/** The training step's time over PyTorch's, where both were measured. */
function stepAims(rows: readonly Row[]): Aim[] {
  const steps = rows.filter(({ op }) => op === "training step");
  return steps.filter(({ implementation }) => implementation === "ace-webgpu").flatMap((own): Aim[] =>
    steps.filter((row) => row.shape === own.shape && row.implementation.startsWith("pytorch")).map((peer): Aim => ({
      name: `training step, ${own.shape}, WebGPU against ${peer.implementation}`,
      aim: "at most 1.0 of its time",
      measured: three(own.ms.median / peer.ms.median),
      low: three(own.ms.min / peer.ms.max),
      high: three(own.ms.max / peer.ms.min),
      met: own.ms.median <= peer.ms.median,
    }))
  );
}

/** Every aim that these rows can tell about. */
export function gpuAims(rows: readonly Row[]): Aim[] {
  return [...stepAims(rows), ...floorAims(rows)];
}

/** Puts the aims into a summary file, in place of older ones of the same name; other entries stay. */
export async function mergeAims(path: string, adapter: string, aims: readonly Aim[]): Promise<void> {
  let summary: { adapter?: string; gpu?: string; aims: Aim[] } = { aims: [] };
  try {
    summary = JSON.parse(await Deno.readTextFile(path)) as typeof summary;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const names = new Set(aims.map(({ name }) => name));
  const merged = {
    ...summary,
    adapter: summary.adapter ?? adapter,
    gpu: adapter,
    aims: [...summary.aims.filter(({ name }) => !names.has(name)), ...aims],
  };
  await writeFileAtomic(path, JSON.stringify(merged, null, 1) + "\n");
}
