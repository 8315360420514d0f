/** The parts of a report on the paper's tables. @module */
import type { ReportSection } from "../display/sections.ts";
import { runOverlays } from "./figures.ts";
import type { Gathered } from "./files.ts";
import type { TableName } from "./plan.ts";
import type { ReproduceRecord } from "./record.ts";
import { type Row, tableRuns } from "./summary.ts";
import { reproducedTables, TABLES, verdicts } from "./tables/registry.ts";
import { table4Overlays } from "./tables/table4/examples.ts";
import type { Table4Run } from "./tables/table4/run.ts";

/** What the tables are of. */
export function introduction({ records }: Gathered): string[] {
  const seeds = [...new Set(records.map(({ seed }) => seed))].sort((a, b) => a - b);
  const sets = records.flatMap((record) => Object.values(record.sets));
  const synthetic = sets.length > 0 && sets.some((set) => set.synthetic);
  return [
    `${records.length} runs under the seeds ${
      seeds.join(", ") || "(none)"
    }. Each row shows mean and standard deviation over ` +
    "its seeds: these change new weights, the order of the pairs and dropout, while the pairs and the held-out cases stay the same.",
    ...(synthetic
      ? [
        "Sets marked synthetic are generated drawings, and the model adapted to them is a small generalist pre-trained on drawings. " +
        "Their figures say how the methods behave on this toy world; they are no evidence about patients and not comparable with " +
        "the paper's.",
      ]
      : []),
    'The paper\'s figures stand beside the measured ones where they are known; "not published here" means that no figure for that ' +
    "cell was at hand, not that there is none.",
  ];
}

/** A table's figures, in words and in pictures. */
export async function tableSections(records: readonly ReproduceRecord[], table: TableName): Promise<ReportSection[]> {
  const rows = tableRuns(records, table);
  if (rows.length === 0) return [];
  const tables = reproducedTables(records, [table]);
  const sentences = verdicts(rows);
  return [
    ...tables.map((titled): ReportSection => ({ kind: "table", ...titled })),
    ...(sentences.length > 0 ? [{ kind: "prose", text: sentences } satisfies ReportSection] : []),
    ...TABLES[table].illustrate?.(rows) ?? [],
    ...(table === "table1" ? await overlaySections(rows) : []),
  ];
}

/** What the heads of table 4 answer. */
export async function denseSections(dense: readonly Table4Run[]): Promise<ReportSection[]> {
  const [{ seed, result }] = dense as readonly [Table4Run];
  const overlays = await table4Overlays(result);
  if (overlays.length === 0) return [];
  return [{
    kind: "overlays",
    title: `What the heads answer, all labels, seed ${seed}`,
    caption: "Test images that no head has seen. Orange is the prediction, blue the truth.",
    overlays,
    synthetic: true,
  }];
}

async function overlaySections(rows: readonly Row[]): Promise<ReportSection[]> {
  const run = rows.flatMap(({ runs }) => runs).find(({ explained }) => explained !== undefined);
  const overlays = run ? await runOverlays(run) : [];
  if (overlays.length === 0) return [];
  return [{
    kind: "overlays",
    title: `What ${run!.label} looks at, seed ${run!.seed}`,
    caption: "Heat: attention logits of the CLS query. Squares: members of the CLS hyperedge. " +
      "Rings and lines: each member's own hyperedge, by cosine similarity.",
    overlays,
    synthetic: true,
  }];
}

/** Facts of all runs together. */
export function runFacts(records: readonly ReproduceRecord[]): Record<string, string | number> {
  const all = (of: (record: ReproduceRecord) => string): string => [...new Set(records.map(of))].join("; ");
  const own = records.filter(({ same_as }) => same_as === undefined);
  const splits = Object.fromEntries(
    records.flatMap(({ sets }) =>
      Object.entries(sets).map(([name, { split }]) => [name, `${split.size} cases, sha256 ${split.hash.slice(0, 16)}`])
    ),
  );
  const model = ({ configuration: { model: { name, sha256 } } }: ReproduceRecord): string =>
    `${name}, sha256 ${sha256.slice(0, 16)}`;
  return {
    "runs": `${own.length} carried out, ${records.length - own.length} shared between tables`,
    "scale": all(({ configuration }) => String(configuration["scale"])),
    "training seconds in all": Math.round(own.reduce((sum, { seconds }) => sum + seconds, 0)),
    "backend": all(({ backend, adapter }) => `${backend} (${adapter})`),
    "model": all(model),
    "revision": all(({ revision }) => revision ?? "unknown"),
    "versions": all(({ versions }) => Object.entries(versions).map(([name, text]) => `${name} ${text}`).join(", ")),
    ...splits,
  };
}
