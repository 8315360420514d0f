/** What `train` says and keeps of a run that has ended: its last line and training.json. @module */
import { type AceLoraParams, textAffinityOf } from "../ace_lora.ts";
import { loraPlaces } from "../adapters/model.ts";
import { carryingLayers } from "../adapters/positions.ts";
import type { Dataset } from "../data/types.ts";
import { runFacts } from "../io/run_facts.ts";
import type { BackendInfo } from "../tensor/backend.ts";
import { countParams } from "../tensor/params.ts";
import type { FitOptions, FitResult } from "../train/options.ts";
import { sinceBest } from "../train/validation.ts";
import type { Learning } from "./learning.ts";
import type { ModelFacts } from "./provenance.ts";
import { ADAPTERS } from "./training_folder.ts";

/** The cases of a run. */
export interface TrainingSets {
  /** Those trained on. */
  dataset: Dataset;
  /** Those measured on. @default {none} */
  validation?: Dataset;
}

/** Where this process began, and where the run ends. */
export interface Told {
  /** The step it began at: above 0 where it went on with a run. */
  firstStep: number;
  /** Steps of the run. */
  steps: number;
}

/** What a record is made of, beside the figures. */
export interface RecordedRun {
  /** Where it computed. */
  backend: BackendInfo;
  /** The cases. */
  sets: TrainingSets;
  /** What was trained. */
  learning: Learning;
  /** How. */
  settings: FitOptions;
  /** The model's files. */
  facts: ModelFacts;
}

function waitedText(validations: number): string {
  return `${validations} validation${validations === 1 ? "" : "s"} without a better one`;
}

/** What a run came to, whether before its last step, and where it is. */
export function endText({ history, validations }: FitResult<AceLoraParams>, { steps }: Told, out: string): string {
  const best = validations.at(-1 - sinceBest(validations));
  const figure = best && `best ${best.name} ${best.value.toFixed(4)}, after step ${best.step}; `;
  const early = `ended at step ${history.length} of ${steps}, after ${waitedText(sinceBest(validations))}; `;
  return `last loss ${history.at(-1)!.loss.toFixed(4)}; ${figure ?? ""}${
    history.length < steps ? early : ""
  }wrote ${out}/${ADAPTERS.last}, ${ADAPTERS.best} and training.json`;
}

/** What to say where there was nothing left to do, and what goes on with the run. */
export function nothingLeftText(
  { history, validations }: FitResult<AceLoraParams>,
  { steps }: Told,
  patience = Infinity,
): string {
  const waited = sinceBest(validations);
  const isPatienceSpent = waited >= patience;
  const goesOn = [
    ...(history.length < steps ? [] : ["--epochs N"]),
    ...(isPatienceSpent ? [`--patience above ${waited}, or none,`] : []),
  ].join(" with ");
  const why = isPatienceSpent ? `, as --patience ${patience} asks after ${waitedText(waited)}` : "";
  return `nothing was left to do: the run ended with step ${history.length}${why}; ${goesOn} goes on with it`;
}

/** What training.json holds. */
export async function runRecord(
  { backend, sets: { dataset, validation }, learning, settings, facts }: RecordedRun,
  { history, validations }: FitResult<AceLoraParams>,
  { told: { firstStep }, warnings, seconds, processes }: {
    told: Told;
    /** What was warned of, in earlier parts of the run, too. */
    warnings: readonly string[];
    seconds: number;
    processes: Readonly<Record<string, unknown>> | undefined;
  },
): Promise<Record<string, unknown>> {
  return {
    command: "train",
    model: facts,
    warnings,
    data: { name: dataset.name, ...dataset.summary, split: dataset.split },
    settings,
    ...adaptedFacts(learning),
    seconds,
    ...(firstStep > 0 ? { resumed_at_step: firstStep } : {}), // the seconds are those since then
    ...await runFacts(backend),
    ...processes,
    history,
    ...(validation
      ? { validation: { data: { name: validation.name, split: validation.split }, figures: validations } }
      : {}),
  };
}

/** What a run's record says of what was added to the model. */
function adaptedFacts({ model, start, config, inputs }: Learning): Record<string, unknown> {
  const { lora, hgnn, classes } = config;
  const layers = loraPlaces(start);
  return {
    lora,
    lora_layers: { text: carryingLayers(layers, "text"), image: carryingLayers(layers, "image") },
    hgnn: hgnn ?? null,
    ...(hgnn ? { text_affinity: textAffinityOf(config) } : {}),
    ...(classes ? { head: { ...inputs, classes } } : {}),
    trainable: countParams(start, model.isTrainable),
  };
}
