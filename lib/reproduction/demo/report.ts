/** The demo's report: table, curves, confusion, attention and hyperedges. @module */
import { confusionFigure } from "../../display/confusion.ts";
import { lossFigure, rocFigure } from "../../display/curves.ts";
import type { Overlay } from "../../display/overlay.ts";
import { buildReport } from "../../display/report.ts";
import type { ReportSection } from "../../display/sections.ts";
import { resultsTable, type RunRecord } from "../../display/results.ts";
import type { Figure } from "../../display/figure.ts";
import { confusionMatrix } from "../../eval/metrics/confusion.ts";
import { predictedClasses } from "../../eval/metrics/accuracy.ts";
import { rocCurve } from "../../eval/metrics/roc_curve.ts";
import type { Case, Dataset } from "../../data/types.ts";
import type { DemoResult, DemoRun } from "./demo.ts";
import { explainImages, explanationOverlay } from "../../eval/explain.ts";

/** The report as one HTML text. */
export async function demoReport(result: DemoResult): Promise<string> {
  const sections: ReportSection[] = [
    {
      kind: "prose",
      text: [
        "One small generalist, pre-trained on generated texts and images, adapted three ways on generated radiograph-report " +
        "pairs and asked three zero-shot questions about held-out generated radiographs.",
        "Every image and text here is synthetic. The figures say how the methods behave on this toy world; they are not " +
        "comparable with the paper's, which are measured on patients' radiographs with a model two hundred times larger.",
      ],
    },
    { kind: "table", title: "Results", table: resultsTable(result.record) },
    ...figures(result),
    {
      kind: "overlays",
      title: "CLS attention and chosen hyperedges",
      overlays: await overlays(result),
      caption: "Heat: attention logits of the CLS query. Squares: members of the CLS hyperedge. " +
        "Rings and lines: each member's own hyperedge, by cosine similarity.",
      synthetic: true,
    },
    { kind: "facts", title: "Run", facts: facts(result.record) },
  ];
  return await buildReport({
    title: "ACE-LoRA demo",
    subtitle: "Parameter-efficient adaptation of a vision-language model, on synthetic data",
    sections,
  });
}

/** The losses, each binary set's ROC curves, and each other set's confusions by the last method. */
function figures({ runs, sets }: DemoResult): ReportSection[] {
  const trained = runs.filter((run) => run.loss.length > 0);
  const last = runs.at(-1)!;
  const all = Object.entries(sets);
  const titled: [string, Figure][] = [
    ["Training loss", lossFigure(trained.map(({ method, loss }) => ({ name: method.name, loss })), { smooth: 8 })],
    ...all.filter(([, { classes }]) => classes.length === 2).map(([name]): [string, Figure] => [
      `ROC, ${name}`,
      rocFigure(runs.map((run) => rocSeries(run, name))),
    ]),
    ...all.filter(([, { classes }]) => classes.length > 2).map(([name, set]): [string, Figure] => [
      `Confusion of ${last.method.name}, ${name}`,
      confusion(last, name, set),
    ]),
  ];
  return titled.map(([title, figure]) => ({ kind: "figure", title, figure, synthetic: true, half: true }));
}

function facts(record: RunRecord): Record<string, string | number> {
  const { seed, backend, adapter, seconds, revision, versions, splits = {} } = record;
  const told = Object.entries(splits).map(([name, { size, hash }]) => [
    name,
    `${size} cases, sha256 ${hash.slice(0, 16)}`,
  ]);
  return {
    seed,
    backend: `${backend} (${adapter})`,
    seconds: Number(seconds.toFixed(1)),
    revision: revision ?? "unknown",
    ...versions,
    ...Object.fromEntries(told),
  };
}

function rocSeries(run: DemoRun, set: string): Parameters<typeof rocFigure>[0][number] {
  const { scores, targets, result } = run.sets[set]!;
  const positive = targets.map((_, i) => scores[2 * i + 1]!);
  const { falsePositiveRate, truePositiveRate } = rocCurve(positive, targets);
  return {
    name: run.method.name,
    falsePositiveRate,
    truePositiveRate,
    ...(result.auroc === null ? {} : { auroc: result.auroc }),
  };
}

function confusion(run: DemoRun, name: string, set: Dataset): ReturnType<typeof confusionFigure> {
  const { scores, targets } = run.sets[name]!;
  const counts = confusionMatrix(predictedClasses(scores, targets.length), targets, { classes: set.classes.length });
  return confusionFigure(counts, set.classes);
}

/** The first case of each class of each set, without the classes that mean nothing is there. */
async function overlays({ runs, sets }: DemoResult): Promise<Overlay[]> {
  const { params, method } = runs.at(-1)!;
  const shown: { item: Case; label: string }[] = [];
  for (const set of Object.values(sets)) {
    set.classes.forEach((label, target) => {
      const first = label === "No Finding" ? undefined : set.cases.find((item) => item.target === target);
      if (first) shown.push({ item: first, label });
    });
  }
  const images = await Promise.all(shown.map(({ item }) => item.image()));
  const explanations = await explainImages(params, images, method.config);
  return explanations.map((explanation, i) => explanationOverlay(images[i]!, explanation, shown[i]!.label));
}
