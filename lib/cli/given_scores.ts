/** `deno task evaluate --scores`: a list of scores made elsewhere. @module */
import { hashIds } from "../data/dataset.ts";
import { tableName } from "../data/pairs.ts";
import { checkClasses } from "../eval/assess.ts";
import { readPredictions } from "../eval/evaluation/predictions.ts";
import { hashPath } from "../io/hash_path.ts";
import { runFacts } from "../io/run_facts.ts";
import { defined } from "../platform/defined.ts";
import { type Arguments, UsageError } from "./command.ts";
import { checkPath } from "./paths.ts";
import { judge, judgingFrom } from "./judging.ts";

/** Judges a list of scores made elsewhere. */
export async function judgeScores(args: Arguments, out: string): Promise<void> {
  const path = args.required("scores");
  for (const name of ["images", "dataset", "adapter", "weights", "model"]) {
    if (args.text(name) !== undefined) throw new UsageError(`--scores and --${name} exclude each other`);
  }
  await checkPath(path);
  const { by, tune } = judgingFrom(args);
  const predictions = await readPredictions(path, {
    attributes: by.map(({ column }) => column),
    ...defined({
      classes: args.list("classes"),
      id: args.text("id-column"),
      truth: args.text("truth-column"),
      patient: args.text("patient-column"),
      scores: args.list("score-columns"),
    }),
  });
  const set = tableName(path);
  checkClasses({ name: set, classes: predictions.classes });
  await judge(args, {
    out,
    predictions,
    set,
    method: "scores given",
    trainable: 0,
    areProbabilities: true,
    record: {
      ...await runFacts({ name: "none", adapter: null }),
      seconds: 0,
      synthetic: false,
      splits: {
        [set]: { name: "all", size: predictions.ids.length, hash: await hashIds(predictions.ids) },
      },
      configuration: {
        data: { source: path, sha256: await hashPath(path) },
        classes: predictions.classes,
        task: predictions.task,
        tune: tune ?? null,
      },
    },
  });
}
