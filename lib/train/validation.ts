/** Validation within a run: measured by one process for all, and what is left of patience. @module */
import type { Communicator } from "../distributed/communicator.ts";
import type { Validation } from "./options.ts";
import type { ValidationEntry } from "./state.ts";

/** The figure, measured by rank 0 for all; undefined where the signal ended the measuring. */
export async function validated(
  measure: () => Promise<Validation>,
  signal: AbortSignal | undefined,
  ranks: Communicator | undefined,
): Promise<Validation | undefined> {
  let own: Validation | undefined;
  if (ranks === undefined || ranks.rank === 0) {
    try {
      own = await measure();
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
    if (own && !Number.isFinite(own.value)) {
      throw new RangeError(`Cannot validate as ${own.name} must be a finite number: current value is ${own.value}`);
    }
  }
  if (ranks === undefined) return own;
  const bytes = new Uint8Array(64); // the figure and its name; no figure is NaN
  new DataView(bytes.buffer).setFloat64(0, own?.value ?? NaN);
  new TextEncoder().encodeInto(own?.name ?? "", bytes.subarray(8));
  ranks.broadcast(bytes);
  const value = new DataView(bytes.buffer).getFloat64(0);
  const name = new TextDecoder().decode(bytes.subarray(8)).replace(/\0+$/, "");
  return Number.isNaN(value) ? undefined : { name, value };
}

/** Validations since the best one. */
export function sinceBest(validations: readonly ValidationEntry[]): number {
  const values = validations.map(({ value }) => value);
  return values.length === 0 ? 0 : values.length - 1 - values.indexOf(Math.max(...values));
}
