/**
 * The paper's tables, the demo and the pre-training of the mini model.
 *
 * @module
 */
export { PaperFilesError } from "./context.ts";
export {
  parameterFigure,
  rowsBarFigure,
  rowsLossFigure,
  rowsRocFigure,
  runConfusionFigure,
  runOverlays,
} from "./figures.ts";
export { type Gathered, type KeptRuns, parseKept, readRecords } from "./files.ts";
export { type ClipFolder, type RunSpec, TABLE_NAMES, type TableName } from "./plan.ts";
export { type ExplainedCase, RECORD_KIND, type ReproduceRecord, type SetFigures } from "./record.ts";
export { type OpenedRuns, openRuns, type OpenRunsOptions } from "./kept_runs.ts";
export { keptRecords, NoResultsError, type ReportOptions, writeReport, type WrittenReport } from "./report.ts";
export type { Estimate } from "./estimate.ts";
export { reproduce, type ReproduceOptions, type ReproduceOutcome, type ReproducePlan } from "./reproduce.ts";
export { type Departures, type Scale, type ScaleName, SCALES } from "./scale.ts";
export { type Row, setNames, tableRuns } from "./summary.ts";
export {
  DEMO,
  DEMO_SMOKE,
  type DemoHooks,
  type DemoMethod,
  type DemoResult,
  type DemoRun,
  type DemoSettings,
  runDemo,
} from "./demo/demo.ts";
export { pretrain } from "./pretrain/pretrain.ts";
export { PRETRAIN, type PretrainSettings } from "./pretrain/settings.ts";
export { type ExampledTable4, type Table4Example, table4Overlays } from "./tables/table4/examples.ts";
export { reproducedTables, TABLES, verdicts } from "./tables/registry.ts";
export type { PaperTable, TitledTable } from "./tables/table.ts";
export {
  TABLE4_KIND,
  type Table4Result,
  type Table4Row,
  type Table4Run,
  type Table4Settings,
} from "./tables/table4/run.ts";
export { table4 } from "./tables/table4/show.ts";
export { runTable4, TABLE4_SETTINGS, TABLE4_SMOKE_SETTINGS } from "./tables/table4/synthetic.ts";
