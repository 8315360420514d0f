/** Model cards, read by Hugging Face's own parser. */
import { assert, assertEquals, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { modelCard } from "../../lib/export/card.ts";
import { fail, MINI_FILES, succeed } from "../cli/run.ts";
import { hasPython, runPython, skipName } from "../io/_python.ts";

const ready = await hasPython("huggingface_hub");
const METRICS = { sets: { "films: 'A'": { ours: { accuracy: 0.75, auroc: 0.8125 }, odd: { auroc: null } } } };
const TRAINING = { data: { name: "pairs | mine" }, seconds: 12, history: [{ loss: 3 }, { loss: 1.5 }] };

Deno.test({
  name: skipName("export --card writes what huggingface_hub's ModelCard reads", ready, "huggingface_hub"),
  ignore: !ready,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const [card, metrics, training] = ["README.md", "metrics.json", "training.json"].map((name) => join(folder, name));
    await Deno.writeTextFile(metrics!, JSON.stringify(METRICS));
    await Deno.writeTextFile(training!, JSON.stringify(TRAINING));
    const permissions = { read: [folder, ...MINI_FILES], write: [folder] };
    const line = ["export", "--card", card!, "--metrics", metrics!, "--training", training!, "--base-model", "a/b: c"];
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
      results: [["films: 'A'", "accuracy", 0.75], ["films: 'A'", "roc_auc", 0.8125]],
    });
    const text = await Deno.readTextFile(card!);
    for (const part of ["drawings", "weights_sha256", "| final loss | 1.5 |", "pairs \\| mine", "no diagnosis"]) {
      assert(text.includes(part), part);
    }
    await Deno.writeTextFile(metrics!, "{}");
    await fail([...line, "--overwrite"], ["it has no sets"], permissions);
    await fail(["export", "--license", "mit", "--onnx", folder], ["--license needs --card"], permissions);
    await Deno.remove(folder, { recursive: true });
  },
});

Deno.test("modelCard() leaves out what is not known, and refuses records of other things", () => {
  const text = modelCard({ title: "a model", files: { weights: "w" } });
  assertEquals(/^(license|base_model|model-index):/m.test(text), false);
  assert(text.includes("Named by whoever publishes"));
  assertThrows(() => modelCard({ title: "a", files: {}, training: {} }), SyntaxError, "it has no history");
});
