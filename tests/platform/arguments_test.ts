/**
 * What a notebook's cell may give a function of a sub-path: in a call that works each argument in turn, and each field and item of it, is
 * replaced by something else. What does not fit is told in one of our own sentences, never in V8's or tf.js's, and never passed over.
 */
import { assertEquals, assertMatch } from "@std/assert";
import { imageSource, pairSource } from "../../lib/data/mod.ts";
import { fromFileUrl } from "@std/path";
import * as tf from "@tensorflow/tfjs";
import { selectBackend } from "../../lib/tensor/mod.ts";
import { initAdamw } from "../../lib/train/mod.ts";
import { initBatchNorm, initConv, rotaryTable } from "../../lib/nn/mod.ts";
import { initAceHgnn } from "../../lib/hypergraph/mod.ts";
import { loadClip, MINI } from "../../mod.ts";

await selectBackend({ backend: "cpu" });

/** Something that a cell may give, whatever it is. */
type Given = unknown;

/** A value as a cell may give it: of any type. */
// deno-lint-ignore no-explicit-any -- what a cell gives is not checked
const cell = (value: Given): any => value;

/** What may stand in the place of anything. */
const WRONG: readonly Given[] = [undefined, null, "x", NaN, -1, 1.5, true, {}, [], [{}], () => 0];

/** What a value is, as far as a function may tell values apart before it computes. */
function kindOf(value: Given): string {
  if (value instanceof tf.Tensor) return "tensor";
  if (Array.isArray(value) || ArrayBuffer.isView(value)) return "list";
  if (value instanceof Map || value instanceof Set) return value.constructor.name;
  return value === null ? "null" : typeof value;
}

/** A value with something else in one place, and where. */
interface Mutant {
  place: string;
  value: Given;
  /** Whether it is of another kind than what stood there: no function may take it. */
  isForeign: boolean;
}

function mutants(value: Given, place: string, depth = 3): Mutant[] {
  const own = WRONG.filter((wrong) => typeof wrong !== "string" || typeof value !== "string").map((wrong): Mutant => {
    const isForeign = kindOf(wrong) !== kindOf(value) || Number.isNaN(wrong);
    return { place: `${place} = ${shown(wrong)}`, value: wrong, isForeign: isForeign && wrong !== undefined };
  });
  if (depth === 0 || RECORDS.has(Object(value))) return own;
  if (Array.isArray(value) && value.length > 0) {
    const items = mutants(value[0], `${place}[0]`, depth - 1);
    return [...own, ...items.map((mutant) => ({ ...mutant, value: [mutant.value, ...value.slice(1)] }))];
  }
  if (kindOf(value) !== "object") return own;
  const record = value as Record<string, Given>;
  const fields = Object.entries(record).flatMap(([name, field]) =>
    mutants(field, `${place}.${name}`, depth - 1).map((mutant) => ({
      ...mutant,
      value: { ...record, [name]: mutant.value },
    }))
  );
  return [...own, ...fields];
}

const shown = (value: Given): string =>
  typeof value === "function"
    ? "a function"
    : typeof value === "number"
    ? String(value)
    : JSON.stringify(value) ?? "undefined";

/** Sentences of V8 that begin as ours do. */
const FOREIGN = /^Cannot (read properties|destructure|convert|set properties|use 'in'|mix|access|assign|delete)/;

/** The message of what a call throws. */
async function thrown(call: () => Given): Promise<string | undefined> {
  try {
    await call();
  } catch (error) {
    return (error as Error).message;
  }
}

/** What a call with a mutant does that it must not; undefined where it is well. */
async function fault(
  call: (...args: Given[]) => Given,
  args: Given[],
  { place, isForeign }: Mutant,
): Promise<string | undefined> {
  const message = await thrown(() => call(...args));
  if (message === undefined) return isForeign ? `${place}: is taken` : undefined;
  return /^Cannot /.test(message) && !FOREIGN.test(message) ? undefined : `${place}: ${message.slice(0, 90)}`;
}

/** A record of which only the whole and the fields named are looked at. */
const RECORDS = new WeakSet<object>();
function whole<T extends object>(value: T): T {
  RECORDS.add(value);
  return value;
}

