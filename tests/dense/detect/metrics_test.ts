import { assertAlmostEquals, assertEquals } from "@std/assert";
import {
  averagePrecision,
  type DetectedImage,
  froc,
  MAP_THRESHOLDS,
  meanAveragePrecision,
} from "../../../lib/dense/detect/metrics.ts";
import { FIXTURE } from "../fixture.ts";

const box = (x: number, y = 0, width = 10, height = 10) => ({ x, y, width, height, classIndex: 0 });
const seen = (score: number, x: number, y = 0, width = 10, height = 10) => ({ ...box(x, y, width, height), score });
const both = (images: DetectedImage[]) => [
  meanAveragePrecision(images, { form: "customary" }),
  meanAveragePrecision(images, { form: "strict" }),
];

Deno.test("meanAveragePrecision() agrees with pycocotools, strict and customary, one and three classes, tied scores", () => {
  for (const set of FIXTURE.maps) {
    const images: DetectedImage[] = (set.images as [number[][], number[][]][]).map(([truth, detections]) => {
      const rows = (list: number[][]) =>
        list.map(([x, y, width, height, classIndex, score]) => ({
          x: x!,
          y: y!,
          width: width!,
          height: height!,
          classIndex: classIndex!,
          score: score!,
        }));
      return { truth: rows(truth), detections: rows(detections) };
    });
    MAP_THRESHOLDS.forEach((iou, t) => {
      for (let classIndex = 0; classIndex < set.classes; classIndex++) {
        assertAlmostEquals(averagePrecision(images, { iou, classIndex })!, set.strict.per[t][classIndex], 1e-9);
      }
    });
    assertAlmostEquals(meanAveragePrecision(images, { classes: set.classes })!, set.strict.mean, 1e-9);
    const customary = meanAveragePrecision(images, { classes: set.classes, form: "customary" })!;
    assertAlmostEquals(customary, set.customary, 1e-9);
  }
});

Deno.test("meanAveragePrecision() is 1 when all is right and 0 when all is wrong", () => {
  const right = [{ truth: [box(0), box(50)], detections: [seen(0.9, 0), seen(0.8, 50)] }];
  const wrong = [{ truth: [box(0)], detections: [seen(0.9, 80)] }];
  assertEquals(both(right), [1, 1]);
  assertEquals(both(wrong), [0, 0]);
});

Deno.test("meanAveragePrecision() counts a duplicate as a false alarm: it costs nothing after the last hit, half before it", () => {
  const after = [{ truth: [box(0)], detections: [seen(0.9, 0), seen(0.8, 0)] }];
  assertEquals(both(after), [1, 1]);
  // Precision 1 up to recall 1/2, then 2/3: 51 recalls of 0 to 0.50 and 50 above.
  const before = [{ truth: [box(0), box(50)], detections: [seen(0.9, 0), seen(0.8, 0), seen(0.7, 50)] }];
  assertAlmostEquals(both(before)[1]!, (51 + 50 * 2 / 3) / 101, 1e-12);
});

Deno.test("meanAveragePrecision() skips images without truth or prediction in the customary form only", () => {
  const actual = { truth: [box(0)], detections: [seen(0.5, 0)] };
  const missed = { truth: [box(0)], detections: [] };
  const alarm = { truth: [], detections: [seen(0.9, 0)] };
  assertEquals(both([actual, missed]), [1, 51 / 101]); // recall stops at 1/2
  assertEquals(both([actual, alarm]), [1, 0.5]);
  assertEquals(both([missed]), [null, 0]);
  assertEquals(both([alarm]), [null, null]);
  assertEquals(both([]), [null, null]);
});

Deno.test("meanAveragePrecision() averages over the eight thresholds: an IoU of 0.6 passes five", () => {
  const images = [{ truth: [box(0, 0, 10, 10)], detections: [seen(1, 0, 0, 10, 6)] }];
  assertAlmostEquals(both(images)[1]!, 5 / 8, 1e-12);
  assertEquals(averagePrecision(images, { iou: 0.6 }), 1);
});

Deno.test("froc() reads sensitivity at the false alarms allowed", () => {
  const images = [
    { truth: [box(0)], detections: [seen(0.9, 0), seen(0.6, 80)] },
    { truth: [box(0)], detections: [seen(0.7, 80), seen(0.5, 0)] },
  ];
  // In order: hit, alarm (0.5 an image), alarm (1 an image), hit.
  assertEquals(froc(images, { alarms: [0, 0.5, 1] }), {
    sensitivities: [{ alarms: 0, sensitivity: 0.5 }, { alarms: 0.5, sensitivity: 0.5 }, { alarms: 1, sensitivity: 1 }],
    mean: 2 / 3,
  });
  assertEquals(froc([{ truth: [], detections: [seen(0.9, 0)] }]).mean, null);
  // A second box on the same lesion is no false alarm; one beside it is.
  const twice = [{ truth: [box(0)], detections: [seen(0.9, 80), seen(0.8, 0), seen(0.7, 1)] }];
  assertEquals(froc(twice, { alarms: [0.5, 1] }).sensitivities.map(({ sensitivity }) => sensitivity), [0, 1]);
  const other = [{ truth: [box(0), box(50)], detections: [seen(0.9, 0), seen(0.8, 1), seen(0.7, 50)] }];
  assertEquals(froc(other, { alarms: [0] }).mean, 1);
  // Equal scores count together: the hit cannot be had without the alarm.
  const tied = [{ truth: [box(0)], detections: [seen(0.9, 0), seen(0.9, 80)] }];
  assertEquals(froc(tied, { alarms: [0.5, 1] }).sensitivities.map(({ sensitivity }) => sensitivity), [0, 1]);
});
