/** A training run's whole state as one safetensors file, so that it can go on with the same numbers. @module */
import { checkValue, TEXT } from "../platform/options.ts";
import * as tf from "@tensorflow/tfjs";
import { exists } from "../io/files.ts";
import { checkedField, checkedFields, FINITE, LIST, orNull, WHOLE } from "../io/fields.ts";
import type { TensorData } from "../io/tensors.ts";
import {
  loadTree,
  openTree,
  recordField,
  saveTree,
  storedTensors,
  type StoredTree,
  textField,
  TreeError,
} from "../io/tree.ts";
import type { Tensor } from "../tensor/types.ts";
import { adamwFromMoments, adamwMoments, type AdamwState } from "./adamw.ts";
import { newSha256 } from "../platform/sha256.ts";
import { system } from "../platform/system.ts";
import { errorMessage } from "../platform/error_message.ts";

/** One figure of a validation. */
export interface ValidationEntry {
  /** Steps taken before it. */
  step: number;
  /** What was measured: `auroc`, `recall@5`. */
  name: string;
  /** The figure; higher is better. */
  value: number;
}

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
  /** Every validation so far. */
  validations: ValidationEntry[];
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
  /** What differs, dotted: `epochs`, `lora.rank`. */
  readonly field: string;
  /** What the run began with. */
  readonly was: unknown;
  /** What it was to go on with. */
  readonly now: unknown;

  /**
   * An error about a run's state.
   *
   * @param path The state's file.
   * @param field What differs, dotted: `epochs`, `lora.rank`.
   * @param was What the run began with.
   * @param now What it was to go on with.
   */
  constructor(path: string, field: string, was: unknown, now: unknown) {
    super(
      `Cannot resume from "${path}" as ${field} must be the same: it was ${JSON.stringify(was)}, current value is ${
        JSON.stringify(now)
      }`,
    );
    this.field = field;
    this.was = was;
    this.now = now;
  }
}

const FORMAT = "ace-lora training state";

/** Where the state before the newest one is kept: should that one be damaged, the run goes on from here. */
export function previousStatePath(path: string): string {
  return path.replace(/(\.[^./\\]*)?$/, ".previous$1");
}

/** Whether a run's state is there, be it only the one before. */
export async function hasRunState(path: string): Promise<boolean> {
  checkValue("look for a run's state", "its path", path, TEXT);
  return await exists(path) || await exists(previousStatePath(path));
}

/** Removes a run's state and the one before, where they are. */
export async function removeRunState(path: string): Promise<void> {
  checkValue("remove a run's state", "its path", path, TEXT);
  for (const file of [path, previousStatePath(path)]) if (await exists(file)) await system.remove(file);
}

/**
 * Writes a run's state, whole or not at all; the state that stood there becomes the one before.
 *
 * @param settings What must be the same when the run goes on; compared on reading.
 */
export async function writeRunState(
  path: string,
  state: RunState,
  settings: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { first, second } = adamwMoments(state.adamw);
  try {
    const sets = Object.entries({ param: state.tensors, first, second });
    const named = sets.flatMap(([set, own]) => [...own].map(([name, tensor]) => [`${set}/${name}`, tensor]));
    const tensors = await storedTensors(Object.fromEntries(named));
    const next = `${path}.next`;
    await saveTree(next, Object.fromEntries(tensors), {
      format: FORMAT,
      step: String(state.adamw.step),
      progress: JSON.stringify(state.progress),
      settings: JSON.stringify(settings),
      sha256: digestOf(tensors),
    }, { isPrivate: true });
    // Killed between the two, the run has the state before; killed earlier, both as they were.
    if (await exists(path)) await system.rename(path, previousStatePath(path));
    await system.rename(next, path);
  } finally {
    tf.dispose([...first.values(), ...second.values()]);
  }
}

/** What tells that a file of the right length holds other numbers, as after a power failure. */
function digestOf(tensors: ReadonlyMap<string, TensorData>): string {
  const hash = newSha256();
  for (const [name, { data }] of [...tensors].sort(([a], [b]) => a < b ? -1 : 1)) hash.update(name).update(data);
  return hash.digest("hex");
}

/** Options of {@linkcode readRunState}. */
export interface ReadRunStateOptions {
  /** Takes a line where the run goes on otherwise than it began: from the state before, or for more epochs. */
  onNote?: (text: string) => void;
}

