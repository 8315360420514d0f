/**
 * The parts of docs/ that are generated: `<!-- NAME: ... -->` to `<!-- /NAME -->`. After a change of what they are made from:
 *
 *     deno task names
 *
 * Reproduced tables come from data/reproduction.json, which `deno task report --keep data/reproduction.json` writes.
 *
 * @module
 */
import { type Command, HELP } from "../../lib/cli/command.ts";
import { mayWrite, PERMISSIONS } from "../../lib/cli/permissions.ts";
import { DATASETS } from "../../lib/data/registry.ts";
import { parseRunRecord } from "../../lib/display/records.ts";
import { resultsTable } from "../../lib/display/results.ts";
import { markdownTable } from "../../lib/display/table.ts";
import { parseKept } from "../../lib/reproduction/files.ts";
import { resultsMarkdown } from "../../lib/reproduction/report.ts";

const ROOT = new URL("../../", import.meta.url);

/** Text of a file of the repository. */
export function textOf(path: string): Promise<string> {
  return Deno.readTextFile(new URL(path, ROOT));
}

/** Not markdownTable(): it escapes what is meant as code. */
function rows(head: string, body: readonly (readonly string[])[]): string {
  const width = head.split("|").length;
  const cell = (text: string): string => text.replaceAll("|", "\\|");
  return [`| ${head} |`, `|${" --- |".repeat(width)}`, ...body.map((row) => `| ${row.map(cell).join(" | ")} |`)].join(
    "\n",
  );
}

/** `<` would begin a tag, and `{{` an expression of the site's generator. */
function prose(text: string): string {
  return text.replaceAll("<", "&lt;").replaceAll("*", "\\*");
}

async function commandParts(): Promise<string> {
  const commands = await Promise.all(
    Object.keys(PERMISSIONS).map(async (name) => (await import(`../../lib/cli/${name}.ts`)).COMMAND as Command),
  );
  return commands.map(({ name, summary, positionals, options, example }) => {
    const [line, ...notes] = example.split("\n\n");
    const body = Object.entries({ ...options, help: HELP }).map(([option, { value, short, help }]) => [
      `\`--${option}${value === undefined ? "" : ` ${value}`}\`${short ? `, \`-${short}\`` : ""}`,
      prose(help),
    ]);
    return [
      `## ${name}`,
      "",
      `${prose(summary)}. \`deno task ${name} [options]${positionals ? ` ${positionals}` : ""}\` ${
        mayWrite(name, options)
      }`,
      "",
      rows("option | what it says", body),
      "",
      ...["```text", line!.split("\n").map((text) => text.trim()).join("\n"), "```"],
      ...notes.flatMap((note) => ["", "```text", note, "```"]),
    ].join("\n");
  }).join("\n\n");
}

/** What stands in each part, by page and name. */
export async function generatedParts(): Promise<Record<string, Record<string, string>>> {
  const { tasks } = JSON.parse(await textOf("deno.json")) as { tasks: Record<string, { description: string }> };
  const [demo, kept] = ["data/demo_metrics.json", "data/reproduction.json"] as const;
  return {
    "docs/commands.md": {
      tasks: rows(
        "task | what it does",
        Object.entries(tasks).map(([name, task]) => [`\`${name}\``, task.description]),
      ),
      commands: await commandParts(),
    },
    "docs/weights.md": {
      layouts: rows(
        "name | splits, the paper's first | files",
        Object.entries(DATASETS).filter(([name]) => !["pairs", "folder"].includes(name))
          .map(([name, { splits, layout }]) => [`\`${name}\``, splits.join(", ") || "the whole", `\`${layout}\``]),
      ),
    },
    "docs/results.md": {
      demo: markdownTable(resultsTable(parseRunRecord(await textOf(demo), demo))),
      reproduce: resultsMarkdown(parseKept(await textOf(kept), kept)),
    },
  };
}

/** The text with a part replaced. */
export function withPart(text: string, name: string, body: string): string {
  const pattern = new RegExp(`(<!-- ${name}: [^>]*-->\\n)[\\s\\S]*?(<!-- /${name} -->)`);
  if (!pattern.test(text)) throw new Error(`Cannot find the part <!-- ${name}: ... --> to <!-- /${name} -->`);
  return text.replace(pattern, (_, open: string, close: string) => `${open}\n${body.trim()}\n\n${close}`);
}

if (import.meta.main) {
  for (const [page, parts] of Object.entries(await generatedParts())) {
    const before = await textOf(page);
    const after = Object.entries(parts).reduce((text, [name, body]) => withPart(text, name, body), before);
    await Deno.writeTextFile(new URL(page, ROOT), after);
  }
}
