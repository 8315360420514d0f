import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { aceLoraModel, initAceLora } from "../../lib/ace_lora.ts";
import { initClip } from "../../lib/clip/params.ts";
import { classifyByProtocol, unitMean } from "../../lib/clip/zero_shot/ask.ts";
import { protocolOfModel, PROTOCOLS } from "../../lib/clip/zero_shot/presets.ts";
import { CHEST_TEMPLATES, promptTexts } from "../../lib/clip/zero_shot/prompts.ts";
import { hasPrompts, isProbability, type Protocol, protocolQuestions } from "../../lib/clip/zero_shot/protocol.ts";
import { averageScores, protocolScores } from "../../lib/clip/zero_shot/protocol_scores.ts";
import { classifyZeroShot, type ImageSource } from "../../lib/clip/zero_shot/scores.ts";
import { readProtocol } from "../../lib/data/protocol.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { encode, tokenizerFromVocab } from "../../lib/text/tokenizer.ts";
import { noLeak } from "../close.ts";
import { SMALL, SMALL_ACE } from "../small_model.ts";
import FIXTURE from "./protocol_fixtures.json" with { type: "json" };
import { inFolder } from "../folder.ts";

/** The fixture's scores by a protocol, its prompts pooled as the protocol says. */
function fixtureScores(protocol: Protocol): Float32Array {
  const { embedding, scale, bias, positive, negative, images } = FIXTURE;
  const pooled = (rows: readonly number[]): Float32Array => {
    const features = Float32Array.from(rows);
    return protocol.pool === "mean" || protocol.pool === "max" ? features : unitMean(features, embedding);
  };
  const classes = positive.map((rows, c) => ({
    prompts: pooled(rows),
    ...(protocol.negatives ? { negatives: pooled(negative[c]!) } : {}),
  }));
  return protocolScores(protocol, Float32Array.from(images), classes, { embedding, scale, bias });
}

const OTHERS: Readonly<Record<string, Protocol>> = {
  "medclip-max": { ...PROTOCOLS["medclip"]!, pool: "max" },
};

Deno.test("protocolScores() gives the original evaluations' scores of the same features to 1e-6", () => {
  const names = Object.keys(FIXTURE.expected).filter((name) => name !== "chexzero-ensemble");
  // Its prompts are other words, its arithmetic is cxr-clip's.
  assertEquals(Object.keys(PROTOCOLS).filter((name) => !names.includes(name)), ["cxr-clip-rsna"]);
  for (const name of names) {
    const expected = FIXTURE.expected[name as keyof typeof FIXTURE.expected];
    const scores = fixtureScores(PROTOCOLS[name] ?? OTHERS[name]!);
    assertEquals(scores.length, expected.length, name);
    const unit = Math.max(1, ...expected.map(Math.abs)); // MedCLIP's logits are of tens, in float32
    scores.forEach((score, i) => assertAlmostEquals(score, expected[i]!, 1e-6 * unit, `${name} ${i}`));
  }
});

Deno.test("averageScores() is CheXzero's mean over checkpoints", () => {
  const first = fixtureScores(PROTOCOLS["chexzero"]!);
  const rows = Array.from({ length: 6 }, (_, i) => [...first.subarray(3 * i, 3 * i + 3)]);
  const averaged = averageScores([first, Float32Array.from(rows.toReversed().flat())]);
  averaged.forEach((score, i) => assertAlmostEquals(score, FIXTURE.expected["chexzero-ensemble"][i]!, 1e-6));
  assertThrows(() => averageScores([first, first.subarray(1)]), RangeError, "there are 18, 17");
  assertThrows(() => averageScores([]), RangeError, "none");
});

