/** Radiology reports: the findings and the impression out of a text or a table. @module */
import { checkValue, TEXT } from "../platform/options.ts";
import { join } from "@std/path";
import { readCsv, rowNumber } from "./csv.ts";
import { findFileOrNone } from "./dataset.ts";

/** Headings written in small letters, too; any other heading is capitals alone. */
const SMALL =
  "findings?(?: and impressions?|/ ?impressions?)?|impressions?|conclusions?|summary|comparisons?|indication|" +
  "history|technique|examination";

/** A heading: at the start of a line, up to a colon with white space after it. */
const HEADING = new RegExp(`^[ \\t]*([A-Z][A-Z ()/,&-]*[A-Z)]|(?i:${SMALL})):(?=\\s|$)`, "gm");

/** A heading that says how the film was taken stands before what was seen on it. */
const VIEW = /\b(chest|portable|views?|radiographs?|films?|x-?rays?|frontal|lateral|lat|ap|pa|upright|supine|ribs?)\b/;

/** Names that other headings are read as, in the order they are looked for. */
const NAMES: readonly (readonly [string, RegExp])[] = [
  ["impression", /impression|conclusion|^summary$/],
  ["findings", /finding|^report$/],
  ["comparison", /comparison/],
  ["history", /history/],
  ["addendum", /addendum/],
];

/** Whether one letter put in, left out or changed, or two neighbours exchanged, makes `b` of `a`. */
function isOneSlipFrom(a: string, b: string): boolean {
  let from = 0;
  while (from < a.length && a[from] === b[from]) from++;
  const [restA, restB] = [a.slice(from), b.slice(from)];
  return restA.slice(1) === restB || restA === restB.slice(1) || restA.slice(1) === restB.slice(1) ||
    (restA.slice(2) === restB.slice(2) && restA[0] === restB[1] && restA[1] === restB[0]);
}

/** The section that a heading opens: its own words in small letters, unless it is a way to say one of {@linkcode NAMES}. */
function sectionName(heading: string): string {
  const name = heading.toLowerCase();
  const known = NAMES.find(([, pattern]) => pattern.test(name));
  if (known) return known[0];
  const meant = ["impression", "findings", "comparison"].find((word) => isOneSlipFrom(name, word));
  if (meant) return meant;
  return VIEW.test(name) && !/indication|technique|exam|reason|notification|recommendation/.test(name)
    ? "findings"
    : name;
}

/**
 * The sections of a report, by rules of our own: a heading stands at the start of a line up to a colon, in capitals, or in any
 * letters if it is a common one; one that says how the film was taken ("PA AND LATERAL CHEST RADIOGRAPH") opens the findings,
 * and one letter wrong is read as what was meant. A section that comes twice is joined. Of a report with neither findings nor
 * impression, what follows the first paragraph of its last section is the `last_paragraph`.
 *
 * How far this agrees with MIT-LCP's parser of MIMIC-CXR is measured in docs/fidelity.md.
 *
 * @returns Texts by name, white space collapsed.
 */
export function reportSections(report: string): Record<string, string> {
  checkValue("read a report", "it", report, TEXT);
  const parts = [{ name: "preamble", start: 0, text: "" }];
  let end = 0;
  for (const { 0: match, 1: heading, index } of report.matchAll(HEADING)) {
    const last = parts.at(-1)!;
    const name = sectionName(heading!);
    last.text = report.slice(last.start, index);
    // "FINDINGS:" alone on its line, then "AP VIEW:": the view is the first word of the findings.
    if (name === "findings" && ["findings", "impression"].includes(last.name) && !last.text.trim()) continue;
    parts.push({ name, start: end = index + match.length, text: "" });
  }
  const last = parts.at(-1)!;
  last.text = report.slice(end);
  const tell = (name: string): boolean => parts.some((part) => part.name === name && part.text.trim() !== "");
  if (!tell("findings") && !tell("impression")) {
    const [first = "", ...rest] = last.text.trim().split(/\n[ \t]*\n/);
    if (rest.length) parts.push({ name: "last_paragraph", start: 0, text: rest.join("\n") });
    last.text = first;
  }
  const sections: Record<string, string> = {};
  for (const { name, text } of parts) {
    const words = text.replace(/_{5,}/g, " ").replace(/\s+/g, " ").trim();
    if (words && name !== "preamble") sections[name] = sections[name] ? `${sections[name]} ${words}` : words;
  }
  return sections;
}

/** Gives the sections of a study, or undefined when there is no report. */
export type ReportSource = (
  study: { studyId: string; patientId: string },
) => Promise<Record<string, string> | undefined>;

/** Folder of a patient's study in MIMIC-CXR: `files/p10/p10000032/s50414267`. */
export function studyFolder(study: { studyId: string; patientId: string }): string {
  return `files/p${study.patientId.slice(0, 2)}/p${study.patientId}/s${study.studyId}`;
}

/**
 * The reports of MIMIC-CXR: `mimic_cxr_sectioned.csv` (study, findings, impression ...) if it is below `root`, else the
 * text files `files/p10/p10000032/s50414267.txt` there or in `mimic-cxr-reports`.
 *
 * @param root Folder of the table or of the text files.
 * @throws {SyntaxError} If the table has no column "study", or a study twice.
 */
export async function openReports(root: string): Promise<ReportSource> {
  const path = await findFileOrNone(root, ["mimic_cxr_sectioned.csv", "mimic-cxr-sectioned.csv"]);
  if (path === undefined) {
    return async (study) => {
      for (const folder of [root, join(root, "mimic-cxr-reports")]) {
        try {
          return reportSections(await Deno.readTextFile(join(folder, `${studyFolder(study)}.txt`)));
        } catch (error) {
          if (!(error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory)) throw error;
        }
      }
      return undefined;
    };
  }
  const table = await readCsv(path);
  const study = table.column("study");
  const rows = new Map<string, readonly string[]>();
  for (const [row, cells] of table.rows.entries()) {
    const id = cells[study]!.replace(/^s/, "");
    if (rows.has(id)) {
      throw new SyntaxError(
        `Cannot read "${path}" row ${rowNumber(row)} as a study must be there once: "${cells[study]}" was before`,
      );
    }
    rows.set(id, cells);
  }
  return ({ studyId }) => {
    const cells = rows.get(studyId);
    if (!cells) return Promise.resolve(undefined);
    const sections: Record<string, string> = {};
    table.columns.forEach((name, i) => {
      const text = cells[i]!.replace(/\s+/g, " ").trim();
      if (name !== "study" && text) sections[name] = text;
    });
    return Promise.resolve(sections);
  };
}
