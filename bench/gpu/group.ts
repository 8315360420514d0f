/** The bench's group of dispatches and bytes of a WebGPU step, which needs no GPU. @module */
import { selectBackend } from "../../lib/tensor/backend.ts";
import type { Bench } from "../groups.ts";
import { atMost, loadAverage } from "../record.ts";
import { COUNTED_STEPS, floorBytes, stepDispatches } from "./dispatches.ts";

/** Most bytes of all buffers that programs are bound to, over the floor. */
const MOST_BYTES = 1.15;

/** Counts the steps, the largest also beside its floor. */
export async function dispatchesGroup(bench: Bench): Promise<void> {
  const exactly = (value: number) => ({ median: value, low: value, high: value });
  try {
    for (const step of COUNTED_STEPS) {
      const { byKernel, bytesByKernel: _, ...counts } = await stepDispatches(step.options);
      const share = counts.boundBytes / floorBytes(step);
      await bench.onMeasurement("dispatches", {
        name: `${step.name}, WebGPU`,
        threads: 1,
        load: loadAverage(),
        times: {},
        ratios: {},
        more: { ...counts, "bytes / floor": share, ...Object.fromEntries(byKernel) },
      });
      bench.onAim(atMost(`${step.name}, WebGPU, dispatches`, step.most, exactly(counts.dispatches), "dispatches"));
      if (step.options.microBatch === undefined) {
        bench.onAim(
          atMost(`${step.name}, WebGPU, bytes of all buffers bound over the floor`, MOST_BYTES, exactly(share)),
        );
      }
    }
  } finally {
    await selectBackend({ backend: "wasm" });
  }
}
