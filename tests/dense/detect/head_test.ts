import * as tf from "@tensorflow/tfjs";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { kMeansAnchors, shapeIou } from "../../../lib/dense/detect/anchors.ts";
import type { BatchStatistics } from "../../../lib/nn/batch_norm.ts";
import { boxIou, type UnitBox, unitBoxes } from "../../../lib/dense/detect/boxes.ts";
import { decodeBoxes, suppress } from "../../../lib/dense/detect/decode.ts";
import { detectMaps, type DetectorConfig, initDetector } from "../../../lib/dense/detect/head.ts";
import { detectionLoss, type ScaleTargetTensors } from "../../../lib/dense/detect/loss.ts";
import { type ScaleTargets, scaleTargets } from "../../../lib/dense/detect/targets.ts";
import type { Scalar, Tensor4D } from "../../../lib/tensor/types.ts";
import { valueAndGradients } from "../../../lib/tensor/gradients.ts";
import { testOnBackends } from "../../backends.ts";
import { assertNear, FIXTURE, withReference } from "../fixture.ts";

const { yolo } = FIXTURE;
const ANCHORS = (yolo.anchors as number[][][]).map((scale) =>
  scale.map(([width, height]) => ({ width: width!, height: height! }))
);
const BOXES = (yolo.boxes as number[][][]).map((boxes) =>
  boxes.map(([x, y, width, height, classIndex]): UnitBox => ({
    x: x!,
    y: y!,
    width: width!,
    height: height!,
    classIndex: classIndex!,
  }))
);
const CONFIG: DetectorConfig = { input: 4, grid: 4, width: 4, pairs: 2, classes: ["a", "b"], anchors: ANCHORS };
const GRIDS = [2, 4, 8];

function tensors(targets: ScaleTargets): ScaleTargetTensors {
  const rows = targets.mask.length;
  return {
    mask: tf.tensor2d(targets.mask, [rows, 1]),
    background: tf.tensor2d(targets.background, [rows, 1]),
    coordinates: tf.tensor2d(targets.coordinates, [rows, 4]),
    classes: tf.tensor2d(targets.classes, [rows, targets.classes.length / rows]),
  };
}

testOnBackends(
  "detectMaps() and detectionLoss() agree with torch: outputs, losses of both assignments, gradients",
  async () => {
    const params = withReference(initDetector(CONFIG, 1), yolo.weights);
    const maps = tf.tensor4d(yolo.maps, [3, 4, 4, 4]);
    const outputs = detectMaps(params, maps, { statistics: new Map() });
    assertEquals(outputs.map(({ shape }) => shape[1]), GRIDS);
    for (const [i, output] of outputs.entries()) await assertNear(output, yolo.outputs[i], 5e-5, `scale ${i}`);
    for (const assignment of ["every-scale", "best"] as const) {
      const targets = scaleTargets(BOXES, { grids: GRIDS, anchors: ANCHORS, classes: 2, assignment }).map(tensors);
      for (const [i, output] of outputs.entries()) {
        const loss = (await detectionLoss(output, targets[i]!).data())[0]!;
        assertAlmostEquals(loss, yolo.losses[assignment][i], 2e-5, `${assignment}, scale ${i}`);
      }
    }
    const targets = scaleTargets(BOXES, { grids: GRIDS, anchors: ANCHORS, classes: 2 }).map(tensors);
    const statistics: BatchStatistics = new Map();
    const { gradients } = valueAndGradients(
      params,
      Object.keys(yolo.gradients),
      () =>
        tf.tidy(() =>
          tf.addN(
            detectMaps(params, maps, { statistics }).map((output, i) => detectionLoss(output, targets[i]!)),
          ) as Scalar
        ),
    );
    for (const [name, wanted] of Object.entries(yolo.gradients)) {
      await assertNear(gradients.get(name)!, wanted as number[], 1e-4, name);
    }
  },
);

