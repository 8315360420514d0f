/** One report of everything that was run: HTML with figures, and Markdown tables. @module */
import { buildReport } from "../display/report.ts";
import type { ReportSection } from "../display/sections.ts";
import { markdownTable, type Table } from "../display/table.ts";
import { writeFileAtomic } from "../io/files.ts";
import { type Gathered, gatherResults, type KeptRuns } from "./files.ts";
import { ownComparisons, ownFigures, ownRuns, ownTables, tableSection } from "./own_runs.ts";
import { TABLE_NAMES, type TableName } from "./plan.ts";
import { compactRecord, type ReproduceRecord } from "./record.ts";
import { denseSections, introduction, runFacts, tableSections } from "./report_sections.ts";
import { tableRuns } from "./summary.ts";
import { BESIDE_PAPER } from "./tables/parts.ts";
import { reproducedTables, TABLES, verdicts } from "./tables/registry.ts";
import type { TitledTable } from "./tables/table.ts";
import { table4 } from "./tables/table4/show.ts";
import { checkOptions, type Rules, TEXT, TEXTS } from "../platform/options.ts";

/** What a page of results is called, and which of one's own runs are compared. */
export interface ReportOptions {
  /** Heading. @default {"ACE-LoRA: the paper's tables", or "Runs" where there are none of these} */
  title?: string;
  /** Folder that the results were gathered from: runs are named from there. @default {""} */
  folder?: string;
  /** Runs to compare with tests, by name: the first with each other one. @default {none} */
  compare?: readonly string[];
}

/** Whether there are runs of the paper's tables. */
function isReproduction({ records, dense }: Gathered): boolean {
  return records.length + dense.length > 0;
}

function titleOf(results: Gathered, { title }: ReportOptions): string {
  return title ?? (isReproduction(results) ? "ACE-LoRA: the paper's tables" : "Runs");
}

/**
 * The report as one HTML text: the paper's tables of which there are runs, then one's own runs.
 *
 * @throws {RangeError} If a run to compare is not among the results.
 */
export async function reproductionReport(results: Gathered, options: ReportOptions = {}): Promise<string> {
  const { records, dense } = results;
  const { folder = "", compare = [] } = options;
  const sections: ReportSection[] = [];
  if (isReproduction(results)) sections.push({ kind: "prose", text: introduction(results) });
  for (const table of TABLE_NAMES) {
    if (table === "table4" && dense.length > 0) {
      sections.push({ kind: "table", ...table4(dense.map(({ result }) => result)) }, ...await denseSections(dense));
    } else sections.push(...await tableSections(records, table));
  }
  const own = await ownRuns(folder, results);
  sections.push(
    ...ownComparisons(own, compare).map(tableSection),
    ...ownTables(own).map(tableSection),
    ...ownFigures(own),
  );
  if (records.length > 0) sections.push({ kind: "facts", title: "Runs", facts: runFacts(records) });
  return await buildReport({
    title: titleOf(results, options),
    subtitle: "Every run that left a JSON file, gathered into one page",
    warnings: noticesOf(results),
    sections,
  });
}

/** What must be said of the models and of the figures of one's own runs, each once. */
function noticesOf({ others, heads, trainings }: Gathered): string[] {
  const models = [
    ...others.map(({ record }) => record.configuration?.["model"]),
    ...[...heads, ...trainings].map(({ record }) => record.data.synthetic === true ? undefined : record.model),
  ] as ({ notice?: unknown } | null | undefined)[];
  const notices = models.flatMap((model) => typeof model?.notice === "string" ? [model.notice] : []);
  return [...new Set([...notices, ...[...others, ...heads].flatMap(({ record }) => record.warnings ?? [])])];
}

/** The same tables as Markdown. */
export async function reproductionMarkdown(results: Gathered, options: ReportOptions = {}): Promise<string> {
  const lines = [
    `# ${titleOf(results, options)}`,
    "",
    ...(isReproduction(results) ? introduction(results).flatMap((text) => [text, ""]) : []),
    ...noticesOf(results).flatMap((text) => [`**${text}**`, ""]),
  ];
  const put = ({ title, table }: TitledTable, level: number): void => {
    lines.push(`${"#".repeat(level)} ${title}`, "");
    const badge = table.synthetic ? " **Synthetic data.**" : "";
    if (table.caption) lines.push(`${table.caption}${badge}`, "");
    else if (badge) lines.push(badge.trim(), "");
    lines.push(markdownTable(table), "");
  };
  for (const table of TABLE_NAMES) {
    const rows = tableRuns(results.records, table);
    if (table === "table4" && results.dense.length > 0) {
      put(table4(results.dense.map(({ result }) => result)), 2);
      continue;
    }
    if (rows.length === 0) continue;
    reproducedTables(results.records, [table]).forEach((titled, i) => put(titled, i === 0 ? 2 : 3));
    lines.push(...verdicts(rows).flatMap((text) => [text, ""]));
  }
  const own = await ownRuns(options.folder ?? "", results);
  for (const titled of [...ownComparisons(own, options.compare ?? []), ...ownTables(own)]) put(titled, 2);
  return lines.join("\n").trimEnd() + "\n";
}

