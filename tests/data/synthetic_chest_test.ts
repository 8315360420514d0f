import { assert, assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { FINDING_NAMES, type FindingName } from "../../lib/data/synthetic/findings.ts";
import { type SyntheticChest, syntheticChest } from "../../lib/data/synthetic/chest.ts";

const SEVERE = { severity: "severe" } as const;

/** Mean of the pixels that `inside` picks. */
function mean(chest: SyntheticChest, inside: (x: number, y: number) => boolean): number {
  let sum = 0, count = 0;
  const { width, height, data } = chest.image;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!inside(x, y)) continue;
      sum += data[y * width + x]!;
      count++;
    }
  }
  return sum / count;
}

Deno.test("syntheticChest() gives the same pixels, words and labels for the same seed, others for another", () => {
  const one = syntheticChest(7), two = syntheticChest(7), other = syntheticChest(8);
  assertEquals(one, two);
  assertNotEquals(one.image.data, other.image.data);
});

Deno.test("syntheticChest() gives one grey 8-bit channel at 64, 128 and 224 pixels, with the same findings", () => {
  const small = syntheticChest(11);
  assertEquals([small.image.width, small.image.height, small.image.channels, small.image.bitDepth], [64, 64, 1, 8]);
  for (const size of [128, 224]) {
    const large = syntheticChest(11, { size });
    assertEquals(large.image.data.length, size * size);
    assertEquals([large.findings, large.report, large.labels], [small.findings, small.report, small.labels]);
    // the same chest: block means of the large image follow the small one
    const a = small.image.data, b = large.image.data, f = size / 64;
    let dot = 0, aa = 0, bb = 0;
    const middle = (values: ArrayLike<number>) => Array.from(values).reduce((s, v) => s + v, 0) / values.length;
    const ma = middle(a), mb = middle(b);
    for (let i = 0; i < a.length; i++) {
      const x = Math.floor((i % 64 + 0.5) * f), y = Math.floor((Math.floor(i / 64) + 0.5) * f);
      const u = a[i]! - ma, v = b[y * size + x]! - mb;
      dot += u * v, aa += u * u, bb += v * v;
    }
    assert(dot / Math.sqrt(aa * bb) > 0.93, `correlation at ${size}: ${dot / Math.sqrt(aa * bb)}`);
  }
});

Deno.test("syntheticChest() changes pixels for every one of the thirteen findings when it is forced", () => {
  for (const name of FINDING_NAMES) {
    const plain = syntheticChest(21, { findings: [] });
    const shown = syntheticChest(21, { findings: [{ name, ...SEVERE }] });
    let changed = 0;
    for (let i = 0; i < plain.image.data.length; i++) {
      if (Math.abs(plain.image.data[i]! - shown.image.data[i]!) > 12) changed++;
    }
    assert(changed >= 12, `${name}: ${changed} pixels changed`);
    assertEquals(shown.findings.map((finding) => finding.name), [name]);
    assertEquals(plain.view, shown.view);
  }
});

Deno.test("syntheticChest() draws severe findings more plainly than mild ones", () => {
  const change = (name: FindingName, severity: "mild" | "severe"): number => {
    let sum = 0;
    for (let seed = 0; seed < 12; seed++) {
      const plain = syntheticChest(seed, { findings: [] }),
        shown = syntheticChest(seed, { findings: [{ name, severity }] });
      plain.image.data.forEach((value, i) => sum += Math.abs(value - shown.image.data[i]!));
    }
    return sum;
  };
  for (const name of FINDING_NAMES) assert(change(name, "severe") > 1.25 * change(name, "mild"), name);
});

Deno.test("syntheticChest() gives pneumonia boxes inside the image that are brighter than the mirrored region", () => {
  let brighter = 0, total = 0;
  for (let seed = 0; seed < 80; seed++) {
    const side = seed % 2 === 0 ? "left" : "right";
    const chest = syntheticChest(seed, {
      findings: [{ name: "Pneumonia", side, zone: "upper", severity: "moderate" }],
    });
    const without = syntheticChest(seed, { findings: [] });
    assertEquals(chest.boxes.length, 1);
    const box = chest.boxes[0]!;
    assert(box.x >= 0 && box.y >= 0 && box.width > 0 && box.height > 0);
    assert(box.x + box.width <= 64 && box.y + box.height <= 64);
    assertEquals(box.label, "pneumonia");
    assertEquals(box.x + box.width / 2 > 32, side === "left", "the patient's left is on the right of the image");
    const inBox = (x: number, y: number) => x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + box.height;
    assert(mean(chest, inBox) > mean(without, inBox), `seed ${seed}: the box is not over the opacity`);
    if (mean(chest, inBox) > mean(chest, (x, y) => inBox(63 - x, y))) brighter++;
    total++;
  }
  assert(brighter / total > 0.85, `${brighter} of ${total} boxes brighter than their mirror`);
});

Deno.test("syntheticChest() gives two boxes for bilateral pneumonia and none without pneumonia", () => {
  assertEquals(syntheticChest(3, { findings: [{ name: "Pneumonia", side: "bilateral" }] }).boxes.length, 2);
  assertEquals(syntheticChest(3, { findings: [{ name: "Consolidation" }] }).boxes.length, 0);
});

Deno.test("syntheticChest() gives a pneumothorax mask on the finding's side that is darker than the same place before", () => {
  for (let seed = 0; seed < 40; seed++) {
    const side = seed % 2 === 0 ? "left" : "right";
    const chest = syntheticChest(seed, { findings: [{ name: "Pneumothorax", side }] });
    const without = syntheticChest(seed, { findings: [] });
    const mask = chest.mask!;
    assertEquals([mask.width, mask.height, mask.data.length], [64, 64, 4096]);
    const area = mask.data.reduce((sum, value) => sum + value, 0);
    assert(area >= 15 && area < 1400, `seed ${seed}: ${area} pixels`);
    let centre = 0;
    mask.data.forEach((value, i) => centre += value * (i % 64) / area);
    assertEquals(centre > 32, side === "left");
    const air = (x: number, y: number) => mask.data[y * 64 + x] === 1;
    const before = without.mask === undefined ? mean(without, air) : NaN;
    assert(mean(chest, air) < before, `seed ${seed}: ${mean(chest, air)} against ${before}`);
  }
});

Deno.test("syntheticChest() widens the heart's share of the chest in cardiomegaly", () => {
  // bright pixels left of the midline's column, in the heart's rows, grow with the heart
  const width = (seed: number, findings: { name: FindingName; severity: "severe" }[]): number =>
    mean(syntheticChest(seed, { findings }), (x, y) => y > 32 && y < 42 && x > 18 && x < 48);
  for (let seed = 0; seed < 20; seed++) {
    assert(width(seed, [{ name: "Cardiomegaly", severity: "severe" }]) > width(seed, []) + 3);
  }
});

Deno.test("syntheticChest() refuses a size and a finding it cannot draw, in one clear line", () => {
  assertThrows(() => syntheticChest(1, { size: 8 }), RangeError, "must be a whole number >= 16: current value is 8");
  assertThrows(() => syntheticChest(1, { size: 64.5 }), RangeError, "current value is 64.5");
  const name = "Hernia" as unknown as FindingName;
  assertThrows(() => syntheticChest(1, { findings: [{ name }] }), RangeError, 'current value is "Hernia"');
});
