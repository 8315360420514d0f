/** What a notebook's cell may give, whose types nobody checks. */
import { assertEquals, assertMatch, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import * as ace from "../../mod.ts";
import {
  checkName,
  checkOptions,
  checkValue,
  COUNT,
  needed,
  oneOf,
  type Rules,
  TEXT,
} from "../../lib/platform/options.ts";
import { combineAdapters, writeAdapter } from "../../lib/adapters/mod.ts";
import { trainDetection } from "../../lib/dense/mod.ts";
import { fewShot } from "../../lib/eval/mod.ts";
import { watchFit } from "../../lib/train/log/watch.ts";

/** A value as a cell may give it: of any type. */
// deno-lint-ignore no-explicit-any -- what a cell gives is not checked
const cell = (value: unknown): any => value;

interface Paint {
  colour: string;
  coats?: number;
  name?: string;
}
const PAINT: Rules<Paint> = { colour: needed(oneOf(["red", "blue"])), coats: COUNT, name: TEXT };

Deno.test("checkOptions() names a slip: a name, a type, a value, a word, one too few; what is undefined is not given", () => {
  checkOptions("paint", { colour: "red", coats: 2, name: undefined }, PAINT);
  for (
    const [options, kind, message] of [
      [{ colour: "red", coat: 1 }, TypeError, 'Cannot paint as there is no option "coat" (did you mean "coats"?)'],
      [
        { colour: "red", x: 1 },
        TypeError,
        'Cannot paint as there is no option "x": the options are colour, coats, name',
      ],
      [{ colour: "rde" }, RangeError, 'colour must be one of red, blue: current value is "rde" (did you mean "red"?)'],
      [{ colour: ["red"] }, TypeError, 'colour must be one of red, blue: current value is ["red"]'],
      [{ colour: null }, TypeError, "colour must be one of red, blue: current value is null"],
      [{ colour: "red", coats: "2" }, TypeError, 'coats must be a positive integer: current value is "2"'],
      [{ colour: "red", coats: -2 }, RangeError, "coats must be a positive integer: current value is -2"],
      [{ colour: "red", coats: NaN }, RangeError, "coats must be a positive integer: current value is NaN"],
      [{ colour: "red", name: () => {} }, TypeError, "name must be a text: current value is a function"],
      [{ coats: 1 }, TypeError, "Cannot paint as colour must be one of red, blue: it is not given"],
      ["red", TypeError, 'Cannot paint as its options must be a record: current value is "red"'],
      [["red"], TypeError, 'Cannot paint as its options must be a record: current value is ["red"]'],
      [null, TypeError, "Cannot paint as its options must be a record: current value is null"],
    ] as const
  ) assertThrows(() => checkOptions("paint", cell(options), PAINT), kind, message);
  assertThrows(() => checkName("paint", "colour", "toString", ["red"]), TypeError, 'no colour "toString"');
  assertThrows(() => checkOptions("paint", { colour: "red", toString: 1 }, PAINT), TypeError, "no option");
  const long = assertThrows(() => checkValue("paint", "name", ["x".repeat(1000)], TEXT));
  assertEquals(String(long).length < 200, true);
});

const encoders = ace.MINI;
const none = cell({});
/** Every function of the front door that has options, and what it is called with. */
const CALLS: Record<string, (options: unknown) => unknown> = {
  loadModel: (options) => ace.loadModel({}, cell(options)),
  selectBackend: (options) => ace.selectBackend(cell(options)),
  contrastiveLoss: (options) => ace.contrastiveLoss(none, none, none, cell(options)),
  imageFeatures: (options) => ace.imageFeatures(none, none, none, cell(options)),
  textFeatures: (options) => ace.textFeatures(none, none, none, cell(options)),
  initAceLora: (options) => ace.initAceLora(none, { encoders }, cell(options)),
  injectLora: (options) => ace.injectLora(none, ace.ACE_LORA_LORA, cell(options)),
  infoNce: (options) => ace.infoNce(none, none, none, cell(options)),
  encodeImage: (options) => ace.encodeImage(none, none, none, cell(options)),
  encodeText: (options) => ace.encodeText(none, none, none, cell(options)),
  loadClip: (options) => ace.loadClip({}, cell(options)),
  classifyZeroShot: (options) => ace.classifyZeroShot(none, none, none, none, cell(options)),
  saveAdapter: (options) => ace.saveAdapter("", none, none, cell(options)),
  fit: (options) => ace.fit(none, none, none, cell(options)),
  loadFolder: (options) => ace.loadFolder("", cell(options)),
  loadPairs: (options) => ace.loadPairs("", cell(options)),
  imageSource: (options) => ace.imageSource([], encoders, cell(options)),
  pairSource: (options) => ace.pairSource(none, encoders, none, cell(options)),
  rsnaLike: (options) => ace.rsnaLike(1, 1, cell(options)),
  trainingSet: (options) => ace.trainingSet(1, 1, cell(options)),
  readImage: (options) => ace.readImage("", cell(options)),
  toPixels: (options) => ace.toPixels(none, cell(options)),
  assess: (options) => ace.assess(none, none, none, cell(options)),
  classifyImages: (options) => ace.classifyImages(none, [], ["a", "b"], cell(options)),
  formatTable: (options) => ace.formatTable({ columns: [], rows: [] }, cell(options)),
};

/** What a call throws, at once or later. */
async function thrown(call: () => unknown): Promise<Error> {
  return await assertRejects(async () => await call(), Error);
}

/** That it refuses an option that there is none of, and options that are no record. */
async function checkRefusals(name: string, call: (options: unknown) => unknown): Promise<void> {
  const error = await thrown(() => call({ nonsense: 1 }));
  assertEquals([name, error.name], [name, "TypeError"], error.message);
  assertStringIncludes(error.message, 'there is no option "nonsense"', name);
  const { message } = await thrown(() => call("nonsense"));
  assertMatch(message, /its options must be a record|there is no option "0"/, name);
}

Deno.test("every function of the front door refuses an option that there is none of, and options that are no record", async () => {
  for (const [name, call] of Object.entries(CALLS)) await checkRefusals(name, call);
});

/** The functions with options that a module re-exports, and what stands between their parentheses. */
async function optionTakers(mod: URL): Promise<Map<string, string>> {
  const takers = new Map<string, string>();
  for (const [, list, path] of (await Deno.readTextFile(mod)).matchAll(/^export \{([^}]*)\} from "(.*)";/gm)) {
    const file = join(dirname(fromFileUrl(mod)), path!);
    const text = await Deno.readTextFile(file) +
      (path!.endsWith("/ace_lora.ts") ? await Deno.readTextFile(file.replace(".ts", "_params.ts")) : "");
    for (const name of list!.split(",").map((word) => word.trim())) {
      const [, parameters = ""] =
        new RegExp(`^export (?:async )?function ${name}(?:<.*>)?\\(([^]*?)\\): `, "m").exec(text) ??
          [];
      if (/\boptions\b/.test(parameters)) takers.set(name, parameters);
    }
  }
  return takers;
}

