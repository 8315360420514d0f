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

/** The error for a run that goes on with something else than it began with. */
export class StateDifferenceError extends RangeError {
  /** Name shown in stack traces. */
  override name = "StateDifferenceError";

  /**
   * An error about a run's state.
   *
   * @param path The state's file.
   * @param field What differs, dotted: `epochs`, `lora.rank`.
   * @param was What the run began with.
   * @param now What it was to go on with.
   */
  constructor(path: string, readonly field: string, readonly was: unknown, readonly now: unknown) {
    super(
      `Cannot resume from "${path}" as ${field} must be the same: it was ${JSON.stringify(was)}, current value is ${
        JSON.stringify(now)
      }`,
    );
  }
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
  }, { isPrivate: true });
}

/**
 * Reads a run's state.
 *
 * @param settings Settings of the run that goes on.
 * @throws {SyntaxError} If the file is no training state.
 * @throws {StateDifferenceError} If it was written under other settings.
 * @throws {RangeError} If it was written for other tensors.
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
  compareSettings(path, asWrittenNow(written), settings);
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

/** Settings of a state, those that version 0.1.0 wrote as JSON after the model's name under names of their own. */
function asWrittenNow(written: Record<string, unknown>): Record<string, unknown> {
  const [, model, inputs] = /^(.*?) (\{.*\})$/.exec(String(written["model"])) ?? [];
  return { padding: "context", ...written, ...(inputs ? { model, ...JSON.parse(inputs) } : {}) };
}

/** Fails at the first setting that differs; what only one side names is passed over, as older states name less. */
function compareSettings(
  path: string,
  written: Readonly<Record<string, unknown>>,
  current: Readonly<Record<string, unknown>>,
  prefix = "",
): void {
  const isGroup = (value: unknown): value is Record<string, unknown> =>
    typeof value === "object" && value !== null && !Array.isArray(value);
  for (const [name, now] of Object.entries(current)) {
    if (!Object.hasOwn(written, name)) continue;
    const was = written[name];
    if (isGroup(was) && isGroup(now)) compareSettings(path, was, now, `${prefix}${name}.`);
    else if (JSON.stringify(was) !== JSON.stringify(now)) {
      throw new StateDifferenceError(path, prefix + name, was, now);
    }
  }
}