testOnBackends("detectionLoss() has the slope that finite differences give", async () => {
  const targets = scaleTargets(BOXES, { grids: [2], anchors: [ANCHORS[0]!], classes: 2 }).map(tensors)[0]!;
  const values = (yolo.outputs[0] as number[]).slice();
  const lossOf = (x: number[]): Promise<Float32Array> =>
    detectionLoss(tf.tensor(x, [3, 2, 2, 14]) as Tensor4D, targets).data() as Promise<Float32Array>;
  const leaf = tf.tensor(values, [3, 2, 2, 14]) as Tensor4D;
  const { gradients } = valueAndGradients({ leaf }, ["leaf"], () => detectionLoss(leaf, targets));
  const slope = await gradients.get("leaf")!.data();
  const touched = [...slope.keys()].filter((i) => i % 7 !== 4 && slope[i] !== 0);
  assert(touched.length >= 12, `only ${touched.length} coordinates and classes have a slope`);
  for (const i of [4, 11, ...touched]) {
    const h = 0.03;
    const at = async (by: number): Promise<number> => (await lossOf(values.map((v, k) => k === i ? v + by : v)))[0]!;
    assertAlmostEquals(slope[i]!, (await at(h) - await at(-h)) / (2 * h), 2e-4);
  }
});

Deno.test("decodeBoxes() and suppress() agree with numpy on the same raw predictions", () => {
  const scales = GRIDS.map((grid, i) => ({ values: Float32Array.from(yolo.outputs[i]), grid, anchors: ANCHORS[i]! }));
  const decoded = decodeBoxes(scales, { batch: 3, classes: 2, least: 0.2 });
  assertEquals(decoded.map((list) => list.length), yolo.decoded);
  decoded.forEach((list, image) => {
    const kept = suppress(list, { confidence: 0.25, iou: 0.5, most: 1000 });
    const wanted = yolo.kept[image] as number[][];
    assertEquals(kept.length, wanted.length);
    kept.forEach((box, i) => {
      const actual = [box.x, box.y, box.width, box.height, box.classIndex, box.score];
      actual.forEach((value, k) => assertAlmostEquals(value, wanted[i]![k]!, 1e-4));
    });
  });
});

Deno.test("decodeBoxes() is the inverse of scaleTargets(): coded boxes come back at every scale", () => {
  const targets = scaleTargets(BOXES, { grids: GRIDS, anchors: ANCHORS, classes: 2 });
  const logit = (p: number): number => Math.log(p / (1 - p));
  targets.forEach((target, s) => {
    const values = new Float32Array(target.mask.length * 7).fill(-20);
    target.mask.forEach((set, at) => {
      if (!set) return;
      const [x, y, w, h] = target.coordinates.subarray(at * 4, at * 4 + 4) as unknown as [
        number,
        number,
        number,
        number,
      ];
      values.set([logit(x), logit(y), w, h, 20, ...[0, 1].map((c) => target.classes[at * 2 + c] ? 20 : -20)], at * 7);
    });
    const boxes = decodeBoxes([{ values, grid: target.grid, anchors: ANCHORS[s]! }], {
      batch: 3,
      classes: 2,
      least: 0.5,
    });
    boxes.forEach((list, image) => {
      assertEquals(list.length, BOXES[image]!.length);
      for (const truth of BOXES[image]!) {
        assert(list.some((box) => box.classIndex === truth.classIndex && boxIou(box, truth) > 0.9999));
      }
    });
  });
});

Deno.test("scaleTargets() puts a box whose centre is on the far edge into the last cell", () => {
  const [target] = scaleTargets([[{ x: 0.9, y: 0.9, width: 0.2, height: 0.2, classIndex: 0 }]], {
    grids: [2],
    anchors: [[{ width: 0.2, height: 0.2 }]],
    classes: 1,
  });
  assertEquals([...target!.mask], [0, 0, 0, 1]);
  assertEquals([...target!.background], [1, 1, 1, 0]);
  assertEquals([...target!.coordinates.subarray(12)], [1, 1, 0, 0]);
});

