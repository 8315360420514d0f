/** `deno task report`: all results in one page. @module */
import { checkWritable, exists, writeFileAtomic } from "../io/files.ts";
import { keptRecords, writeReport } from "../reproduction/report.ts";
import { defined } from "../platform/defined.ts";
import { type Command, UsageError } from "./command.ts";
import { checkPath } from "./paths.ts";

export const COMMAND: Command = {
  name: "report",
  summary: "Gather the results of a folder into one self-contained page, and its tables as Markdown",
  options: {
    in: { value: "DIR", help: "Folder of results, searched at any depth (default: results)" },
    out: { value: "FILE", help: "Page to write; the tables go beside it as .md (default: report.html)" },
    title: { value: "TEXT", help: "Heading of the page (default: that of the paper's tables, or Runs)" },
    compare: {
      value: "LIST",
      help: "Runs of evaluate to compare with tests, by their folders: the first with each other one",
    },
    keep: { value: "FILE", help: "Also write the reproduction's records, small enough to commit" },
  },
  example: "deno task report --in results --out report.html",
  async run(args) {
    const folder = args.text("in") ?? "results";
    const out = args.text("out") ?? "report.html";
    if (!out.endsWith(".html")) throw new UsageError(`--out must end in .html: current value is "${out}"`);
    const kept = args.text("keep");
    for (const path of [out, ...(kept === undefined ? [] : [kept])]) await checkWritable(path);
    if (args.text("in") === undefined && !await exists(folder)) {
      throw new UsageError(`no folder "results" is here: --in DIR names the folder of results`);
    }
    await checkPath(folder);
    const [title, compare] = [args.text("title"), args.list("compare")];
    if (compare?.length === 1) throw new UsageError("--compare needs two runs or more, such as --compare first,second");
    const { results, markdown, ofPatients } = await writeReport(folder, out, defined({ title, compare }));
    const { records, dense, others, heads, trainings, passedOver } = results;
    for (const path of passedOver) console.error(`passed over, as it is no result that a report shows: ${path}`);
    if (kept !== undefined) {
      const lines = [...keptRecords(records), ...dense].map((record) => JSON.stringify(record));
      await writeFileAtomic(kept, `[\n${lines.join(",\n")}\n]\n`, { isPrivate: ofPatients });
    }
    const runs = records.length + dense.length;
    console.log(
      `${runs} runs and ${others.length + heads.length + trainings.length} other results: wrote ${out} and ${markdown}`,
    );
  },
};
