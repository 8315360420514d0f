/** Data in, something to look at out: tables, progress, plotly figures, overlays, reports, notebook outputs. @module */
export * from "./bars.ts";
export * from "./confusion.ts";
export * from "./curves.ts";
export * from "./evaluation.ts";
export * from "./evaluation_tables.ts";
export * from "./figure.ts";
export * from "./overlay.ts";
export * from "./plotly.ts";
export * from "./png.ts";
export * from "./progress.ts";
export * from "./records.ts";
export * from "./report.ts";
export * from "./results.ts";
export * from "./scatter.ts";
export * from "./show.ts";
export * from "./svg.ts";
export * from "./table.ts";
