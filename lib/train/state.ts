/** A training run's whole state as one safetensors file, so that it can go on with the same numbers. @module */
import * as tf from "@tensorflow/tfjs";
import { readSafetensors, writeSafetensors } from "../io/safetensors.ts";
import { float32Tensor, type TensorData, toFloat32 } from "../io/tensors.ts";
import type { Tensor } from "../tensor/types.ts";
import { adamwFromMoments, adamwMoments, type AdamwState } from "./adamw.ts";

/** How far a run has come. */
export interface RunProgress {
  /** Epoch under way, from 0. */
  epoch: number;
  /** Batches of it already done. */
  batch: number;
  /** Lowest mean loss of an epoch so far; null before the first. */
  bestLoss: number | null;
  /** Loss and learning rate of each step. */
  history: { loss: number; learningRate: number }[];
}

/** A run that can go on. */
export interface RunState {
  /** Trainable tensors by name. */
  tensors: Map<string, Tensor>;
  /** The optimiser's memory. */
  adamw: AdamwState;
  /** Where the run is. */
  progress: RunProgress;
}

const SETS = ["param", "first", "second"] as const;

/**
 * Writes a run's state, whole or not at all.
 *
 * @param settings What must be the same when the run goes on; compared on reading.
 */
export async function writeRunState(path: string, state: RunState, settings: Record<string, unknown>): Promise<void> {
  const moments = adamwMoments(state.adamw);
  const groups = { param: state.tensors, ...moments };
  const tensors = new Map<string, TensorData>();
  for (const set of SETS) {
    for (const [name, tensor] of groups[set]) {
      tensors.set(`${set}/${name}`, float32Tensor(tensor.shape, await tensor.data() as Float32Array));
    }
  }
  tf.dispose([...moments.first.values(), ...moments.second.values()]);
  await writeSafetensors(path, tensors, {
    format: "ace-lora training state",
    step: String(state.adamw.step),
    progress: JSON.stringify(state.progress),
    settings: JSON.stringify(settings),
  });
}

/**
 * Reads a run's state.
 *
 * @param settings Settings of the run that goes on.
 * @throws {SyntaxError} If the file is no training state.
 * @throws {RangeError} If it was written under other settings, or for other tensors.
 */
export async function readRunState(
  path: string,
  settings: Record<string, unknown>,
  expected: ReadonlyMap<string, Tensor>,
): Promise<RunState> {
  const { tensors, metadata } = await readSafetensors(path);
  if (metadata["format"] !== "ace-lora training state") {
    throw new SyntaxError(
      `Cannot resume from "${path}" as it must be a training state: it holds ${tensors.size} other tensors`,
    );
  }
  const written = JSON.parse(metadata["settings"]!) as Record<string, unknown>;
  for (const key of new Set([...Object.keys(settings), ...Object.keys(written)])) {
    const [now, then] = [JSON.stringify(settings[key]), JSON.stringify(written[key])];
    if (now !== then) {
      throw new RangeError(
        `Cannot resume from "${path}" as ${key} must be the same: it was ${then}, current value is ${now}`,
      );
    }
  }
  for (const [name, tensor] of expected) {
    const found = tensors.get(`param/${name}`);
    if (found?.shape.join() !== tensor.shape.join()) {
      throw new RangeError(
        `Cannot resume from "${path}" as "${name}" must have shape [${tensor.shape}]: current value is ${
          found ? `[${found.shape}]` : "absent"
        }`,
      );
    }
  }
  const group = (set: typeof SETS[number]): Map<string, Tensor> =>
    new Map(
      [...expected].map(([name, { shape }]) => [name, tf.tensor(toFloat32(tensors.get(`${set}/${name}`)!), shape)]),
    );
  const moments = { first: group("first"), second: group("second") };
  const adamw = adamwFromMoments(moments, Number(metadata["step"]));
  tf.dispose([...moments.first.values(), ...moments.second.values()]);
  return {
    tensors: group("param"),
    adamw,
    progress: JSON.parse(metadata["progress"]!) as RunProgress,
  };
}
