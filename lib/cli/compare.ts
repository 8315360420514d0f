/** `evaluate --compare A B`: two runs on the same cases. @module */
import { basename, dirname, join } from "@std/path";
import { comparisonTable } from "../display/evaluation_tables.ts";
import { buildReport } from "../display/report.ts";
import { parseRunRecord } from "../display/records.ts";
import { METRICS_SCHEMA } from "../display/results.ts";
import { formatTable } from "../display/table.ts";
import { comparePredictions } from "../eval/evaluation/compare.ts";
import { overlaidRocs } from "../eval/evaluation/figures.ts";
import { predictionParts, type Predictions, readPredictions } from "../eval/evaluation/predictions.ts";
import { hashPath } from "../io/hash_path.ts";
import { gitRevision, versions } from "../io/run_facts.ts";
import { type Arguments, UsageError } from "./command.ts";
import { writeResults } from "./output.ts";
import { checkPath } from "./paths.ts";

/** Compares the two lists of predictions named and writes comparison.json and comparison.html. */
export async function compareRuns(args: Arguments, out: string): Promise<void> {
  const [first, second, ...rest] = args.positionals;
  if (first === undefined || second === undefined || rest.length > 0) {
    throw new UsageError("--compare needs two files, such as A/predictions.csv B/predictions.csv");
  }
  const paths = [first, second] as const;
  const read = async (path: string): Promise<Predictions> => {
    const { isDirectory } = await checkPath(path);
    return predictionParts(await readPredictions(isDirectory ? join(path, "predictions.csv") : path)).judged;
  };
  const [a, b] = [await read(first), await read(second)];
  const options = { resamples: args.number("resamples", 1000), seed: args.number("seed", 1) };
  const comparison = comparePredictions(a, b, options);
  const names = runNames(first, second);
  const notices = [...new Set((await Promise.all(paths.map(noticesBeside))).flat())];
  for (const notice of notices) console.error(notice);
  const record = {
    schema: METRICS_SCHEMA,
    command: "evaluate --compare",
    ...options,
    runs: await Promise.all(paths.map(async (path) => ({ path, sha256: await hashPath(path) }))),
    ...(notices.length > 0 ? { notices } : {}),
    comparison,
    versions: versions(),
    revision: await gitRevision(),
  };
  const table = comparisonTable(comparison, names);
  const page = await buildReport({
    title: args.text("title") ?? `${names[0]} against ${names[1]}`,
    subtitle: `${comparison.cases.toLocaleString("en-GB")} cases scored by both.`,
    warnings: notices,
    sections: [{ kind: "table", title: "Differences", table }, ...overlaidRocs([a, b], names)],
  });
  await writeResults(args, out, {
    record: ["comparison.json", record],
    files: { "comparison.html": page },
    text: formatTable(table),
  });
}

/** What must be said of the model that a list of predictions is of, and of its figures, as the record beside it says. */
async function noticesBeside(path: string): Promise<readonly string[]> {
  const metrics = join(path.endsWith(".csv") ? dirname(path) : path, "metrics.json");
  const text = await Deno.readTextFile(metrics).catch(() => undefined); // predictions may be of any program
  if (text === undefined) return [];
  const { configuration, warnings = [] } = parseRunRecord(text, metrics);
  const notice = (configuration?.["model"] as { notice?: unknown } | undefined)?.notice;
  return [...(typeof notice === "string" ? [notice] : []), ...warnings];
}

/** What two runs are called: their folders' names where these differ, else their paths. */
function runNames(first: string, second: string): [string, string] {
  const folder = (path: string): string => basename(path.endsWith(".csv") ? dirname(path) : path);
  const names: [string, string] = [folder(first), folder(second)];
  return names[0] === names[1] ? [first, second] : names;
}
