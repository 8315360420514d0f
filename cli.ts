/**
 * The command line: `deno task <command> [options]`, or `deno run cli.ts <command> [options]`.
 *
 * Every command reads and writes only the paths it is given, and needs no network.
 *
 * @module
 */
import { readVariable } from "./lib/platform/variables.ts";
import { type Arguments, type Command, UsageError } from "./lib/cli/command.ts";
import { parseCommandLine } from "./lib/cli/command_line.ts";
import { hangingRows, helpText } from "./lib/cli/help.ts";
import { checkOutputs } from "./lib/cli/permissions.ts";
import { abortRanks, endUnjoined, leaveRanks } from "./lib/cli/ranks.ts";
import { watchTaskRunner } from "./lib/cli/interrupt.ts";
import { errorLine, guardTerminal } from "./lib/cli/printable.ts";
import { outputColumns } from "./lib/display/terminal.ts";
import { nearest } from "./lib/platform/nearest.ts";
import { errorMessage } from "./lib/platform/error_message.ts";

const COMMANDS: Record<string, () => Promise<{ COMMAND: Command }>> = {
  demo: () => import("./lib/cli/demo.ts"),
  train: () => import("./lib/cli/train.ts"),
  evaluate: () => import("./lib/cli/evaluate.ts"),
  classify: () => import("./lib/cli/classify.ts"),
  encode: () => import("./lib/cli/encode.ts"),
  explain: () => import("./lib/cli/explain.ts"),
  probe: () => import("./lib/cli/probe.ts"),
  cache: () => import("./lib/cli/cache.ts"),
  retrieve: () => import("./lib/cli/retrieve.ts"),
  doctor: () => import("./lib/cli/doctor.ts"),
  inspect: () => import("./lib/cli/inspect.ts"),
  convert: () => import("./lib/cli/convert.ts"),
  export: () => import("./lib/cli/export.ts"),
  tokenize: () => import("./lib/cli/tokenize.ts"),
  segment: () => import("./lib/cli/segment.ts"),
  detect: () => import("./lib/cli/detect.ts"),
  pretrain: () => import("./lib/cli/pretrain.ts"),
  reproduce: () => import("./lib/cli/reproduce.ts"),
  report: () => import("./lib/cli/report.ts"),
};

async function overview(): Promise<string> {
  const commands = await Promise.all(Object.values(COMMANDS).map(async (load) => (await load()).COMMAND));
  return [
    "ACE-LoRA for Deno: adapts medical vision-language models and evaluates them zero-shot.",
    "",
    "Usage: deno task <command> [options]",
    "",
    ...hangingRows(commands.map(({ name, summary }) => [name, summary]), outputColumns()),
    "",
    "deno task <command> --help tells more.",
  ].join("\n");
}

/** Where the user stands: `deno task` runs a command in the folder of deno.json, and says where it was called. */
function enterUsersFolder(): void {
  const folder = readVariable("INIT_CWD");
  if (folder !== undefined) Deno.chdir(folder);
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    console.log(await overview());
    return name === undefined ? 1 : 0;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!load) {
    const meant = nearest(name, Object.keys(COMMANDS));
    const remedy = meant === undefined
      ? `type deno task and one of ${Object.keys(COMMANDS).join(", ")}`
      : `did you mean "${meant}"? Type deno task ${meant}`;
    console.error(`error: ${errorLine(`Unknown command "${name}": ${remedy}`)}`);
    return 1;
  }
  let parsed: Arguments | undefined;
  try {
    const { COMMAND } = await load();
    parsed = parseCommandLine(COMMAND, rest);
    if (parsed.flag("help")) {
      console.log(helpText(COMMAND, outputColumns()));
      return 0;
    }
    await checkOutputs(name, parsed);
    const code = await COMMAND.run(parsed) ?? 0;
    leaveRanks();
    return code;
  } catch (error) {
    const message = errorMessage(error);
    // It knows the whole library's errors, which a help and a mistyped option need not load.
    const remedy = parsed && await (await import("./lib/cli/advice.ts")).advice(error, parsed);
    const line = errorLine(remedy ? `${message}; ${remedy}` : message);
    abortRanks(line, 1);
    console.error(`error: ${line}`);
    if (error instanceof UsageError) console.error(`deno task ${name} --help lists the options`);
    return 1;
  }
}

if (import.meta.main) {
  guardTerminal();
  enterUsersFolder();
  watchTaskRunner();
  const code = await main(Deno.args);
  if (code !== 0) endUnjoined(code);
  Deno.exit(code);
}
