import { assert, assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { countingDevice } from "../../bench/gpu/counting_device.ts";
import { initAceLora } from "../../lib/ace_lora.ts";
import { saveAdapter } from "../../lib/adapters/model.ts";
import { parseCommandLine } from "../../lib/cli/command_line.ts";
import { learningFrom, learnNothing, startFrom } from "../../lib/cli/learning.ts";
import { adapterFrom } from "../../lib/cli/model_options.ts";
import { COMMAND } from "../../lib/cli/train.ts";
import { fitSettings } from "../../lib/cli/train_options.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { openImageReader } from "../../lib/data/pixels/reader.ts";
import { trainingSet } from "../../lib/data/synthetic/sets.ts";
import type { Dataset } from "../../lib/data/types.ts";
import { ACE_LORA_HGNN } from "../../lib/hypergraph/ace_hgnn.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import { defined } from "../../lib/platform/defined.ts";
import { initHead } from "../../lib/supervised.ts";
import { useDevice } from "../../lib/tensor/webgpu/init.ts";
import { fit } from "../../lib/train/fit.ts";

/** The set with a class for each case, in place of what pairs are learned by. */
function classified(dataset: Dataset): Dataset {
  const cases = dataset.cases.map((item, i) => ({ ...item, target: i % 2 }));
  return { ...dataset, classes: ["normal", "pneumonia"], cases };
}

/** An adapter of the shipped model as training saves it, with a head or without. */
async function writeAdapter(path: string, classes?: readonly string[]): Promise<void> {
  const { params, config } = await loadClip();
  const additions = { encoders: config, lora: ACE_LORA_LORA, hgnn: ACE_LORA_HGNN, ...defined({ classes }) };
  const adapted = await initAceLora(params, additions);
  const head = classes && initHead(config.embedding, classes.length);
  await saveAdapter(path, { ...adapted, ...defined({ head }) }, additions);
}

interface Ahead {
  /** What is learned. */
  name: string;
  /** The options for it. */
  options: readonly string[];
  narrow?: boolean;
  isClassified?: boolean;
}

const CASES: readonly Ahead[] = [
  { name: "pairs", options: ["--batch-size", "4"] },
  { name: "fewer pairs than a batch has, in float16", options: ["--batch-size", "12"], narrow: true },
  { name: "pairs, on from an adapter", options: ["--batch-size", "4", "--adapter", "adapter"] },
  { name: "labels", options: ["--batch-size", "4", "--head", "joint"], isClassified: true },
  {
    name: "labels on an adapter that stays",
    options: ["--batch-size", "4", "--head", "alone", "--adapter", "with_head"],
    isClassified: true,
  },
];

for (const { name, options, narrow = false, isClassified = false } of CASES) {
  Deno.test(`learnNothing() compiles a step's programs while the weights are read: ${name}`, async () => {
    const folder = await Deno.makeTempDir();
    const { owned, counts } = countingDevice();
    await useDevice(owned);
    await tf.setBackend("webgpu");
    tf.engine().startScope();
    await writeAdapter(`${folder}/adapter`);
    await writeAdapter(`${folder}/with_head`, ["normal", "pneumonia"]);
    const dataset = isClassified ? classified(trainingSet(8, 1)) : trainingSet(8, 1);
    const given = options.map((word) =>
      /adapter$|head$/.test(word) && !word.startsWith("-") ? `${folder}/${word}` : word
    );
    const args = parseCommandLine(COMMAND, ["--pairs", "pairs.csv", "--micro-batch", "2", ...given]);
    const reader = openImageReader();
    const before = counts.pipelines;
    try {
      const adapter = await adapterFrom(args);
      const clip = await loadClip({}, {
        narrow,
        ahead: (params, config) => learnNothing(args, { dataset, adapter }, { params, config }),
      });
      const read = counts.pipelines;
      assert(read > before + 50, `${read - before} pipelines`);
      const earlier = await startFrom(adapter, clip);
      const { model, start, source, loss } = await learningFrom(args, {
        dataset,
        clip,
        reader,
        ...defined({ earlier }),
      });
      await fit(model, start, source, { ...fitSettings(args), loss, epochs: 1 });
      assertEquals(counts.pipelines, read);
      assert(counts.dispatches > 100, `${counts.dispatches} dispatches`);
    } finally {
      await reader.close();
      tf.engine().endScope();
      await Deno.remove(folder, { recursive: true });
    }
  });
}
