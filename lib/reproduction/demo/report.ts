/** The demo's report: table, curves, confusion, attention and hyperedges. @module */
import { confusionFigure } from "../../display/confusion.ts";
import { lossFigure, rocFigure } from "../../display/curves.ts";
import type { Overlay } from "../../display/overlay.ts";
import { buildReport, type ReportSection } from "../../display/report.ts";
import { resultsTable } from "../../display/results.ts";
import { confusionMatrix } from "../../eval/metrics/confusion.ts";
import { predictedClasses } from "../../eval/metrics/accuracy.ts";
import { rocCurve } from "../../eval/metrics/roc_curve.ts";
import type { Case, Dataset } from "../../data/types.ts";
import type { DemoResult, DemoRun } from "./demo.ts";
import { explainImages, explanationOverlay } from "../../eval/explain.ts";

/** The report as one HTML text. */
export async function demoReport(result: DemoResult): Promise<string> {
  const { record, runs, sets } = result;
  const trained = runs.filter((run) => run.loss.length > 0);
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
    { kind: "table", title: "Results", table: resultsTable(record) },
    {
      kind: "figure",
      title: "Training loss",
      figure: lossFigure(trained.map(({ method, loss }) => ({ name: method.name, loss })), { smooth: 8 }),
      synthetic: true,
      half: true,
    },
    ...binarySets(sets).map((name): ReportSection => ({
      kind: "figure",
      title: `ROC, ${name}`,
      figure: rocFigure(runs.map((run) => rocSeries(run, name))),
      synthetic: true,
      half: true,
    })),
    ...multiclassSets(sets).map((name): ReportSection => ({
      kind: "figure",
      title: `Confusion of ${runs.at(-1)!.method.name}, ${name}`,
      figure: confusion(runs.at(-1)!, name, sets[name]!),
      synthetic: true,
      half: true,
    })),
    {
      kind: "overlays",
      title: "CLS attention and chosen hyperedges",
      overlays: await overlays(result),
      caption: "Heat: attention logits of the CLS query. Squares: members of the CLS hyperedge. " +
        "Rings and lines: each member's own hyperedge, by cosine similarity.",
      synthetic: true,
    },
    {
      kind: "facts",
      title: "Run",
      facts: {
        seed: record.seed,
        backend: `${record.backend} (${record.adapter})`,
        seconds: Number(record.seconds.toFixed(1)),
        revision: record.revision ?? "unknown",
        ...record.versions,
        ...Object.fromEntries(
          Object.entries(record.splits ?? {}).map((
            [name, { size, hash }],
          ) => [name, `${size} cases, sha256 ${hash.slice(0, 16)}`]),
        ),
      },
    },
  ];
  return await buildReport({
    title: "ACE-LoRA demo",
    subtitle: "Parameter-efficient adaptation of a vision-language model, on synthetic data",
    sections,
  });
}

function binarySets(sets: DemoResult["sets"]): string[] {
  return Object.keys(sets).filter((name) => sets[name]!.classes.length === 2);
}

function multiclassSets(sets: DemoResult["sets"]): string[] {
  return Object.keys(sets).filter((name) => sets[name]!.classes.length > 2);
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
