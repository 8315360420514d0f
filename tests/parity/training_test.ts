import * as tf from "@tensorflow/tfjs";
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { contrastiveLoss, trainableTensors } from "../../lib/ace_lora.ts";
import { withTensors } from "../../lib/tensor/params.ts";
import { adamw, initAdamw } from "../../lib/train/adamw.ts";
import { warmupCosine } from "../../lib/train/schedule.ts";
import { testOnBackends } from "../backends.ts";
import { assertParity, below, pick, readFixture, toTensor } from "./fixtures.ts";
import { gradientsOf, HGNN, loadModel, QKV, referenceName } from "./tiny_model.ts";

const weights = await readFixture("weights");
const cases = await readFixture("cases");
const rates = [...pick(cases, "adamw.lr").data];

Deno.test("warmupCosine() gives the rates of transformers.get_cosine_schedule_with_warmup", () => {
  for (const [step, rate] of rates.entries()) {
    const options = { learningRate: 1e-3, warmupSteps: 2, totalSteps: 10 };
    assertAlmostEquals(warmupCosine(step, options), rate, 1e-9, `step ${step}`);
  }
});

testOnBackends(
  "adamw() follows torch.optim.AdamW for ten steps of label-guided training of LoRA and ACE-HGNN",
  async () => {
    const { params, config } = await loadModel(weights, { lora: QKV, hgnn: HGNN });
    const pixels = toTensor(cases, "pixels") as tf.Tensor4D;
    const ids = toTensor(cases, "ids") as tf.Tensor2D;
    const pairMask = toTensor(cases, "labels.keep").toFloat() as tf.Tensor2D;
    let model = params;
    let tensors = trainableTensors(params);
    let state = initAdamw(tensors);
    const losses: number[] = [];
    for (const rate of rates) {
      const { value, gradients } = gradientsOf(
        model,
        tensors,
        (tree) => contrastiveLoss(tree, { pixels, ids }, config, { pairMask, seed: 1 }),
      );
      losses.push((await value.data())[0]!);
      ({ tensors, state } = adamw(state, tensors, gradients, rate, { weightDecay: 0.01 }));
      model = withTensors(params, tensors);
    }
    await assertParity(tf.tensor1d(losses), pick(cases, "adamw.loss"), { name: "losses" });
    const final = below(cases, "adamw.final.");
    assertEquals([...tensors.keys()].map(referenceName).toSorted(), [...final.keys()].toSorted());
    assertEquals(state.step, rates.length);
    for (const [leaf, tensor] of tensors) {
      await assertParity(tensor, pick(final, referenceName(leaf)), { name: leaf });
    }
    assert(losses.at(-1)! < losses[0]!);
  },
);
