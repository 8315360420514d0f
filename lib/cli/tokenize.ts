/** `deno task tokenize`: lines of text in, JSON arrays of ids out. @module */
import { tokenizeLines } from "../text/lines.ts";
import { loadTokenizer } from "../text/load_tokenizer.ts";
import { CONTEXT_LENGTH } from "../text/tokenizer.ts";
import { checkPath } from "./paths.ts";
import type { Command } from "./command.ts";

export const COMMAND: Command = {
  name: "tokenize",
  summary: "Token ids of each line of standard input, one JSON array a line",
  options: {
    tokenizer: { value: "FILE", help: "tokenizer.json or vocab.txt" },
    "context-length": {
      value: "N",
      number: { whole: true, least: 2 },
      help: `Ids a line, [CLS] and [SEP] included (default: ${CONTEXT_LENGTH})`,
    },
    "no-pad": { help: "Leave out the padding after [SEP]" },
  },
  example: "echo 'No focal consolidation.' | deno task tokenize --tokenizer data/mini_vocab.txt --context-length 16",
  async run(args) {
    const path = args.required("tokenizer");
    const contextLength = args.number("context-length", CONTEXT_LENGTH);
    await checkPath(path);
    const tokenizer = await loadTokenizer(path);
    const lines = tokenizeLines(tokenizer, Deno.stdin.readable, { contextLength, pad: !args.flag("no-pad") });
    const encoder = new TextEncoder();
    try {
      for await (const line of lines) await writeOut(encoder.encode(`${line}\n`));
    } catch (error) {
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error; // the reader has had enough
    }
  },
};

async function writeOut(bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await Deno.stdout.write(bytes.subarray(done));
}