/** Sub-paths whose functions are called by users. */
const SUB_PATHS = ["adapters", "data", "dense", "display", "distributed", "eval", "reproduction", "train"];

/** Those called at each step, cell or drawing, by functions that have checked. */
const INNER: readonly string[] = [
  ...["csvCell", "decodeRle", "encodeRle", "syntheticChest", "syntheticStudy", "pretrainingPlan", "textPair"],
  ...["detectMaps", "decodeMaps", "contrastiveGradients", "packedGradients", "checkLearnable", "readRunState"],
];

/** How many parameters stand before the options. */
function placeOfOptions(parameters: string): number {
  let [depth, place] = [0, 0];
  for (const [, mark] of parameters.slice(0, parameters.search(/\boptions: /)).matchAll(/=>|([(){}[\]<>,])/g)) {
    if (mark === ",") place += depth === 0 ? 1 : 0;
    else if (mark !== undefined) depth += "({[<".includes(mark) ? 1 : -1;
  }
  return place;
}

/** What has every field, each likewise. */
const anything: unknown = new Proxy({}, { get: (_, key) => key === Symbol.toPrimitive ? () => 1 : anything });

Deno.test("every function of the sub-paths refuses an option that there is none of, and options that are no record", async () => {
  const unchecked: string[] = [];
  for (const path of SUB_PATHS) {
    const mod = new URL(`../../lib/${path}/mod.ts`, import.meta.url);
    const functions = await import(mod.href);
    for (const [name, parameters] of await optionTakers(mod)) {
      if (INNER.includes(name)) continue;
      const before = Array(placeOfOptions(parameters)).fill(anything);
      await checkRefusals(name, (options) => functions[name](...before, options)).catch(({ message }) => {
        unchecked.push(`${path} ${name}: ${message.split("\n")[0]}`);
      });
    }
  }
  assertEquals(unchecked, []);
});

Deno.test("no function of the front door with options is left out of that test", async () => {
  const takers = await optionTakers(new URL("../../mod.ts", import.meta.url));
  assertEquals([...takers.keys()].sort(), Object.keys(CALLS).sort());
});