const [x1, x2, x3, x4] = [tf.ones([4]), tf.ones([2, 4]), tf.ones([2, 5, 4]), tf.ones([2, 4, 4, 4])];
const linear = { weight: tf.ones([4, 4]), bias: x1 };
const bottleneck = { down: linear, up: linear };
const hgnn = initAceHgnn(4, 4, 1);
const affinity = tf.ones([2, 4]);
const scalar = tf.scalar(1);
const norm = initBatchNorm(4);
const convolution = initConv({ input: 4, output: 4 }, 1, "a");
const turns = rotaryTable({ grid: 2, reference: 2, width: 4, heads: 1 });
const picture = { width: 2, height: 1, channels: 1, bitDepth: 8, data: Uint8Array.of(0, 255) };
const item = whole({ id: "a", image: () => Promise.resolve(picture), text: "a", target: 0, patientId: "p" });
const dataset = whole({
  name: "drawn",
  classes: ["a", "b"],
  cases: [item, { ...item, id: "b", target: 1 }],
  task: "multiclass",
  summary: { read: 2, kept: 2, dropped: {} },
  split: { name: "all", size: 2, hash: "" },
});
const figure = {
  marks: [{ kind: "line", name: "a", x: [0, 1], y: [0, 1], colour: "#000", width: 1 }],
  x: { title: "" },
  y: { title: "" },
  alt: "a",
};
const table = { columns: [{ title: "a" }, { title: "b" }], rows: [["c", 1]] };
const model = whole({ ...MINI });
const words = whole({ ...(await loadClip()).tokenizer });
const estimate = { value: 0.5, cases: null };
const evaluation = {
  accuracy: estimate,
  baseline: { answer: "a", accuracy: 0 },
  auroc: estimate,
  auprc: estimate,
  classes: {},
  resamples: 1,
  threshold: { rule: "a", chosen_on: "given" },
  subgroups: [],
  patients: null,
};
const paired = { a: 1, b: 0, difference: 1, interval: [0, 1], p: 1 };

