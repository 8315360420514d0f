/** A report with every kind of section, from made-up numbers. */
import { rocCurve } from "../../lib/eval/metrics/roc_curve.ts";
import { binaryAuroc } from "../../lib/eval/metrics/auroc.ts";
import { barFigure } from "../../lib/display/bars.ts";
import { confusionFigure } from "../../lib/display/confusion.ts";
import { lossFigure, rocFigure } from "../../lib/display/curves.ts";
import type { Overlay } from "../../lib/display/overlay.ts";
import { pngDataUrl } from "../../lib/display/png.ts";
import type { Report } from "../../lib/display/report.ts";
import { resultsTable, type RunRecord } from "../../lib/display/results.ts";
import { scatterFigure } from "../../lib/display/scatter.ts";
import { gaussian, mulberry32 } from "../../lib/tensor/random.ts";

const METHODS = ["zero-shot", "LoRA", "LoRA + ACE-HGNN"];
const SETS = ["CheXpert-5x40 (synthetic)", "RSNA-like", "SIIM-like"];
const FINDINGS = ["Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Pleural Effusion"];
const TRAINABLE = [0, 12_288, 38_913];

/** A made-up run in the form of metrics.json. */
export function sampleRecord(): RunRecord {
  const sets = Object.fromEntries(SETS.map((set, s) => [
    set,
    Object.fromEntries(METHODS.map((method, m) => {
      const accuracy = 0.31 + 0.13 * m + 0.06 * s, auroc = 0.58 + 0.1 * m + 0.03 * s;
      return [method, {
        accuracy,
        accuracy_ci: [accuracy - 0.05, accuracy + 0.05] as [number, number],
        auroc,
        auroc_ci: [auroc - 0.04, auroc + 0.035] as [number, number],
        n: 200,
        trainable: TRAINABLE[m]!,
        seconds: 14.2 * m,
      }];
    })),
  ]));
  return {
    seed: 1,
    backend: "wasm",
    adapter: null,
    seconds: 87.4,
    sets,
    synthetic: true,
    versions: { deno: "2.9.6", tfjs: "4.22.0" },
  };
}

function overlay(seed: number): Overlay {
  const rng = mulberry32(seed), size = 96, side = 12;
  const data = new Uint8Array(size * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const lung = (cx: number): number => Math.exp(-(((x - cx) / 15) ** 2) - ((y - 48) / 30) ** 2);
      data[y * size + x] = Math.max(0, Math.min(255, 190 - 130 * (lung(30) + lung(66)) + 8 * gaussian(rng)));
    }
  }
  const attention = Float32Array.from({ length: side * side }, (_, i) => {
    const x = i % side, y = Math.floor(i / side);
    return 3 * Math.exp(-(((x - 3 - seed) / 2) ** 2) - ((y - 8) / 2) ** 2) + 0.3 * gaussian(rng);
  });
  const top = [...attention.keys()].sort((a, b) => attention[b]! - attention[a]!).slice(0, 5);
  const draw = (): number => Math.floor(rng() * side * side);
  return {
    image: pngDataUrl({ width: size, height: size, channels: 1, bitDepth: 8, data }),
    grid: { rows: side, columns: side },
    attention,
    hyperedges: [
      { source: null, members: top },
      ...top.slice(0, 3).map((source) => ({
        source,
        members: [draw(), draw(), draw(), draw(), draw()],
        weights: [0.4, 0.3, 0.15, 0.1, 0.05],
      })),
    ],
    caption: `Case ${seed}: target "Pleural Effusion", called "Edema" (0.41)`,
  };
}

/** Title and sections of the sample. */
export function sampleReport(): Report {
  const rng = mulberry32(4);
  const targets = Array.from({ length: 300 }, (_, i) => i % 2);
  const record = sampleRecord();
  const curves = METHODS.map((name, m) => {
    const scores = targets.map((t) => gaussian(rng) + t * (0.3 + 0.7 * m));
    return { name, ...rocCurve(scores, targets), auroc: binaryAuroc(scores, targets) };
  });
  const decay = (scale: number): number[] =>
    Array.from({ length: 240 }, (_, i) => 1.2 + 2.9 * Math.exp(-i / (60 * scale)) + 0.15 * gaussian(rng));
  const confusion = FINDINGS.map((_, t) => FINDINGS.map((_, p) => Math.round(t === p ? 22 + 8 * rng() : 6 * rng())));
  return {
    title: "ACE-LoRA demo: adapting a small generalist to chest radiographs",
    subtitle: 'Synthetic images, seed 1. Names such as <script>alert("x")</script> & "quotes" are text.',
    sections: [
      {
        kind: "facts",
        title: "Run",
        facts: {
          seed: 1,
          backend: "wasm",
          adapter: "none",
          deno: "2.9.6",
          tfjs: "4.22.0",
          "split hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        },
      },
      {
        kind: "prose",
        text: [
          "Three methods start from the same weights and see the same pairs of image and report. The figures below are of held-out cases.",
          "They say how well the code works on drawings; they say nothing about patients.",
        ],
      },
      {
        kind: "table",
        title: "Results",
        table: { ...resultsTable(record), caption: "Zero-shot accuracy and AUROC with 95 % bootstrap intervals;" },
      },
      {
        kind: "figure",
        title: "Training loss",
        half: true,
        synthetic: true,
        figure: lossFigure([{ name: "LoRA", loss: decay(1.2) }, { name: "LoRA + ACE-HGNN", loss: decay(0.8) }]),
      },
      { kind: "figure", title: "ROC, RSNA-like", half: true, synthetic: true, figure: rocFigure(curves) },
      {
        kind: "figure",
        title: "Confusion, LoRA + ACE-HGNN",
        half: true,
        synthetic: true,
        figure: confusionFigure(confusion, FINDINGS),
      },
      {
        kind: "figure",
        title: "Trainable numbers against AUROC",
        half: true,
        synthetic: true,
        figure: scatterFigure([
          ...METHODS.map((name, m) => ({
            name,
            x: TRAINABLE[m]!,
            y: 0.58 + 0.1 * m,
            interval: [0.54 + 0.1 * m, 0.615 + 0.1 * m] as const,
          })),
          { name: "full fine-tuning", x: 1_050_000, y: 0.74 },
          { name: "BitFit", x: 9_216, y: 0.65 },
        ]),
      },
      {
        kind: "figure",
        title: "AUROC by set",
        caption: "The dashed line is chance.",
        synthetic: true,
        figure: barFigure(
          SETS,
          METHODS.map((name) => ({
            name,
            values: SETS.map((set) => record.sets[set]![name]!.auroc),
            intervals: SETS.map((set) => record.sets[set]![name]!.auroc_ci),
          })),
          { range: [0, 1], reference: 0.5 },
        ),
      },
      {
        kind: "overlays",
        title: "What the model looks at",
        caption:
          "CLS attention as heat map; squares are the patches of the CLS hyperedge, rings with lines the hyperedges that reach it.",
        synthetic: true,
        overlays: [1, 2, 3, 4].map(overlay),
      },
    ],
  };
}