const lora = ace.ACE_LORA_LORA;

Deno.test("a slip in a cell is told: a name, a number that is a text, a text that is no list, a word, a sign", async () => {
  for (
    const [call, message] of [
      [() => ace.loadModel(cell({ adapter: "adapter.safetensors" })), 'no file "adapter": the files are weights,'],
      [() => ace.loadModel(cell({ weight: "m.safetensors" })), 'no file "weight" (did you mean "weights"?)'],
      [() => ace.loadModel({}, cell({ adaptor: "a" })), 'no option "adaptor" (did you mean "adapter"?)'],
      [() => ace.selectBackend(cell({ backend: "gpu" })), 'current value is "gpu" (did you mean "webgpu"?)'],
      [() => ace.selectBackend(cell({ wasm: { thread: 2 } })), 'no option "thread" (did you mean "threads"?)'],
      [
        () => ace.selectBackend(cell({ wasm: { threads: "2" } })),
        'threads must be a positive integer: current value is "2"',
      ],
      [() => fewShot(none, cell({ shot: [1] })), 'no option "shot" (did you mean "shots"?)'],
      [() => fewShot(none, cell({ methods: ["knnn"] })), '(did you mean "knn"?)'],
      [() => trainDetection(none, none, cell({ classes: ["a"], epochs: "3" })), "epochs must be a positive integer"],
      [() => trainDetection(none, none, cell({})), "classes must be a list of texts: it is not given"],
      [() => writeAdapter("", none, cell({ format: "pef" })), 'current value is "pef" (did you mean "peft"?)'],
      [() => combineAdapters([], cell({ combination: "tie" })), '(did you mean "ties"?)'],
      [() => CALLS["fit"]!({ epoch: 1 }), 'Cannot train as there is no option "epoch" (did you mean "epochs"?)'],
      [() => CALLS["fit"]!({ epochs: "3" }), 'epochs must be a positive integer: current value is "3"'],
      [
        () => CALLS["fit"]!({ learningRate: -1 }),
        "learningRate must be a number that is not negative: current value is -1",
      ],
      [() => CALLS["fit"]!({ loss: "infonce" }), 'current value is "infonce" (did you mean "info-nce"?)'],
      [() => CALLS["fit"]!({ padding: "longst" }), 'current value is "longst" (did you mean "longest"?)'],
      [() => CALLS["fit"]!({ shuffle: "no" }), 'shuffle must be true or false: current value is "no"'],
      [
        () => CALLS["classifyImages"]!({ templates: "{c}" }),
        'templates must be a list of texts: current value is "{c}"',
      ],
      [
        () => CALLS["classifyImages"]!({ maps: ["rollout"] }),
        'similarity, gradient, occlusion: current value is ["rollout"]',
      ],
      [() => ace.classifyImages(none, [], cell("a,b")), 'labels must be a list of texts: current value is "a,b"'],
      [() => ace.imagesAt(cell("film.png")), 'images must be a list: current value is "film.png"'],
      [() => ace.explainImages(none, cell("film.png"), none), "images must be a list"],
      [
        () => ace.tokenise(none, cell("pneumonia"), encoders),
        'texts must be a list of texts: current value is "pneumonia"',
      ],
      [
        () => ace.classPrompts(["a"], encoders, none, cell("{c}")),
        'templates must be a list of texts: current value is "{c}"',
      ],
      [() => ace.loadPairs("pairs.csv", cell({ label: 3 })), "label must be a text: current value is 3"],
      [() => ace.loadPairs("pairs.csv", cell({ where: { fold: 1 } })), "where must be a record of texts"],
      [
        () => ace.loadPairs("pairs.csv", cell({ boxes: { csv: "b.csv" } })),
        "Cannot read boxes as image must be a text: it is not given",
      ],
      [() => ace.loadFolder("films", cell({ classes: "a" })), 'classes must be a list of texts: current value is "a"'],
      [
        () => ace.pairSource(cell("pairs.csv"), encoders, none),
        'they must be a data set, as loadPairs() and loadFolder() give it: current value is "pairs.csv"',
      ],
      [
        () => ace.assess(none, none, cell("a.csv"), { config: encoders, tokenizer: none }),
        "the cases must be a data set",
      ],
      [() => ace.trainingSet(cell("8"), 1), "its size must be a whole number >= 1"],
      [() => ace.trainingSet(8, cell("1")), 'seed must be an integer: current value is "1"'],
      [() => ace.assess(none, none, none, cell({ config: encoders })), "tokenizer must be a record: it is not given"],
      [() => ace.aceLoraModel(cell({ encoder: encoders })), 'no setting "encoder" (did you mean "encoders"?)'],
      [
        () => ace.initAceLora(none, cell({ encoders, lora: { rank: 8 } })),
        "by LoRA as alpha must be a finite number: it is not given",
      ],
      [
        () => ace.initAceLora(none, cell({ encoders, hgnn: { topk: 3 } })),
        'by ACE-HGNN as there is no setting "topk" (did you mean "topK"?)',
      ],
      [
        () => ace.injectLora(none, cell({ ...lora, encoders: ["txt"] })),
        'encoders must be a list of image, text: current value is ["txt"] (did you mean "text"?)',
      ],
      [
        () => ace.injectLora(none, cell({ ...lora, rank: "4" })),
        'rank must be a positive integer: current value is "4"',
      ],
      [() => ace.initAceHgnn(8, cell("4"), 1), 'hidden must be a positive integer: current value is "4"'],
      [
        () => ace.PEFT_METHODS.dora(encoders, { rnak: 2 }),
        'Cannot set up DoRA as there is no setting "rnak" (did you mean "rank"?)',
      ],
      [() => watchFit(cell({ point: 3 })), 'no option "point" (did you mean "points"?)'],
      [() => CALLS["fit"]!({ patience: 3 }), "Cannot train as patience needs validate: it is not given"],
      [() => CALLS["fit"]!({ resume: true, saveSteps: 3 }), "Cannot train as saveSteps needs statePath"],
      [() => CALLS["fit"]!({ gradientSum: "ordered" }), "Cannot train as gradientSum needs ranks"],
      [() => ace.loadPairs("pairs.csv", { separator: "|" }), "Cannot read pairs as separator needs label"],
      [() => writeAdapter("", none, { format: "ace", fusedQkv: true }), 'fusedQkv needs the format "peft"'],
      [() => combineAdapters([], { density: 0.3 }), "density is read by ties, dare_linear and dare_ties alone"],
      [() => combineAdapters([], { combination: "ties", seed: 1 }), 'current value is "ties"'],
    ] as const
  ) assertStringIncludes((await thrown(call)).message, message);
});