/** The records small enough to be committed: docs/results.md is made from them, table 1's comparisons included. */
export function keptRecords(records: readonly ReproduceRecord[]): ReproduceRecord[] {
  const compared = TABLES.table1.compared!.flat();
  return records.map((record) => compactRecord(record, record.table === "table1" && compared.includes(record.id)));
}

/** The part of a page of results: figures and comparisons of each table, without costs and without what the paper published. */
export function resultsMarkdown({ records, dense }: KeptRuns): string {
  const tables = TABLE_NAMES.flatMap((name) =>
    name === "table4" && dense.length > 0
      ? [table4(dense.map(({ result }) => result))]
      : reproducedTables(records, [name]).filter(({ title }) => !title.endsWith(": costs"))
  );
  const sentences = TABLE_NAMES.flatMap((name) => {
    const rows = tableRuns(records, name);
    return rows.length === 0 ? [] : verdicts(rows);
  });
  return [
    ...originsOf({ records, dense }).flatMap((text) => [text, ""]),
    ...sentences.flatMap((text) => [text, ""]),
    ...tables.flatMap(({ title, table }) => {
      const caption = `${table.synthetic ? "**Synthetic data.** " : ""}${table.caption ?? ""}`.trim().replace(
        BESIDE_PAPER,
        "",
      );
      return [`### ${title}`, "", caption, "", markdownTable(withoutPublished(table)), ""];
    }),
  ].join("\n").trimEnd();
}

/** Which tables were made at which revision, on which weights: one sentence each. */
function originsOf({ records, dense }: KeptRuns): string[] {
  const made = new Map<string, Set<TableName>>();
  const put = (table: TableName, revision: string | null, { model }: ReproduceRecord["configuration"]): void => {
    const { name, sha256 } = model;
    const origin = `revision ${revision?.slice(0, 7) ?? "unknown"} on ${name} (SHA-256 ${sha256.slice(0, 16)})`;
    made.set(origin, (made.get(origin) ?? new Set()).add(table));
  };
  for (const { table, revision, configuration } of records) put(table, revision, configuration);
  for (const { table, result, configuration } of dense) put(table, result.revision, configuration);
  if (made.size <= 1) return [...made.keys()].map((origin) => `Made at ${origin}.`);
  return [...made].map(([origin, tables]) => `${[...tables].join(", ")}: made at ${origin}.`);
}

/** Without the columns and rows of the paper's figures, most of whose cells are unknown. */
function withoutPublished(table: Table): Table {
  const kept = table.columns.map(({ title }) => !title.startsWith("paper's"));
  return {
    ...table,
    columns: table.columns.filter((_, c) => kept[c]),
    rows: table.rows.filter(([first]) => !String(first).startsWith("paper, ")).map((row) =>
      row.filter((_, c) => kept[c])
    ),
  };
}

/** What {@linkcode writeReport} wrote, and of what. */
export interface WrittenReport {
  /** The results. */
  results: Gathered;
  /** The file of its tables as Markdown. */
  markdown: string;
  /** Whether a run was on images of patients; the files are then their owner's alone. */
  ofPatients: boolean;
}

/** The error for a folder without any result. */
export class NoResultsError extends RangeError {
  /** Name shown in stack traces. */
  override name = "NoResultsError";
  /** The folder. */
  readonly folder: string;

  /**
   * An error about a folder.
   *
   * @param folder The folder.
   */
  constructor(folder: string) {
    super(`Cannot report on "${folder}" as it must hold results: found none`);
    this.folder = folder;
  }
}

/** What they must be. */
const WRITE_REPORT_RULES: Rules<Pick<ReportOptions, "title" | "compare">> = {
  title: TEXT,
  compare: TEXTS,
};

/**
 * Gathers the results of a folder into one self-contained page, its tables beside it as Markdown.
 *
 * @param folder Folder of results, searched at any depth.
 * @param page File to write; its name ends in ".html".
 * @throws {NoResultsError} If the folder holds no result.
 * @throws {RangeError} If a run to compare is not among the results.
 * @throws {SyntaxError} If a record of a run is damaged; the message names its file.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function writeReport(
  folder: string,
  page: string,
  options: Pick<ReportOptions, "title" | "compare"> = {},
): Promise<WrittenReport> {
  checkOptions("write a report", options, WRITE_REPORT_RULES);
  const results = await gatherResults(folder);
  const { records, dense, others, heads, trainings } = results;
  if (records.length + dense.length + others.length + heads.length + trainings.length === 0) {
    throw new NoResultsError(folder);
  }
  const named = { ...options, folder };
  const markdown = page.replace(/\.html$/, ".md");
  const ofPatients = results.records.some(({ sets }) => Object.values(sets).some(({ synthetic }) => !synthetic)) ||
    results.others.some(({ record }) => !record.synthetic) ||
    trainings.length > 0 || heads.some(({ record }) => !record.data.synthetic);
  await writeFileAtomic(page, await reproductionReport(results, named), { isPrivate: ofPatients });
  await writeFileAtomic(markdown, await reproductionMarkdown(results, named), { isPrivate: ofPatients });
  return { results, markdown, ofPatients };
}
