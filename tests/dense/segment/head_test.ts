import * as tf from "@tensorflow/tfjs";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { type BatchStatistics, isTrainedLeaf, runningStatistics } from "../../../lib/nn/batch_norm.ts";
import { decodeMaps, decoderConfig, initDecoder } from "../../../lib/dense/segment/head.ts";
import { maskOfSize, maskTarget, shrinkMask } from "../../../lib/dense/segment/masks.ts";
import { focalLoss, segmentationLoss, softDice } from "../../../lib/dense/segment/loss.ts";
import { maskOverlap, segmentationFigures } from "../../../lib/dense/segment/metrics.ts";
import { errorMessage } from "../../../lib/platform/error_message.ts";
import { countParams, namedTensors, withTensors } from "../../../lib/tensor/params.ts";
import type { Scalar } from "../../../lib/tensor/types.ts";
import { valueAndGradients } from "../../../lib/tensor/gradients.ts";
import { testOnBackends } from "../../backends.ts";
import { assertNear, FIXTURE, withReference } from "../fixture.ts";

const CONFIG = { input: 5, channels: [4, 3] };

async function number(scalar: Scalar): Promise<number> {
  return (await scalar.data())[0]!;
}

testOnBackends(
  "decodeMaps() and segmentationLoss() agree with torch: logits, loss, every gradient, running statistics",
  async () => {
    const expected = FIXTURE.decoder;
    const params = withReference(initDecoder(CONFIG, 1), expected.weights);
    const maps = tf.tensor4d(expected.maps, [2, 3, 3, 5]);
    const target = tf.tensor3d(expected.target, [2, 12, 12]);
    const logits = tf.tensor3d(expected.logits, [2, 12, 12]);
    assertAlmostEquals(await number(focalLoss(logits, target)), expected.focal, 1e-5);
    assertAlmostEquals(await number(softDice(logits, target)), expected.dice, 1e-5);
    const statistics: BatchStatistics = new Map();
    const names = [...namedTensors(params).keys()].filter(isTrainedLeaf);
    assertEquals(names.toSorted(), Object.keys(expected.gradients).toSorted());
    const { value, gradients } = valueAndGradients(
      params,
      names,
      () => tf.tidy(() => segmentationLoss(decodeMaps(params, maps, CONFIG, { statistics }), target)),
    );
    assertAlmostEquals(await number(value), expected.loss, 2e-5);
    for (const name of names) await assertNear(gradients.get(name)!, expected.gradients[name], 5e-5, name);
    const running = runningStatistics(params, statistics);
    for (const [name, wanted] of Object.entries(expected.running)) {
      await assertNear(running.get(name)!, wanted as number[], 1e-5, name);
    }
    const after = withTensors(params, running);
    await assertNear(decodeMaps(after, maps, CONFIG), expected.still, 2e-5, "evaluation");
  },
);

testOnBackends(
  "segmentationLoss() has the slope that finite differences give, also at logits of 20 and an empty mask",
  async () => {
    const values = [0.3, -1.2, 2.5, 0.01, -0.7, 20, -20, 1.1];
    for (const truth of [[1, 0, 1, 1, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0, 0, 0]]) {
      const target = tf.tensor(truth, [2, 2, 2]);
      const lossOf = (x: number[]): Scalar => segmentationLoss(tf.tensor(x, [2, 2, 2]), target);
      const leaf = tf.tensor(values, [2, 2, 2]);
      const { gradients } = valueAndGradients({ leaf }, ["leaf"], () => segmentationLoss(leaf, target));
      const slope = await gradients.get("leaf")!.data();
      for (let i = 0; i < values.length; i++) {
        const h = 0.02;
        const moved = (by: number): number[] => values.map((v, k) => k === i ? v + by : v);
        const difference = (await number(lossOf(moved(h))) - await number(lossOf(moved(-h)))) / (2 * h);
        assertAlmostEquals(slope[i]!, difference, 2e-3 * (1 + Math.abs(difference)));
      }
    }
  },
);

