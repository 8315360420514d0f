/** The options of `probe`, and what they say of its runs. @module */
import { PROBE_METHODS, type ProbeName } from "../eval/probe/methods.ts";
import { type Arguments, COUNT, type OptionSpec, UsageError, WHOLE } from "./command.ts";
import { CLASS_OPTIONS, CLASSIFIED_OPTIONS, COLUMN_OPTIONS } from "./data_options.ts";
import { OVERWRITE_OPTION } from "./output.ts";
import { BACKEND_OPTION } from "./shared.ts";
import { MANY_IMAGES_OPTIONS } from "./unreadable.ts";
import { keysOf } from "../platform/known_keys.ts";

/** The methods compared, LoRA last. */
export const METHODS: readonly ProbeMethod[] = [...keysOf(PROBE_METHODS), "lora"];

/** One of them. */
export type ProbeMethod = ProbeName | "lora";

/** The options. */
export const PROBE_OPTIONS: Record<string, OptionSpec> = {
  ...CLASSIFIED_OPTIONS,
  ...CLASS_OPTIONS,
  prompts: { multiple: true, value: "TEMPLATE", help: "Prompt with {c} for the class; may be repeated" },
  "split-column": {
    value: "NAME",
    help: "Column that says train, validation or test of a row (default: 70, 15 and 15 % by patient, drawn)",
  },
  "split-seed": { value: "N", number: WHOLE, help: "Seed of parts that are drawn (default: 1)" },
  methods: {
    value: "LIST",
    words: METHODS,
    list: true,
    help: `Among ${METHODS.join(", ")} (default: all but lora, which trains on the images)`,
  },
  shots: { value: "LIST", help: "Cases a class (default: 1,2,4,8,16,all)" },
  seeds: { value: "LIST", help: "Seeds of the draws (default: 1,2,3)" },
  epochs: { value: "N", number: COUNT, help: "Passes of LoRA over its shots (default: 40)" },
  "learning-rate": {
    value: "LIST",
    help: "Rates of LoRA; of several the one with most right answers on the validation cases (default: 0.001,0.01)",
  },
  ...COLUMN_OPTIONS,
  ...MANY_IMAGES_OPTIONS,
  out: {
    value: "DIR",
    help: "Folder of probe.json, probe.html and the features, computed once (default: results/probe)",
  },
  ...OVERWRITE_OPTION,
  json: { help: "JSON instead of a table" },
  "batch-size": { value: "N", number: COUNT, help: "Images encoded at a time (default: 16)" },
  ...BACKEND_OPTION,
};

/** The methods asked for, in their own order; undefined where none is named. */
export function methodsFrom(args: Arguments): ProbeMethod[] | undefined {
  const named = args.choices("methods", METHODS);
  return named && METHODS.filter((method) => named.includes(method));
}

/** Shots a class, rising; `Infinity` for all. */
export function shotsFrom(args: Arguments): number[] {
  const shots = (args.list("shots") ?? ["1", "2", "4", "8", "16", "all"]).map((word) => {
    const count = word === "all" ? Infinity : Number(word);
    if (count === Infinity || (Number.isInteger(count) && count > 0)) return count;
    throw new UsageError(`--shots must be positive whole numbers or all: current value is "${word}"`);
  });
  return [...new Set(shots)].sort((a, b) => a - b);
}

/** Learning rates of LoRA; undefined where none is named. */
export function ratesFrom(args: Arguments): number[] | undefined {
  return args.list("learning-rate")?.map((word) => {
    const rate = Number(word);
    if (rate > 0 && rate < Infinity) return rate;
    throw new UsageError(`--learning-rate must be positive numbers: current value is "${word}"`);
  });
}
