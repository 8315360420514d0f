/** `deno task inspect`: what a file is. @module */
import { describeImage, type ImageDescription, isImage } from "../image/describe.ts";
import { readImage, whatItIs } from "../image/read.ts";
import { isShardIndex } from "../io/shards.ts";
import { describeTensors, formatTensors, type TensorsDescription } from "../adapters/describe.ts";
import { type CsvDescription, describeCsv } from "../data/csv.ts";
import { loadTokenizer } from "../text/load_tokenizer.ts";
import { errorLine, printable } from "./printable.ts";
import { checkPath, namesIn } from "./paths.ts";
import { listed } from "../platform/nearest.ts";
import { type Command, UsageError } from "./command.ts";
import { errorMessage } from "../platform/error_message.ts";

/** An image file. */
interface ImageFile extends ImageDescription {
  /** File. */
  path: string;
}

/** A tokeniser file. */
interface TokenizerFile {
  /** File. */
  path: string;
  /** Always `tokenizer`. */
  format: "tokenizer";
  /** Entries of the vocabulary. */
  vocabulary: number;
  /** Ids of the special tokens. */
  special: Record<string, number>;
}

type Description = ImageFile | TokenizerFile | TensorsDescription | CsvDescription;

export const COMMAND: Command = {
  name: "inspect",
  summary: "What a file is: weights, adapters, images, DICOM, tables, tokenisers",
  positionals: "FILE|FOLDER...",
  options: { json: { help: "One JSON object a file, one file a line" } },
  example: "deno task inspect data/mini_generalist.safetensors",
  async run(args) {
    if (args.positionals.length === 0) throw new UsageError("name at least one file");
    let failed = 0;
    for (const path of args.positionals) {
      try {
        const description = await describe(path);
        console.log(args.flag("json") ? JSON.stringify(description) : format(description));
      } catch (error) {
        failed++; // the other files are still told
        console.error(`error: ${errorLine(errorMessage(error))}`);
      }
    }
    return failed > 0 ? 1 : 0;
  },
};

/** Describes a model's or an adapter's folder; of another it says which files there are to name. */
async function describeFolder(path: string): Promise<TensorsDescription> {
  try {
    return await describeTensors(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const names = await namesIn(path);
    const advice = names.length === 0 ? "" : `; name one of its files: it holds ${listed(names.sort(), 6)}`;
    throw new Error(
      `Cannot read "${path}" as it must be a model's or an adapter's folder, or a file: ${
        names.length === 0 ? "it is empty" : "it has neither's files"
      }${advice}`,
      { cause: error },
    );
  }
}

/** Describes a file by its content, whatever its name. */
async function describe(path: string): Promise<Description> {
  const { isDirectory } = await checkPath(path);
  if (isDirectory) return await describeFolder(path);
  const head = await firstBytes(path);
  const text = new TextDecoder("latin1").decode(head);
  const isSafetensors = head[8] === 0x7b && !text.startsWith("DICM", 128); // else a header's length may look like a bare DICOM
  if (!isSafetensors && isImage(head)) {
    const description = await describeImage(path);
    return { path, ...description, pixelSha256: description.pixelSha256 ?? await pixelSha256(path) };
  }
  const isWeights = isSafetensors || head[0] === 0x80 || /^(PK|<|version https:\/\/git-lfs)/.test(text) ||
    text.startsWith("ustar", 257);
  if (isWeights || head.length === 0 || isShardIndex(path)) return await describeTensors(path);
  const isGzip = head[0] === 0x1f && head[1] === 0x8b;
  if (!isGzip && (text.includes("\0") || !isText(head))) {
    throw new SyntaxError(
      `Cannot read "${path}" as it must be weights, an adapter, a JPEG, PNG, TIFF, WebP or DICOM, a CSV or a tokeniser: it is ${
        whatItIs(head)
      }`,
    );
  }
  if (text.trimStart().startsWith("{") || /(^|\n)\[CLS\]\r?\n/.test(text)) {
    const { model, special } = await loadTokenizer(path);
    return { path, format: "tokenizer", vocabulary: model.vocab.size, special: Object.fromEntries(special) };
  }
  return await describeCsv(path);
}

/** Whether the start of a file is UTF-8; a character may be cut at its end. */
function isText(head: Uint8Array): boolean {
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(head, { stream: true });
    return true;
  } catch {
    return false;
  }
}

async function firstBytes(path: string): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const head = new Uint8Array(65536);
  let size = 0;
  for (let read: number | null; size < head.length && (read = await file.read(head.subarray(size))) !== null;) {
    size += read;
  }
  return head.subarray(0, size);
}

/** SHA-256 of the decoded pixels, 16-bit samples little-endian. */
async function pixelSha256(path: string): Promise<string> {
  const { data } = await readImage(path);
  const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

function format(description: Description): string {
  if ("tensors" in description) return formatTensors({ ...description, path: printable(description.path) });
  const { path, format: kind, ...fields } = description;
  return [`${printable(path)}: ${kind}`, ...Object.entries(fields).map(([name, value]) => `  ${name}: ${shown(value)}`)]
    .join("\n");
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return printable(value.join(", "));
  return typeof value === "object" ? JSON.stringify(value) : printable(String(value));
}