Deno.test("segmentationLoss() is 10 (1/4) ln 2 - ln(Dice) at logits of 0", async () => {
  const loss = segmentationLoss(tf.zeros([1, 2, 2]), tf.tensor([1, 0, 0, 0], [1, 2, 2]));
  assertAlmostEquals(await number(loss), 2.5 * Math.LN2 - Math.log((2 * 0.5 + 1) / (2 + 1 + 1)), 1e-5);
  assertThrows(
    () => segmentationLoss(tf.zeros([1, 2, 2]), tf.zeros([1, 4])),
    TypeError,
    "must have shape [1,2,2]: current shape is [1,4]",
  );
});

Deno.test("decoderConfig() is 512-256-128-64 for patches of 16 and has a stage for each doubling", () => {
  assertEquals(decoderConfig(768, 16).channels, [512, 256, 128, 64]);
  assertEquals(decoderConfig(96, 8, 64).channels, [64, 32, 16]);
  assertThrows(() => decoderConfig(96, 14), RangeError, "must be a power of two >= 2: current value is 14");
  // 3·3·768·512 + 512 and so on, with two numbers a channel of batch normalisation and two running ones
  const counted = [[768, 512], [512, 256], [256, 128], [128, 64]].reduce(
    (sum, [a, b]) => sum + 9 * a! * b! + 5 * b!,
    0,
  );
  const params = initDecoder(decoderConfig(768, 16), 1);
  assertEquals(countParams(params), counted + 9 * 64 + 1);
  assertEquals(countParams(params, isTrainedLeaf), counted - 2 * 960 + 9 * 64 + 1);
});

Deno.test("maskOverlap() counts pixels, and gives an empty mask 1 if the prediction is empty, else 0", () => {
  assertEquals(maskOverlap([1, 1, 0, 0], [0, 1, 1, 1]), { dice: 2 / 5, iou: 1 / 4, empty: false });
  assertEquals(maskOverlap([1, 1], [1, 1]), { dice: 1, iou: 1, empty: false });
  assertEquals(maskOverlap([0, 0], [1, 0]), { dice: 0, iou: 0, empty: false });
  assertEquals(maskOverlap([0, 0], [0, 0]), { dice: 1, iou: 1, empty: true });
  assertEquals(maskOverlap([0, 1], [0, 0]), { dice: 0, iou: 0, empty: true });
  assertThrows(() => maskOverlap([0], [0, 1]), TypeError, "1 predicted, current number is 2");
  const figures = segmentationFigures([
    maskOverlap([1, 1, 0, 0], [0, 1, 1, 1]),
    maskOverlap([0], [0]),
    maskOverlap([1], [0]),
  ]);
  assertAlmostEquals(figures.dice, (0.4 + 1 + 0) / 3, 1e-12);
  assertEquals([figures.dicePositive, figures.emptyKept, figures.n, figures.nEmpty], [0.4, 0.5, 3, 2]);
});

Deno.test("maskTarget() names the case whose mask is missing, of another size, or unreadable", async () => {
  const image = (): Promise<never> => Promise.reject(new Error("not read"));
  const caught = async (mask?: () => Promise<{ width: number; height: number; data: Uint8Array }>): Promise<string> => {
    try {
      await maskTarget({ id: "a7", image, ...(mask ? { mask } : {}) }, { size: 2, image: [4, 2] });
    } catch (error) {
      return errorMessage(error);
    }
    return "";
  };
  assertEquals(await caught(), 'Cannot use case "a7" as it must have a mask: it has none');
  assertEquals(
    await caught(() => Promise.resolve({ width: 2, height: 4, data: new Uint8Array(8) })),
    'Cannot use case "a7" as its mask must be as large as its image, 4 x 2: it is 2 x 4',
  );
  assert(
    (await caught(() =>
      Promise.reject(new RangeError("Cannot decode RLE as runs must end within 4 x 2 pixels: one ends at 9"))
    ))
      .startsWith('Cannot use the mask of case "a7": Cannot decode RLE'),
  );
});

Deno.test("maskOfSize() enlarges a half plane to a half plane, and shrinkMask() takes it back", () => {
  const half = Array.from({ length: 64 }, (_, i) => i % 8 < 4 ? 0.9 : 0.1);
  const large = maskOfSize(half, { size: 8, image: [40, 24] });
  assertEquals([large.width, large.height], [40, 24]);
  large.data.forEach((value, i) => assertEquals(value, i % 40 < 20 ? 1 : 0));
  assertEquals([...shrinkMask(large, 8)], half.map((p) => p > 0.5 ? 1 : 0));
});
