/** `deno task report`: all results in one page. @module */
import { writeFileAtomic } from "../io/files.ts";
import { gatherResults } from "../tasks/reproduce/gather.ts";
import { keptRecords, reproductionMarkdown, reproductionReport } from "../tasks/reproduce/report.ts";
import { type Command, UsageError } from "./command.ts";

/** The command. */
export const COMMAND: Command = {
  name: "report",
  summary: "Gather the results of a folder into one self-contained page, and its tables as Markdown",
  options: {
    in: { type: "string", value: "DIR", help: "Folder of results, searched at any depth (default: results)" },
    out: {
      type: "string",
      value: "FILE",
      help: "Page to write; the tables go beside it as .md (default: report.html)",
    },
    keep: { type: "string", value: "FILE", help: "Also write the reproduction's records, small enough to commit" },
  },
  example: "deno task report --in results --out report.html",
  async run(args) {
    const folder = args.text("in") ?? "results";
    const out = args.text("out") ?? "report.html";
    if (!out.endsWith(".html")) throw new UsageError(`--out must end in .html: current value is "${out}"`);
    const results = await gatherResults(folder);
    const { records, dense, others, passedOver } = results;
    const runs = records.length + dense.length;
    for (const path of passedOver) console.error(`passed over, as it is no result: ${path}`);
    if (runs + others.length === 0) {
      throw new RangeError(
        `Cannot report on "${folder}" as it must hold results: found none; deno task reproduce makes some`,
      );
    }
    const markdown = out.replace(/\.html$/, ".md");
    await writeFileAtomic(out, await reproductionReport(results));
    await writeFileAtomic(markdown, reproductionMarkdown(results));
    const kept = args.text("keep");
    if (kept !== undefined) {
      await writeFileAtomic(
        kept,
        `[\n${keptRecords(records).map((record) => JSON.stringify(record)).join(",\n")}\n]\n`,
      );
    }
    console.log(`${runs} runs and ${others.length} other results: wrote ${out} and ${markdown}`);
  },
};
