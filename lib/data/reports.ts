/** Radiology reports: the findings and the impression out of a text or a table. @module */
import { join } from "@std/path";
import { readCsv } from "./csv.ts";
import { findFileOrNone } from "./dataset.ts";

/** Headings that mean the same section. */
const NAMES: Readonly<Record<string, string>> = {
  FINDING: "findings",
  FINDINGS: "findings",
  "FINDINGS AND IMPRESSION": "findings",
  "FINDINGS/IMPRESSION": "findings",
  IMPRESSION: "impression",
  IMPRESSIONS: "impression",
  "IMPRESSION AND RECOMMENDATION": "impression",
  CONCLUSION: "impression",
  CONCLUSIONS: "impression",
};

/**
 * The sections of a report: a heading is capitals at the start of a line up to a colon. Names are lower case, texts with
 * their white space collapsed; a section that comes twice is joined.
 *
 * @returns Texts by name; "findings" and "impression" also for their variants, such as "CONCLUSION".
 */
export function reportSections(report: string): Record<string, string> {
  const sections: Record<string, string> = {};
  const headings = [...report.matchAll(/^[ \t]*([A-Z][A-Z ()/,-]*[A-Z)]):(?=\s|$)/gm)];
  headings.forEach((heading, i) => {
    const name = NAMES[heading[1]!] ?? heading[1]!.toLowerCase();
    const text = report.slice(heading.index + heading[0].length, headings[i + 1]?.index).replace(/\s+/g, " ").trim();
    if (text) sections[name] = sections[name] ? `${sections[name]} ${text}` : text;
  });
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
 * @throws {SyntaxError} If the table has no column "study".
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
  const rows = new Map(table.rows.map((cells) => [cells[study]!.replace(/^s/, ""), cells]));
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