/** A call of each function that works, or whose path leads nowhere. */
const CALLS: Readonly<Record<string, Record<string, Given[]>>> = {
  display: {
    barFigure: [["a"], [{ name: "a", values: [1] }]],
    buildReport: [{ title: "a", sections: [{ kind: "prose", text: "a" }] }],
    cellProgress: [3],
    classFiguresTable: [whole(evaluation)],
    comparisonTable: [whole({ cases: 1, patients: null, accuracy: paired, auroc: null, classes: {} }), ["a", "b"]],
    overallTable: [whole(evaluation)],
    subgroupTable: [whole(evaluation)],
    confusionFigure: [[[1, 0], [0, 1]], ["a", "b"]],
    createProgress: [3],
    diagramDisplay: [{ boxes: { a: { text: "a", column: 0, row: 0 } }, arrows: [["a", "a"]], alt: "a" }],
    figureDisplay: [figure],
    figureSvg: [figure],
    formatTable: [table],
    htmlTable: [table],
    lossFigure: [[{ name: "a", loss: [1, 0], steps: [1, 2] }]],
    markdownTable: [table],
    matrixFigure: [[[1, 2], [3, 4]]],
    overlayDisplay: [{
      image: "data:image/png;base64,AA==",
      grid: { rows: 1, columns: 2 },
      attention: [0, 1],
      hyperedges: [{ source: 0, members: [1], weights: [1] }],
      caption: "a",
    }, 360],
    plotlyFigure: [figure],
    pngDataUrl: [picture],
    precisionRecallFigure: [[{ name: "a", recall: [0, 1], precision: [1, 0], auprc: 0.5 }]],
    rasterise: ["<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'/>"],
    reliabilityFigure: [[{ name: "a", bins: [{ confidence: 0.5, frequency: 0.5 }] }]],
    reportUpdate: [{ title: "a", sections: [{ kind: "prose", text: "a" }] }],
    resultsTable: [{ sets: { a: {} }, synthetic: true }],
    rocFigure: [[{ name: "a", falsePositiveRate: [0, 1], truePositiveRate: [0, 1], auroc: 0.5 }]],
    scatterFigure: [[{ name: "a", x: 1, y: 0.5, interval: [0, 1] }]],
    seriesColour: [0],
    tableDisplay: [table],
  },
  data: {
    balancedWeights: [{ classes: ["a"], rows: [[1], [0]] }],
    captioned: [dataset],
    checkUnseen: [[item], new Set(["a"]), "head"],
    chexpert5xN: [1, 1],
    classPrompts: [["a", "b"], model, words],
    contentLabels: [{ modality: "chest", findings: [{ name: "Edema" }] }],
    csvCell: ["a"],
    decodeRle: ["1 1", { width: 2, height: 2 }],
    describeCsv: ["none.csv"],
    describeDataset: [dataset],
    encodeRle: [{ width: 1, height: 1, data: Uint8Array.of(1) }],
    fewShot: [dataset, 1, 0],
    fillPixelCache: ["none", { size: 8 }, ["none.png"]],
    findUnreadable: [[item]],
    fingerprint: [item],
    fingerprints: [[item]],
    hashIds: [["a"]],
    heldOutChestSets: [1, 1],
    histopathologyLike: [2, 1],
    imageFile: ["a.png"],
    imageSource: [[item], model],
    imageStamps: [[item]],
    labelTargets: [dataset],
    listImages: ["none"],
    loadChexpert5x200: ["none"],
    loadFolder: ["none"],
    loadLc25000: ["none"],
    loadMedmnist: ["none"],
    loadMhist: ["none"],
    loadMimicCxr: ["none"],
    loadNih: ["none"],
    loadPairs: ["none.csv"],
    loadRsna: ["none"],
    loadSiim: ["none"],
    loadWebDataset: ["none.tar"],
    pairSource: [dataset, model, words],
    parseCaptions: ["{c}", "a.txt"],
    pretrainingPlan: [1],
    readBoxes: ["none", { csv: "none.csv", image: "path" }],
    readCsv: ["none.csv"],
    readMask: ["none.png"],
    readNpy: [new Uint8Array(8), "none.npy"],
    readNpz: ["none.npz", ["a"]],
    readParquet: ["none.parquet"],
    readProtocol: ["none.json"],
    reportSections: ["FINDINGS: none"],
    rsnaLike: [1, 1],
    seenCases: ["ab", "a"],
    shardPaths: ["a.tar"],
    siimLike: [1, 1],
    splitByPatient: [[item, { ...item, patientId: "q" }], { shares: { test: 0.5 } }],
    squareTransform: [model, "eval"],
    syntheticChest: [1],
    syntheticStudy: [1],
    targetSource: [dataset, model],
    textPair: [1],
    trainTestSplit: [4],
    trainingSet: [1, 1],
    uniqueIds: [[item]],
    judgedNotes: [[item], {}, "head"],
  },
  train: {
    adamw: [whole(initAdamw(new Map([["a", x1]]))), new Map([["a", x1]]), new Map([["a", x1]]), 1],
    batchOf: [{ pixels: x4, ids: x2 }],
    checkLearnable: [
      {
        size: 2,
        imageSize: 1,
        contextLength: 1,
        ids: (places: number[]) => Promise.resolve(Int32Array.from(places)),
        pixels: () => 0,
      },
      { batchSize: 2, loss: "info-nce" },
    ],
    clipGradients: [[x1], 1],
    epochBatches: [2, 0, { batchSize: 2 }],
    initAdamw: [new Map([["a", x1]])],
    contrastiveGradients: [whole({ isTrainable: () => true }), {}, {
      size: 1,
      read: () => Promise.reject(new Error("Cannot read")),
    }],
    packedGradients: [whole({ isTrainable: () => true }), {}, {
      size: 1,
      read: () => Promise.reject(new Error("Cannot read")),
    }, whole({ layout: [] })],
    disposeAdamw: [whole(initAdamw(new Map([["a", x1]])))],
    readRunState: ["none", {}, new Map()],
    valueAndGradients: [{ a: x1 }, ["a"], () => tf.sum(x1)],
    warmupCosine: [1, { learningRate: 1, warmupSteps: 1, totalSteps: 2 }],
    hasRunState: ["none"],
    removeRunState: ["none"],
    openEventFile: ["/dev/null/none"],
    openRunLog: ["/dev/null/none"],
  },
  losses: {
    falseNegativeMask: [[[1, 0], [0, null]]],
    infoNce: [x2, x2, scalar],
    sigmoidLoss: [{ image: x2, text: x2 }, { scale: scalar, bias: scalar }],
    weightedBce: [x2, x2, x1],
  },
  nn: {
    batchNorm: [norm, x4],
    conv2d: [convolution, x4],
    convNorm: [{ conv: convolution, norm }, x4],
    dropExtra: [{ tokens: x3, affinity }, 1, {}],
    extendMasks: [{ keyMask: x2 }, 1],
    extendRotary: [turns, 1],
    initBatchNorm: [4],
    initConv: [{ input: 1, output: 1 }, 1, "a"],
    initConvNorm: [{ input: 1, output: 1 }, 1, "a"],
    insertAfterFirst: [x3, x2],
    mergeOrder: [2],
    reorder: [tf.ones([2, 4, 4]), [0, 1, 2, 3], [3, 2, 1, 0]],
    resamplePositions: [tf.ones([1, 5, 4]), 3, true, 0.1],
    rotaryTable: [{ grid: 2, reference: 2, width: 4, heads: 1 }],
    rotate: [x3, turns],
    rowOrder: [2],
    upsampleBilinear: [x4, { alignCorners: true }],
    upsampleNearest: [x4],
    windowBias: [tf.ones([9, 1]), { side: 4, window: 2, shift: 0 }],
    windowOrder: [{ side: 4, window: 2, shift: 1 }],
  },
  hypergraph: {
    aceHgnn: [hgnn, x3, affinity, 2],
    aceHgnnDense: [hgnn, x3, affinity, 2],
    adapter: [bottleneck, x3],
    chosenHyperedges: [x3, affinity, 2],
    clsScores: [hgnn, x3, affinity, { affinity: "attention" }],
    denseIncidence: [x3, affinity, 2],
    hypergraph: [hgnn, x3, affinity, { topK: 2 }],
    initAceHgnn: [4, 4, 1, "a"],
    initAdapter: [4, 4, 1, "a"],
    initGat: [4, 1, "a"],
    initGatv2: [4, 1, "a"],
    initHgnn: [{ hidden: 4 }, 4, { seed: 1, name: "a" }],
    keepTopK: [x2, x2, 2],
  },
};

