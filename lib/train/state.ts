/** A training run's whole state as one safetensors file, so that it can go on with the same numbers. @module */
import * as tf from "@tensorflow/tfjs";
import {
  checkedField,
  FINITE,
  loadTree,
  openTree,
  recordField,
  saveTree,
  type StoredTree,
  textField,
  WHOLE,
} from "../io/tree.ts";
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

const FORMAT = "ace-lora training state";

/**
 * Writes a run's state, whole or not at all.
 *
 * @param settings What must be the same when the run goes on; compared on reading.
 */
export async function writeRunState(path: string, state: RunState, settings: Record<string, unknown>): Promise<void> {
  const { first, second } = adamwMoments(state.adamw);
  try {
    const groups = Object.entries({ param: state.tensors, first, second });
    const tree = groups.flatMap(([set, tensors]) => [...tensors].map(([name, x]) => [`${set}/${name}`, x]));
    await saveTree(path, Object.fromEntries(tree), {
      format: FORMAT,
      step: String(state.adamw.step),
      progress: JSON.stringify(state.progress),
      settings: JSON.stringify(settings),
    }, { isPrivate: true });
  } finally {
    tf.dispose([...first.values(), ...second.values()]);
  }
}

/**
 * Reads a run's state.
 *
 * @param settings Settings of the run that goes on.
 * @param expected Its trainable tensors; names and shapes are read.
 * @throws {TreeError} If the file is no training state, a field of it is not what it must be, or it has other tensors.
 * @throws {StateDifferenceError} If it was written under other settings.
 * @throws {RangeError} If a number is NaN or infinite.
 */
export async function readRunState(
  path: string,
  settings: Record<string, unknown>,
  expected: ReadonlyMap<string, Tensor>,
): Promise<RunState> {
  const file = await openTree(path, { noun: "a training state", format: FORMAT });
  const written = recordField(file, "settings");
  const progress = progressOf(file);
  const step = Number(textField(file, "step") || NaN);
  checkedField(path, "step", Number.isNaN(step) ? textField(file, "step") : step, WHOLE);
  compareSettings(path, asWrittenNow(path, written), settings);
  const tree: Record<string, Tensor> = Object.fromEntries(expected);
  const sets: Map<string, Tensor>[] = [];
  try {
    for (const prefix of ["param/", "first/", "second/"]) {
      sets.push(new Map(Object.entries(loadTree(file, tree, { prefix }))));
    }
    const [tensors, first, second] = sets as [Map<string, Tensor>, Map<string, Tensor>, Map<string, Tensor>];
    const adamw = adamwFromMoments({ first, second }, step);
    tf.dispose([...first.values(), ...second.values()]);
    return { tensors, adamw, progress };
  } catch (error) {
    tf.dispose(sets.flatMap((set) => [...set.values()]));
    throw error;
  }
}

/** How far the run has come, each part checked. */
function progressOf(file: StoredTree): RunProgress {
  const { path } = file;
  const progress = recordField(file, "progress");
  for (const key of ["epoch", "batch"]) checkedField(path, `progress.${key}`, progress[key], WHOLE);
  if (progress["bestLoss"] !== null) checkedField(path, "progress.bestLoss", progress["bestLoss"], FINITE);
  const { history } = progress;
  checkedField(path, "progress.history", history, { must: "a list", fits: Array.isArray });
  for (const [i, entry] of (history as unknown[]).entries()) {
    for (const key of ["loss", "learningRate"] as const) {
      const value = (entry as Partial<RunProgress["history"][number]> | null)?.[key];
      checkedField(path, `progress.history[${i}].${key}`, value, FINITE);
    }
  }
  return progress as unknown as RunProgress;
}

/** Settings of a state, those that version 0.1.0 wrote as JSON after the model's name under names of their own. */
function asWrittenNow(path: string, written: Record<string, unknown>): Record<string, unknown> {
  const [, model, inputs] = /^(.*?) (\{.*\})$/.exec(String(written["model"])) ?? [];
  const older = inputs === undefined
    ? {}
    : { model, ...recordField({ path, fields: { "settings.model": inputs } }, "settings.model") };
  return { padding: "context", ...written, ...older };
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
