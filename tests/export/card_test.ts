/** Model cards, read by Hugging Face's own parser. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { checkRunRecord } from "../../lib/display/records.ts";
import type { DenseRecord, MethodResult, TrainingRecord } from "../../lib/display/results.ts";
import { modelCard } from "../../lib/export/card.ts";
import { fail, MINI_FILES, succeed } from "../cli/run.ts";
import { hasPython, runPython, skipName } from "../io/_python.ts";

const ready = await hasPython("huggingface_hub");
const TRAINING: TrainingRecord = {
  command: "train",
  data: { name: "pairs | mine" },
  seconds: 12,
  trainable: 969217,
  history: [{ loss: 3 }, { loss: 1.5 }],
};
const HEAD: DenseRecord = {
  schema: 2,
  command: "segment evaluate",
  head: "head.safetensors",
  figures: { dice: 0.625, dice_ci: [0.5, 0.75], iou: null },
  baselines: {},
  data: { name: "masks", synthetic: true },
};
/** Forty films of twenty patients: 3 in 4 right for either sex. */
const SCORES = ["id,truth,patient,sex,score:normal,score:effusion"].concat(
  Array.from({ length: 40 }, (_, i) => {
    const score = (i % 2 === 0 ? 0.25 : 0.75) + (i % 8 === 0 ? 0.5 : 0) + i / 1000;
    const cells = [`film${i}`, i % 2 === 0 ? "normal" : "effusion", `p${i >> 1}`, i < 20 ? "F" : "M", 1 - score, score];
    return cells.join(",");
  }),
).join("\n");

Deno.test({
  name: skipName("export --card writes what huggingface_hub's ModelCard reads", ready, "huggingface_hub"),
  ignore: !ready,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const [card, metrics, training] = ["README.md", "metrics.json", "training.json"].map((name) => join(folder, name));
    const [scores, head] = [join(folder, "films: 'A'.csv"), join(folder, "head.json")];
    await Deno.writeTextFile(scores, SCORES);
    await Deno.writeTextFile(head, JSON.stringify(HEAD));
    await Deno.writeTextFile(training!, JSON.stringify(TRAINING));
    const permissions = { read: [folder, ...MINI_FILES], write: [folder] };
    const judged = ["evaluate", "--scores", scores, "--patient-column", "patient", "--by", "sex", "--out", folder];
    await succeed(judged, { read: [folder], write: [folder] });
    const figures = checkRunRecord(JSON.parse(await Deno.readTextFile(metrics!)), metrics!).sets["films: 'A'"]!;
    const { accuracy, auroc, auprc, subgroups } = figures["scores given"]!.evaluation!;
    const line = [
      "export",
      "--card",
      card!,
      "--metrics",
      metrics!,
      "--metrics",
      head,
      "--training",
      training!,
      "--base-model",
      "a/b: c",
    ];
    assertEquals(await succeed([...line, "--license", "mit"], permissions), `${card}\n`);
    const script = `
import json, sys
from huggingface_hub import ModelCard
data = ModelCard.load(sys.argv[1]).data
print(json.dumps({"base": data.base_model, "license": data.license, "library": data.library_name, "tags": data.tags,
  "results": [[r.dataset_name, r.metric_type, r.metric_value] for r in data.eval_results]}))
`;
    assertEquals(JSON.parse(await runPython(script, [card!])), {
      base: "a/b: c",
      license: "mit",
      library: "ace-lora",
      tags: ["ace-lora", "lora", "medical", "clip"],
      results: [
        ["films: 'A'", "accuracy", accuracy.value],
        ["films: 'A'", "roc_auc", auroc.value],
        ["films: 'A'", "average_precision", auprc.value],
      ],
    });
    const text = await Deno.readTextFile(card!);
    const [low, high] = auroc.patients!.map((end) => end.toFixed(4));
    for (
      const part of [
        ...[
          "drawings",
          "weights_sha256",
          "| final loss | 1.5 |",
          "pairs \\| mine",
          "no diagnosis",
          "| trainable | 969217 |",
        ],
        `| films: 'A' | AUROC | ${auroc.value!.toFixed(4)} | ${low} to ${high} |`,
        ...subgroups.map(({ group, auroc }) => `| AUROC where sex is ${group} | ${auroc!.value!.toFixed(4)} |`),
        "40 cases, intervals by bootstrap over its 20 patients. Thresholds: Youden's index (the cases judged).",
        "Accuracy of always normal, which looks at no image: 0.5000.",
        "| masks | dice | 0.6250 |",
        "masks: drawings",
      ]
    ) assert(text.includes(part), part);
    await Deno.writeTextFile(metrics!, "{}");
    await fail(
      [...line, "--overwrite"],
      [metrics!, "no metrics.json of evaluate, demo, segment or detect"],
      permissions,
    );
    await Deno.writeTextFile(metrics!, JSON.stringify({ schema: 99, sets: {}, backend: "wasm", synthetic: false }));
    await fail([...line, "--overwrite"], [metrics!, '"schema" must be a whole number up to 2'], permissions);
    await fail(["export", "--license", "mit", "--onnx", folder], ["--license needs --card"], permissions);
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test("modelCard() leaves out what is not known, and names the method where a set has several", () => {
  const text = modelCard({ title: "a model", files: { weights: "w" } });
  assertEquals(/^(license|base_model|model-index):/m.test(text), false);
  assert(text.includes("Named by whoever publishes"));
  const result: MethodResult = { accuracy: 0.5, accuracy_ci: [0, 1], auroc: null, auroc_ci: null, n: 2, trainable: 0 };
  const run = { seed: 1, backend: "cpu", adapter: null, seconds: 1, versions: {}, synthetic: true };
  const several = modelCard({
    title: "a",
    files: {},
    metrics: [{ ...run, sets: { films: { a: result, b: result } } }],
  });
  assert(several.includes("| films, a | Accuracy | 0.5000 | 0.0000 to 1.0000 |"), several);
  assert(several.includes("films, b: 2 cases; intervals by bootstrap over cases. Drawings"), several);
  assertEquals(several.includes("AUROC"), false);
});
