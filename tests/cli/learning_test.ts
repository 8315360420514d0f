import { assert, assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { countingDevice } from "../../bench/gpu/counting_device.ts";
import { parseCommandLine } from "../../lib/cli/command.ts";
import { learningFrom, learnNothing } from "../../lib/cli/learning.ts";
import { COMMAND } from "../../lib/cli/train.ts";
import { fitSettings } from "../../lib/cli/train_options.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { openImageReader } from "../../lib/data/pixels/reader.ts";
import { trainingSet } from "../../lib/data/synthetic/sets.ts";
import { useDevice } from "../../lib/tensor/webgpu/init.ts";
import { fit } from "../../lib/train/fit.ts";

for (const narrow of [false, true]) {
  Deno.test(`learnNothing() compiles a step's programs while the weights are read${narrow ? " in float16" : ""}`, async () => {
    const { owned, counts } = countingDevice();
    await useDevice(owned);
    await tf.setBackend("webgpu");
    tf.engine().startScope();
    const dataset = trainingSet(8, 1);
    const size = narrow ? "12" : "4"; // more than there are, and fewer
    const args = parseCommandLine(COMMAND, ["--pairs", "pairs.csv", "--batch-size", size, "--micro-batch", "2"]);
    const reader = openImageReader();
    try {
      const clip = await loadClip({}, {
        narrow,
        ahead: (params, encoders) => learnNothing(args, dataset, params, encoders),
      });
      const read = counts.pipelines;
      assert(read > 50, `${read} pipelines`);
      const { model, start, source, loss } = await learningFrom(args, { dataset, clip, reader });
      await fit(model, start, source, { ...fitSettings(args), loss, epochs: 1 });
      assertEquals(counts.pipelines, read);
      assert(counts.dispatches > 100, `${counts.dispatches} dispatches`);
    } finally {
      await reader.close();
      tf.engine().endScope();
    }
  });
}