/** What may be given instead: of another kind, and yet what the function takes. */
const TAKEN: readonly RegExp[] = [
  /^display .*\] = NaN: is taken$/, // a gap in a curve, a table or a matrix
  /^display (\w+Table|tableDisplay) 0\.rows\[0\]\[0\] = (null|-1|1\.5): is taken$/, // cells are texts, numbers or nothing
  /^data (checkUnseen 2|judgedNotes 2|parseCaptions 1|seenCases 1) = /, // what messages call a file
  /^data chexpert5xN 0 = true: is taken$/, // five times it are five cases
  /^data csvCell 0 = (NaN|-1|1\.5): is taken$/,
  /^hypergraph clsScores 0.*: is taken$/, // the encoder's attention needs no weights
  /^losses falseNegativeMask 0\[0\]\[0\] = null: is taken$/, // a blank label
  /^train valueAndGradients 2 = a function/, // what it gives is not looked at
  /^display barFigure 1\[0\]\.values\[0\] = null: is taken$/,
  /^display \w+ 0\.sections\[0\]\.text = \[\]: is taken$/, // no paragraph
  /^display overlayDisplay 0\.hyperedges\[0\]\.source = null: is taken$/, // the CLS token's
];

/** Functions that take anything, tell nobody's sizes apart, or whose arguments are files' contents, checked by their own tests. */
const ELSEWHERE: readonly string[] = [
  ...["estimateCell", "liveOutput", "plotlySource", "recordKind", "show"],
  ...["checkDenseRecord", "checkRunRecord", "checkTrainingRecord", "parseRunRecord"],
  ...["openImageReader", "rowNumber"],
  ...["fit", "watchFit"], // see options_test.ts
  // Layers, whose weights a model's loader has checked.
  ...[
    "attentionPool",
    "bottleneck",
    "frozenLinear",
    "layerNorm",
    "linear",
    "mlp",
    "quickGelu",
    "selfAttention",
    "tanhGelu",
  ],
  ...["transformer", "transformerBlock"],
  ...["isLinear", "isTrainedLeaf", "mapBlocks", "mergeUpdates", "runningStatistics", "towerBlocks"], // of a model's tree
];

Deno.test("a source tells of places at which it has no sample", async () => {
  const [images, pairs] = [imageSource(cell([item]), MINI), pairSource(cell(dataset), MINI, cell(words))];
  const calls = [
    () => images.pixels([99_999]),
    () => images.pixels([-1]),
    () => images.pixels([NaN]),
    () => pairs.ids([0, 2]),
  ];
  for (const call of calls) {
    assertMatch(await thrown(call) ?? "", /^Cannot read .*\[\d\] must be a whole number from 0 to [01]/);
  }
});

for (const [path, calls] of Object.entries(CALLS)) {
  Deno.test(`functions of ${path} tell what they were given that will not do`, async () => {
    const functions = await import(fromFileUrl(new URL(`../../lib/${path}/mod.ts`, import.meta.url)));
    const faults: string[] = [];
    for (const [name, args] of Object.entries(calls)) {
      const refusal = await thrown(() => functions[name](...args));
      if (refusal !== undefined && !/\bnone\b|a\.tar/.test(refusal)) {
        faults.push(`${path} ${name} as it should be: ${refusal}`);
      }
      for (const [i, arg] of args.entries()) {
        for (const mutant of mutants(arg, `${path} ${name} ${i}`)) {
          const given = args.toSpliced(i, 1, mutant.value);
          const told = await fault(functions[name], given, mutant);
          if (told !== undefined && !TAKEN.some((pattern) => pattern.test(told))) faults.push(told);
        }
      }
    }
    assertEquals(faults, []);
  });

  Deno.test(`every function of ${path} is among those`, async () => {
    const functions = await import(fromFileUrl(new URL(`../../lib/${path}/mod.ts`, import.meta.url)));
    const isFunction = (name: string): boolean => typeof functions[name] === "function" && !/^[A-Z]/.test(name);
    const names = Object.keys(functions).filter(isFunction);
    assertEquals(names.filter((name) => !(name in calls) && !ELSEWHERE.includes(name)), []);
  });
}
