import { assert, assertEquals, assertThrows } from "@std/assert";
import { coarseCaption, plainCaption } from "../../lib/data/synthetic/captions.ts";
import { contentLabels, pretrainingPair, pretrainingPlan } from "../../lib/data/synthetic/pretraining_pairs.ts";
import { FINDING_NAMES } from "../../lib/data/synthetic/findings.ts";
import { OTHER_MODALITIES, type OtherModality, syntheticImage } from "../../lib/data/synthetic/modalities.ts";
import { syntheticStudy } from "../../lib/data/synthetic/chest.ts";
import { textPair } from "../../lib/data/synthetic/text_pairs.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";

Deno.test("syntheticImage() gives the same picture for the same seed, in colour where the modality is", () => {
  for (const modality of OTHER_MODALITIES) {
    const one = syntheticImage(modality, 4), two = syntheticImage(modality, 4);
    assertEquals(one, two);
    const channels = modality === "mri" ? 1 : 3;
    assertEquals([one.image.channels, one.image.data.length], [channels, 64 * 64 * channels]);
    assertEquals(syntheticImage(modality, 4, { size: 128 }).image.width, 128);
  }
});

Deno.test("syntheticImage() looks as the modality does: pink tiles, dark surrounds of brain and eye, orange retina", () => {
  for (let seed = 0; seed < 10; seed++) {
    const tile = syntheticImage("histopathology", seed).image.data;
    let [r, g, b] = [0, 0, 0];
    for (let i = 0; i < tile.length; i += 3) r += tile[i]!, g += tile[i + 1]!, b += tile[i + 2]!;
    assert(r > g * 1.1 && b > g * 1.05, "pink is red and blue over green");
    const brain = syntheticImage("mri", seed).image.data;
    assert(brain[0]! < 40 && brain[63]! < 40 && brain[32 * 64 + 32]! > 0);
    const eye = syntheticImage("fundus", seed).image.data;
    const centre = (20 * 64 + 32) * 3;
    assert(eye[0]! < 30 && eye[centre]! > eye[centre + 2]!, "black corner, orange retina");
  }
});

Deno.test("syntheticImage() refuses an unknown modality", () => {
  assertThrows(() => syntheticImage("pet" as OtherModality, 1), RangeError, 'current value is "pet"');
});

Deno.test("pretrainingPair() mixes all four modalities, about 55 in 100 chests, each time the same", () => {
  const counts: Record<string, number> = {};
  for (let seed = 0; seed < 400; seed++) {
    const pair = pretrainingPair(seed, { size: 16 });
    counts[pair.modality] = (counts[pair.modality] ?? 0) + 1;
    assert(pair.text.length > 4);
    assertEquals(pair.image.channels, pair.modality === "chest" || pair.modality === "mri" ? 1 : 3);
  }
  assertEquals(Object.keys(counts).length, 4);
  assert(counts["chest"]! > 180 && counts["chest"]! < 260, JSON.stringify(counts));
  assertEquals(pretrainingPair(9), pretrainingPair(9));
});

Deno.test("pretrainingPlan() has the pair's text and contents, whatever the size the image would have", () => {
  for (let seed = 0; seed < 60; seed++) {
    const options = { findingShare: 0.8, evenShare: 0.5, plainShare: 0.3, size: 64 };
    const { modality, findings, text } = pretrainingPlan(seed, options);
    const pair = pretrainingPair(seed, options);
    assertEquals({ modality, findings, text: text() }, {
      modality: pair.modality,
      findings: pair.findings,
      text: pair.text,
    });
  }
});

Deno.test("plainCaption() calls no finding by its name, and tells any two apart", () => {
  const captions = FINDING_NAMES.map((name) => plainCaption([{ ...syntheticStudy(3).findings[0]!, name }]));
  assertEquals(new Set(captions).size, FINDING_NAMES.length);
  for (const [i, name] of FINDING_NAMES.entries()) assert(!captions[i]!.includes(name.toLowerCase()), captions[i]);
  assertEquals(plainCaption([]), "clear lungs");
});

Deno.test("contentLabels() are equal for the same contents only", () => {
  const labels = Array.from({ length: 300 }, (_, seed) => {
    const { modality, findings } = pretrainingPlan(seed, { evenShare: 0.5 });
    const key = [modality, ...findings.map(({ name }) => name).sort()].join();
    return { key, row: contentLabels({ modality, findings }).join() };
  });
  for (const a of labels) for (const b of labels) assertEquals(a.row === b.row, a.key === b.key);
  assert(new Set(labels.map(({ key }) => key)).size > 20);
});

Deno.test("textPair() says the same twice, and never both what is seen and what it is called", () => {
  let same = 0;
  for (let seed = 0; seed < 400; seed++) {
    const options = { chestShare: 0.8, evenShare: 0.7 };
    const report = textPair(seed, options), plain = textPair(seed, { ...options, plain: true });
    assertEquals(textPair(seed, options), report);
    assertEquals([plain.modality, plain.findings], [report.modality, report.findings]);
    if (report.texts[0] === report.texts[1]) same++;
    if (report.modality !== "chest" || report.findings.length === 0) continue;
    assert(plain.texts[1].includes(plain.texts[0]));
    for (const text of report.texts) assert(!text.includes(plain.texts[0]), text);
  }
  assert(same < 20, `${same} pairs of 400 repeat one text`);
});

Deno.test("coarseCaption() speaks of a finding in about one caption in four and is coarse: few right class names", () => {
  let findings = 0, rightNames = 0;
  const runs = 4000;
  for (let seed = 0; seed < runs; seed++) {
    const study = syntheticStudy(seed);
    const text = coarseCaption(study, mulberry32(seed)).toLowerCase();
    if (/ (with|of|showing) (?!the thorax|the lungs)|findings suggesting|clear|no finding|nothing/.test(text)) {
      findings++;
    }
    if (study.findings.some(({ name }) => text.includes(name.toLowerCase()))) rightNames++;
  }
  assert(findings / runs > 0.2 && findings / runs < 0.32, `${findings / runs}`);
  assert(rightNames / runs > 0.01 && rightNames / runs < 0.08, `${rightNames / runs} captions give away the class`);
});

Deno.test("coarseCaption() never speaks of a finding when its share is 0, always when it is 1 and nothing is wrong", () => {
  const study = syntheticStudy(3);
  const named = { findings: [{ ...study.findings[0]!, name: FINDING_NAMES[1]! }], view: "PA" as const };
  for (let seed = 0; seed < 50; seed++) {
    const silent = coarseCaption(named, mulberry32(seed), { findingShare: 0 });
    assert(!/heart|cardiomegaly/.test(silent), silent);
    const spoken = coarseCaption(named, mulberry32(seed), { findingShare: 1, wrongShare: 0 });
    assert(/heart|cardiomegaly/.test(spoken), spoken);
  }
});