Deno.test("protocolScores() stays finite at any scale, for one image and for equal cosines", () => {
  const images = new Float32Array([1, 0]), same = { prompts: new Float32Array([1, 0]) };
  for (const score of ["softmax", "sigmoid", "cosine", "min-max", "standard"] as const) {
    for (const scale of [1e3, 1]) {
      if (score === "min-max" && scale > 1) continue; // exp of an unscaled cosine is what it is for
      const scores = protocolScores({ name: "own", prompts: [], score, scale }, images, [same, same], {
        embedding: 2,
        scale: 1,
      });
      assert(scores.every(Number.isFinite), `${score} ${scale}: ${scores}`);
    }
  }
  const pair = { ...same, negatives: new Float32Array([-1, 0]) };
  assertThrows(
    () => protocolScores({ name: "own", prompts: [], score: "cosine" }, images, [pair], { embedding: 2, scale: 1 }),
    RangeError,
    'current value is "cosine"',
  );
});

Deno.test("protocolQuestions() asks GLoRIA's 210, 15, 192, 18 and 54 prompts, and names a class that has none", () => {
  const classes = ["atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion"];
  const questions = protocolQuestions(PROTOCOLS["gloria"]!, classes);
  assertEquals(questions.map(({ prompts }) => prompts.length), [210, 15, 192, 18, 54]);
  assertEquals(questions[0]!.prompts[0], "subsegmental atelectasis at the mid lung zone");
  assertEquals(questions[4]!.prompts.at(-1), "increased tiny bilateral pleural effusion");
  assertThrows(() => protocolQuestions(PROTOCOLS["gloria"]!, ["Oedema"]), RangeError, 'did you mean "Edema"');
  assertEquals(protocolQuestions(PROTOCOLS["chexzero"]!, ["Edema"]), [{ prompts: ["Edema"], negatives: ["no Edema"] }]);
  const own = { name: "own", prompts: { Edema: ["wet lungs"], "*": ["sign of {c}"] } };
  assertEquals(protocolQuestions(own, ["Edema", "Mass"]).map(({ prompts }) => prompts), [["wet lungs"], [
    "sign of Mass",
  ]]);
  assertThrows(() => protocolQuestions({ name: "own", prompts: ["an image"] }, ["Mass"]), SyntaxError, '"an image"');
  const told = Object.values(PROTOCOLS).every(({ name, source }) => PROTOCOLS[name] && source);
  assert(told, "every preset tells its source and has its own name");
  assertEquals(Object.values(PROTOCOLS).filter((one) => !isProbability(one)).map(({ name }) => name), [
    "ace-lora-nih",
    "gloria",
    "medclip",
    "cxr-clip-5x200",
  ]);
});

Deno.test("readProtocol() reads JSON and CSV, and says what is wrong with others", async () => {
  await inFolder(async (folder) => {
    const write = async (name: string, text: string): Promise<string> => {
      await Deno.writeTextFile(join(folder, name), text);
      return join(folder, name);
    };
    assertEquals(await readProtocol("chexzero"), PROTOCOLS["chexzero"]);
    const whole: Protocol = { name: "mine", prompts: { a: ["x", "y"] }, pool: "max", scale: 2.5, score: "sigmoid" };
    assertEquals(await readProtocol(await write("whole.json", JSON.stringify(whole))), whole);
    const lists = await write("lists.json", JSON.stringify({ a: ["x"], b: ["y"] }));
    assertEquals(await readProtocol(lists), { name: lists, prompts: { a: ["x"], b: ["y"] } });
    const csv = await write("p.csv", "class,prompt,kind\na,x,positive\na,y,\na,no x,negative\n");
    assertEquals(await readProtocol(csv), {
      name: csv,
      prompts: { a: ["x", "y"] },
      pool: "features",
      negatives: { a: ["no x"] },
    });
    for (
      const [text, ...parts] of [
        ["{", "as JSON"],
        ["[1]", "the file must be a record", "[1]"],
        ['{"prompts":["{c}"],"pol":"max"}', '"pol"', "must be one of name, source"],
        ['{"prompts":["{c}"],"pool":"median"}', "pool must be tokens or features or mean or max", '"median"'],
        ['{"prompts":["{c}"],"scale":0}', "scale must be", "current value is 0"],
        ['{"prompts":{"a":[]}}', 'prompts of "a" must be a list of texts, at least one', "[]"],
        ['{"prompts":{"a":[1]}}', 'prompts of "a"'],
        ['{"prompts":{"a":["x"," "]}}', 'prompts of "a"', "none of them empty"],
      ]
    ) {
      const path = await write("bad.json", text!);
      const error = await assertRejects(() => readProtocol(path), SyntaxError);
      for (const part of [path, ...parts]) assert(error.message.includes(part), error.message);
    }
    const odd = await write("odd.csv", "class,prompt,kind\na,x,maybe\n");
    await assertRejects(() => readProtocol(odd), SyntaxError, 'row 2 has "maybe"');
    const hollow = await write("hollow.csv", "class,prompt\na,x\nb, \n");
    await assertRejects(() => readProtocol(hollow), SyntaxError, "prompt must be a text: row 3 has none");
    await assertRejects(() => readProtocol(folder), SyntaxError, "it is a folder");
    await assertRejects(() => readProtocol("chexzer"), Deno.errors.NotFound, '(did you mean "chexzero"?)');
  });
});