/**
 * Reads a run's state; where the newest one is damaged or missing, the one before.
 *
 * @param settings Settings of the run that goes on. It may have more epochs than the one before.
 * @param expected Its trainable tensors; names and shapes are read.
 * @throws {TreeError | FieldError} If the file is no training state, a field of it is not what it must be, or it has other tensors.
 * @throws {StateDifferenceError} If it was written under other settings.
 * @throws {RangeError} If a number is NaN or infinite.
 */
export async function readRunState(
  path: string,
  settings: Readonly<Record<string, unknown>>,
  expected: ReadonlyMap<string, Tensor>,
  options: ReadRunStateOptions = {},
): Promise<RunState> {
  checkValue("read a run's state", "its path", path, TEXT);
  const { onNote } = options;
  const read = (from: string): Promise<RunState> => readOne(from, settings, expected, onNote);
  try {
    return await read(path);
  } catch (error) {
    const before = previousStatePath(path);
    if (error instanceof StateDifferenceError || !await exists(before)) throw error;
    const state = await read(before).catch((other) => {
      throw other instanceof StateDifferenceError ? other : error;
    });
    onNote?.(
      `going on from "${before}", step ${state.adamw.step}, as the newest state is of no use: ${errorMessage(error)}`,
    );
    return state;
  }
}

async function readOne(
  path: string,
  settings: Readonly<Record<string, unknown>>,
  expected: ReadonlyMap<string, Tensor>,
  onNote?: (text: string) => void,
): Promise<RunState> {
  const file = await openTree(path, { noun: "a training state", format: FORMAT });
  const { sha256 } = file.fields;
  if (sha256 !== undefined && digestOf(file.tensors) !== sha256) {
    throw new TreeError(path, "numbers", "those that were written", "others by their SHA-256");
  }
  const written = asWrittenNow(path, recordField(file, "settings"));
  const progress = progressOf(file);
  const text = textField(file, "step");
  const step = checkedField(path, "step", /^\d+$/.test(text) ? Number(text) : text, WHOLE);
  compareSettings(path, written, settings);
  const tree: Record<string, Tensor> = Object.fromEntries(expected);
  const sets: Map<string, Tensor>[] = [];
  try {
    for (const prefix of ["param/", "first/", "second/"]) {
      sets.push(new Map(Object.entries(loadTree(file, tree, { prefix }))));
    }
    const [tensors, first, second] = [sets[0]!, sets[1]!, sets[2]!];
    const adamw = adamwFromMoments({ first, second }, step);
    tf.dispose([...first.values(), ...second.values()]);
    if (settings["epochs"] !== written["epochs"] && written["epochs"] !== undefined) {
      onNote?.(
        `the run began with ${written["epochs"]} epochs and goes on with ${settings["epochs"]}: from step ${
          step + 1
        } on the learning rate follows the longer run's cosine`,
      );
    }
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
  checkedFields(path, progress, { epoch: WHOLE, batch: WHOLE, bestLoss: orNull(FINITE) }, "progress");
  for (const [i, entry] of checkedField(path, "progress.history", progress["history"], LIST).entries()) {
    checkedFields(path, entry, { loss: FINITE, learningRate: FINITE }, `progress.history[${i}]`);
  }
  const validations = progress["validations"] ?? []; // version 0.1.0 had none
  for (const [i, entry] of checkedField(path, "progress.validations", validations, LIST).entries()) {
    checkedFields(path, entry, { step: WHOLE, value: FINITE }, `progress.validations[${i}]`);
  }
  return { ...progress, validations } as unknown as RunProgress;
}

/** Settings of a state, those that version 0.1.0 wrote as JSON after the model's name under names of their own. */
function asWrittenNow(path: string, written: Record<string, unknown>): Record<string, unknown> {
  const [, model, inputs] = /^(.*?) (\{.*\})$/.exec(String(written["model"])) ?? [];
  const older = inputs === undefined
    ? {}
    : { model, ...recordField({ path, fields: { "settings.model": inputs } }, "settings.model") };
  return { padding: "context", clipNorm: null, validateEvery: null, ...written, ...older };
}

/** Fails at the first setting that differs, fewer epochs among them; what only one side names is passed over, as older states name less. */
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
    if (prefix + name === "epochs" && Number(now) > Number(was)) continue;
    if (isGroup(was) && isGroup(now)) compareSettings(path, was, now, `${prefix}${name}.`);
    else if (JSON.stringify(was) !== JSON.stringify(now)) {
      throw new StateDifferenceError(path, prefix + name, was, now);
    }
  }
}