Deno.test("a model's methods refuse what is mistyped before anything is read or made", async () => {
  await ace.selectBackend({ backend: "wasm" });
  const model = await ace.loadModel();
  const set = ace.trainingSet(2, 1);
  for (
    const [call, message] of [
      [
        () => model.adapt(set, cell({ epoch: 1 })),
        'Cannot adapt a model as there is no option "epoch" (did you mean "epochs"?)',
      ],
      [
        () => model.adapt(set, cell({ method: "lora2" })),
        'method must be a record of what is added, such as { lora: ACE_LORA_LORA }: current value is "lora2"',
      ],
      [() => model.adapt(set, cell({ method: { lorra: lora } })), 'no setting "lorra" (did you mean "lora"?)'],
      [
        () => model.adapt(cell(undefined)),
        "pairs must be a data set or the path of a table: current value is undefined",
      ],
      [() => model.adapt(cell([])), "pairs must be a data set or the path of a table: current value is []"],
      [() => model.classify(cell("film.png"), ["a", "b"]), 'images must be a list: current value is "film.png"'],
      [
        () => model.classify(["film.png"], ["a", "b"], cell({ labls: [] })),
        'no option "labls": the options are templates,',
      ],
      [() => model.classify(["film.png"], cell([1, 2])), "labels must be a list of texts: current value is [1,2]"],
      [() => model.encodeImages(cell("film.png")), 'images must be a list: current value is "film.png"'],
      [() => model.encodeTexts(cell("pneumonia")), 'texts must be a list of texts: current value is "pneumonia"'],
    ] as const
  ) assertStringIncludes((await thrown(call)).message, message);
  model.dispose();
});

Deno.test("what a model's adapt() warns of is printed, unless somebody takes it", async () => {
  await ace.selectBackend({ backend: "wasm" });
  const model = await ace.loadModel();
  const { warn } = console;
  const [printed, taken]: [string[], string[]] = [[], []];
  console.warn = (text: string) => void printed.push(text);
  try {
    const options = { epochs: 1, batchSize: 2, loss: "info-nce" } as const;
    const onWarning = (text: string): void => void taken.push(text);
    for (const more of [{}, { onWarning }]) await model.adapt(ace.trainingSet(2, 1), { ...options, ...more });
  } finally {
    console.warn = warn;
  }
  assertStringIncludes(taken[0]!, "the first of the warm-up");
  assertEquals(printed, taken.map((text) => `warning: ${text}`));
});
