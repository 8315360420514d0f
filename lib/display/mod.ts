/** Data in, something to look at out: tables, progress, plotly figures, overlays, reports, notebook outputs. @module */
export { barFigure, type BarFigureOptions, type BarSeries } from "./bars.ts";
export { cellProgress } from "./cell_progress.ts";
export { confusionFigure } from "./confusion.ts";
export {
  lossFigure,
  type LossFigureOptions,
  type LossSeries,
  precisionRecallFigure,
  type PrecisionRecallSeries,
  reliabilityFigure,
  type ReliabilitySeries,
  rocFigure,
  type RocSeries,
} from "./curves.ts";
export {
  type CalibrationFigures,
  type CalibrationRecord,
  type ClassComparison,
  type ClassFigures,
  type ComparisonRecord,
  type Estimate,
  type EvaluationRecord,
  type Interval,
  type PairedFigure,
  type SubgroupFigures,
  THRESHOLD_FIGURES,
} from "./evaluation.ts";
export { classFiguresTable, comparisonTable, estimateCell, overallTable, subgroupTable } from "./evaluation_tables.ts";
export {
  type Axis,
  type BarsMark,
  type CellsMark,
  type Figure,
  type FigureMark,
  type IntervalsMark,
  type LabelPosition,
  type LineMark,
  type Point,
  type PointsMark,
  seriesColour,
} from "./figure.ts";
export type { Overlay, OverlayHyperedge } from "./overlay.ts";
export type { Diagram, DiagramBox } from "./diagram.ts";
export { matrixFigure, type MatrixFigureOptions } from "./matrix.ts";
export { type PlotlyFigure, plotlyFigure } from "./plotly.ts";
export { pngDataUrl, type PngSource } from "./png.ts";
export { createProgress, type Progress, type ProgressFields, type ProgressOptions } from "./progress.ts";
export { checkDenseRecord, checkRunRecord, checkTrainingRecord, parseRunRecord, recordKind } from "./records.ts";
export { buildReport, type LiveReport, plotlySource, type Report, reportUpdate } from "./report.ts";
export {
  type FactsSection,
  type FigureSection,
  type GalleryItem,
  type GallerySection,
  type GroupSection,
  type OverlaysSection,
  type ProseSection,
  type ReportSection,
  type SectionHead,
  type TableSection,
} from "./sections.ts";
export {
  type DenseRecord,
  type MethodResult,
  METRICS_SCHEMA,
  resultsTable,
  type RunRecord,
  type SplitRecord,
  type TrainingRecord,
} from "./results.ts";
export { scatterFigure, type ScatterFigureOptions, type ScatterPoint } from "./scatter.ts";
export { rasterise, type RasteriseOptions } from "./rasterise.ts";
export {
  diagramDisplay,
  type Displayable,
  figureDisplay,
  type LiveOutput,
  liveOutput,
  type MimeBundle,
  overlayDisplay,
  show,
  tableDisplay,
} from "./show.ts";
export { figureSvg, type FigureSvgOptions } from "./svg.ts";
export { htmlTable } from "./html_table.ts";
export {
  formatTable,
  type FormatTableOptions,
  markdownTable,
  type Table,
  type TableCell,
  type TableColumn,
} from "./table.ts";
