/** The few-shot methods that read features alone, by name. @module */
import { chooseLogistic, chooseTipAdapter } from "./choose.ts";
import { predictLogistic } from "./logistic.ts";
import { nearestNeighbours, tipAdapter } from "./neighbours.ts";
import type { ProbeAnswer, ProbeTask } from "./task.ts";
import { clipAdapterProbe, tipAdapterFProbe } from "./trained.ts";

/** One method. */
export interface ProbeMethod {
  /** Name in tables. */
  label: string;
  /** Whether its answer depends on the seed with the same shots. */
  isRandom: boolean;
  /** Whether it reads the features of the classes' prompts. */
  readsTexts: boolean;
  /** Its answer. */
  answer(task: ProbeTask): ProbeAnswer | Promise<ProbeAnswer>;
}

/** Name of a method that reads features alone. */
export type ProbeName = "linear" | "knn" | "tip-adapter" | "tip-adapter-f" | "clip-adapter";

/** Whether a method's name is one of {@linkcode PROBE_METHODS}. */
export function isProbeName(name: string): name is ProbeName {
  return Object.hasOwn(PROBE_METHODS, name);
}

/** In the tables' order. */
export const PROBE_METHODS: Readonly<Record<ProbeName, ProbeMethod>> = {
  "linear": {
    label: "linear probe",
    isRandom: false,
    readsTexts: false,
    answer: ({ train, validation, queries }) => {
      const { model, c } = chooseLogistic(train, validation);
      return { scores: predictLogistic(model, queries), chosen: { c } };
    },
  },
  "knn": {
    label: "k-NN",
    isRandom: false,
    readsTexts: false,
    answer: ({ train, queries }) => ({ scores: nearestNeighbours(train, queries) }),
  },
  "tip-adapter": {
    label: "Tip-Adapter",
    isRandom: false,
    readsTexts: true,
    answer: (task) => {
      const chosen = chooseTipAdapter(task.train, task);
      const options = { ...chosen, scale: task.scale };
      return { scores: tipAdapter(task.train, task.queries, task.classFeatures, options), chosen };
    },
  },
  "tip-adapter-f": { label: "Tip-Adapter-F", isRandom: true, readsTexts: true, answer: tipAdapterFProbe },
  "clip-adapter": { label: "CLIP-Adapter", isRandom: true, readsTexts: true, answer: clipAdapterProbe },
};
