/** Commands in files of their own, beside cli.ts: the same help, the same refusals, one line for what went wrong. @module */
import { outputColumns } from "../display/terminal.ts";
import { type Arguments, type Command, UsageError } from "./command.ts";
import { parseCommandLine } from "./command_line.ts";
import { helpText } from "./help.ts";
import { errorLine, guardTerminal } from "./printable.ts";
import { errorMessage } from "../platform/error_message.ts";

/** The process's line as the command reads it; the process ends here after its help or a mistake. */
function commandLine(command: Omit<Command, "run">): Arguments {
  guardTerminal();
  try {
    const args = parseCommandLine(command, Deno.args);
    if (!args.flag("help")) return args;
    console.log(helpText(command, outputColumns()));
  } catch (error) {
    endWith(command, error);
  }
  Deno.exit(0);
}

/** Runs the command on the process's line, and ends the process. */
export async function runStandalone(command: Command): Promise<never> {
  const args = commandLine(command);
  try {
    Deno.exit(await command.run(args) ?? 0);
  } catch (error) {
    endWith(command, error);
  }
}

function endWith({ name }: Pick<Command, "name">, error: unknown): never {
  console.error(`error: ${errorLine(errorMessage(error))}`);
  if (error instanceof UsageError) console.error(`deno task ${name} --help lists the options`);
  Deno.exit(1);
}