Deno.test("suppress() keeps the best of overlapping boxes in each class, and no more than asked for", () => {
  const box = (x: number, score: number, classIndex = 0) => ({ x, y: 0, width: 1, height: 1, classIndex, score });
  assertEquals(suppress([box(0.1, 0.7), box(0, 0.9), box(0.1, 0.8, 1), box(2, 0.4), box(0.6, 0.6)]), [
    box(0, 0.9),
    box(0.1, 0.8, 1),
    box(0.6, 0.6), // IoU 0.4 / 1.6 with the first
  ]);
  assertEquals(suppress([box(0, 0.9), box(5, 0.8), box(9, 0.7)], { most: 2 }).length, 2);
  assertEquals(suppress([]), []);
});

Deno.test("kMeansAnchors() finds the means of clear clusters as numpy's best of 50 runs, the same for a seed", () => {
  const { shapes, meanIou, anchors } = FIXTURE.anchors;
  const boxes = (shapes as number[][]).map(([width, height]) => ({ width: width!, height: height! }));
  const runs = [1, 2, 3, 4, 5].map((seed) => kMeansAnchors(boxes, { count: 4, seed }));
  const best = runs.reduce((a, b) => a.meanIou >= b.meanIou ? a : b);
  assertAlmostEquals(best.meanIou, meanIou, 1e-6);
  best.anchors.forEach(({ width, height }, i) => {
    assertAlmostEquals(width, anchors[i][0], 1e-6);
    assertAlmostEquals(height, anchors[i][1], 1e-6);
  });
  assertEquals(kMeansAnchors(boxes, { count: 4, seed: 3 }), runs[2]);
  assertEquals(shapeIou({ width: 1, height: 2 }, { width: 2, height: 1 }), 1 / 3);
});

Deno.test("kMeansAnchors() gives as many anchors as asked for when boxes are few, and refuses none or flat ones", () => {
  const one = kMeansAnchors([{ width: 0.5, height: 0.25 }], { count: 9 });
  assertEquals(one.anchors, Array.from({ length: 9 }, () => ({ width: 0.5, height: 0.25 })));
  assertEquals(one.meanIou, 1);
  assertThrows(() => kMeansAnchors([]), RangeError, "there must be a box: there are 0");
  assertThrows(() => kMeansAnchors([{ width: 0, height: 1 }]), RangeError, "current value is 0 x 1");
});

Deno.test("unitBoxes() gives shares of the image; a pixel's overhang is cut, more is an error that names the case", () => {
  const context = { id: "p1", width: 200, height: 100, classes: ["Mass"] };
  const box = { x: 20, y: 10, width: 100, height: 50, label: "Mass" };
  const [unit] = unitBoxes([box], context);
  assertEquals(unit, { x: 0.1, y: 0.1, width: 0.5, height: 0.5, classIndex: 0 });
  const [cut] = unitBoxes([{ ...box, x: -0.5, width: 201 }], context);
  assertEquals([cut!.x, cut!.width], [0, 1]);
  assertThrows(
    () => unitBoxes([{ ...box, x: 150 }], context),
    RangeError,
    'case "p1" as its boxes must lie within 200 x 100 pixels',
  );
  assertThrows(() => unitBoxes([{ ...box, height: 0 }], context), RangeError, "height 0");
  assertThrows(
    () => unitBoxes([{ ...box, label: "Nodule" }], context),
    RangeError,
    'must be one of Mass: current value is "Nodule"',
  );
});

Deno.test("initDetector() refuses a map of odd side and starts with the objectness of 1 %", async () => {
  assertThrows(() => initDetector({ ...CONFIG, grid: 7 }, 1), RangeError, "must be even: current value is 7");
  const params = initDetector(CONFIG, 1);
  const bias = await params.scales[0]!.output.bias!.data();
  assertEquals(bias.length, 14);
  assertAlmostEquals(1 / (1 + Math.exp(-bias[11]!)), 0.01, 1e-6);
  assertEquals([bias[3], bias[5]], [0, 0]);
});
