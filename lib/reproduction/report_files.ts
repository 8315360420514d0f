/** Writes the report on a folder of results. @module */
import { writeFileAtomic } from "../io/files.ts";
import { type Gathered, gatherResults } from "./gather.ts";
import { reproductionMarkdown, reproductionReport } from "./report.ts";

/** What {@linkcode writeReport} wrote, and of what. */
export interface WrittenReport {
  /** The results. */
  results: Gathered;
  /** The file of its tables as Markdown. */
  markdown: string;
}

/**
 * Gathers the results of a folder into one self-contained page, its tables beside it as Markdown.
 *
 * @param folder Folder of results, searched at any depth.
 * @param page File to write; its name ends in ".html".
 * @throws {RangeError} If the folder holds no result.
 * @throws {SyntaxError} If a record of a run is damaged; the message names its file.
 */
export async function writeReport(folder: string, page: string): Promise<WrittenReport> {
  const results = await gatherResults(folder);
  if (results.records.length + results.dense.length + results.others.length === 0) {
    throw new RangeError(
      `Cannot report on "${folder}" as it must hold results: found none; deno task reproduce makes some`,
    );
  }
  const markdown = page.replace(/\.html$/, ".md");
  await writeFileAtomic(page, await reproductionReport(results));
  await writeFileAtomic(markdown, reproductionMarkdown(results));
  return { results, markdown };
}
