/** A command's help. @module */
import { wrapped } from "../display/terminal.ts";
import { type Command, HELP, optionWord } from "./command.ts";

/** Rows of two columns; what is too long for a line goes on below where it begins. */
export function hangingRows(rows: readonly (readonly [string, string])[], columns: number): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  const indent = " ".repeat(width + 4);
  return rows.map(([name, text]) =>
    `  ${name.padEnd(width)}  ${wrapped(text, columns - indent.length).replaceAll("\n", `\n${indent}`)}`
  );
}

/** A command's help text, for so many columns. */
export function helpText(command: Omit<Command, "run">, columns = Infinity): string {
  const rows = Object.entries({ ...command.options, help: HELP }).map(([name, option]) => {
    return [`${option.short ? `-${option.short}, ` : "    "}${optionWord(name, option)}`, option.help] as const;
  });
  return [
    `${command.summary}`,
    "",
    `Usage: deno task ${command.name} [options]${command.positionals ? ` ${command.positionals}` : ""}`,
    "",
    ...hangingRows(rows, columns),
    "",
    "Example:",
    `  ${command.example}`,
  ].join("\n");
}