Deno.test("classifyByProtocol() with ace-lora's is classifyZeroShot(), also with ACE-HGNN", async () => {
  await selectBackend({ backend: "cpu" });
  const words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "image", "findings", "edema", "mass"];
  const tokenizer = tokenizerFromVocab(words);
  const base = initClip(SMALL, 3);
  const config = { ...SMALL_ACE, encoders: SMALL };
  const params = await initAceLora(base, config, { seed: 4 });
  const model = aceLoraModel(config);
  const side = SMALL.vision.imageSize;
  const images: ImageSource = {
    size: 2,
    imageSize: side,
    pixels: (indices) =>
      Promise.resolve(Float32Array.from({ length: indices.length * side * side * 3 }, (_, i) => Math.sin(i))),
  };
  const classes = ["edema", "mass"];
  const { contextLength } = SMALL.text;
  const ids = encode(tokenizer, promptTexts(classes), { contextLength });
  const prompts = { ids, contextLength, prompts: CHEST_TEMPLATES.length };
  await noLeak(async () => {
    const task = { classes, config: SMALL, tokenizer };
    const asked = await classifyByProtocol(model, params, images, { ...task, protocol: PROTOCOLS["ace-lora"]! });
    const plain = await classifyZeroShot(model, params, images, prompts);
    asked.forEach((score, i) => assertAlmostEquals(score, plain[i]!, 1e-7));
    const pairs = await classifyByProtocol(model, params, images, { ...task, protocol: PROTOCOLS["chexzero"]! });
    assert(pairs.every((score) => score > 0 && score < 1) && pairs[0] !== asked[0]);
  });
  disposeParams(params, base);
  disposeParams(base);
});

Deno.test("protocolOfModel() tells a published protocol from a folder's name, the longest that is in it", () => {
  const names = ["MedSigLIP-448", "chexzero", "cxr_clip_r50", "gloria-chexpert", "PubMedCLIP", "tiny", "biomedclip"];
  assertEquals(names.map((name) => protocolOfModel(name)?.name ?? null), [
    ...["medsiglip", "chexzero", "cxr-clip", "gloria", null, null, null],
  ]);
});

Deno.test("hasPrompts() is false for classes that a list for another data set lacks", () => {
  assertEquals(hasPrompts(PROTOCOLS["gloria"]!, ["edema", "Atelectasis"]), true);
  assertEquals(hasPrompts(PROTOCOLS["gloria"]!, ["pneumonia"]), false);
  assertEquals(hasPrompts(PROTOCOLS["chexzero"]!, ["pneumonia"]), true);
  assertEquals(hasPrompts({ name: "own", prompts: { a: ["x"], "*": ["{c}"] } }, ["b"]), true);
});
