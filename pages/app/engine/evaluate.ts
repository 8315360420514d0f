/** Zero-shot figures on a labelled folder. @module */
import { aceLoraModel } from "../../../lib/ace_lora.ts";
import { loadFolder } from "../../../lib/data/folder.ts";
import { judgedNotes } from "../../../lib/data/seen.ts";
import { rsnaLike } from "../../../lib/data/synthetic/sets.ts";
import { classFiguresTable, overallTable } from "../../../lib/display/evaluation_tables.ts";
import { figureSvg } from "../../../lib/display/svg.ts";
import { htmlTable } from "../../../lib/display/html_table.ts";
import { checkClasses, scoreDataset } from "../../../lib/eval/assess.ts";
import { evaluatePredictions } from "../../../lib/eval/evaluation/evaluate.ts";
import { evaluationFigures } from "../../../lib/eval/evaluation/figures.ts";
import { datasetPredictions, predictionsCsv } from "../../../lib/eval/evaluation/predictions.ts";
import { deriveSeed } from "../../../lib/tensor/random.ts";
import { tell } from "./events.ts";
import { baseModel, classifier, type Files, mounted } from "./model.ts";

/** What an evaluation found, ready to be shown. */
export interface Evaluated {
  /** Cases judged. */
  cases: number;
  /** What limits what the figures are worth. */
  warnings: string[];
  /** Tables as HTML. */
  tables: { title: string; html: string }[];
  /** Figures as SVG: ROC, precision against recall, calibration, confusion. */
  figures: { title: string; caption: string; svg: string }[];
  /** Every case's scores, to download. */
  csv: string;
}

/** About as many pixels as a column of the page has, so that words keep their size. */
const FIGURE_SIZE = { width: 400, height: 320 } as const;

/** Judges the model on a folder with one folder for each class, or on drawn films. */
export async function evaluate(
  from: Files | { drawn: number; seed: number },
  templates: readonly string[],
): Promise<Evaluated> {
  const dataset = typeof from.drawn === "number"
    ? rsnaLike(from.drawn, deriveSeed(from.seed as number, "held out"))
    : await loadFolder(mounted("evaluation", from as Files));
  checkClasses(dataset);
  const { params, config, ...listed } = classifier();
  const warnings = listed.seen ? judgedNotes(dataset.cases, listed, "the adapter") : [];
  const { tokenizer } = baseModel();
  const { scores, targets } = await scoreDataset(aceLoraModel(config), params, dataset, {
    config: config.encoders,
    tokenizer,
    templates,
    batchSize: 8,
    onBatch: (done) => tell({ event: "images", done, of: dataset.cases.length }),
  });
  const predictions = datasetPredictions(dataset, { scores, targets });
  const record = evaluatePredictions(predictions, { resamples: 1000, seed: 1 });
  return {
    cases: dataset.cases.length,
    warnings,
    tables: [
      { title: "Figures", html: htmlTable(overallTable(record)) },
      { title: "Each class against the others", html: htmlTable(classFiguresTable(record)) },
    ],
    figures: evaluationFigures(predictions, record).map(({ title = "", caption = "", figure }) => ({
      title,
      caption,
      svg: figureSvg(figure, FIGURE_SIZE),
    })),
    csv: predictionsCsv(predictions),
  };
}
