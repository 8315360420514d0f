/** Reads and writes adapters in three layouts: this package's, PEFT's and the authors'. @module */
import { basename, dirname, join } from "@std/path";
import { ACE_FORMAT, readAceAdapter, writeAceAdapter } from "./ace.ts";
import { readAuthorsAdapter, type TowerDepths, writeAuthorsAdapter } from "./authors.ts";
import { peftModelFile, readPeftAdapter, writePeftAdapter } from "./peft.ts";
import { type AdapterFile, checkAdapter, refuseHead } from "./record.ts";
import { quoted } from "../io/_errors.ts";
import { openTensorFile } from "../io/open.ts";
import type { TensorFile } from "../io/tensor_file.ts";
import { system } from "../platform/system.ts";
import { checkOptions, FLAG, needed, oneOf, RECORD, type Rules } from "../platform/options.ts";

/** Layout of an adapter: this package's safetensors file, PEFT's folder, or the authors' PyTorch file. */
export type AdapterFormat = "ace" | "peft" | "authors";

/** All of them. */
export const ADAPTER_FORMATS: readonly AdapterFormat[] = ["ace", "peft", "authors"];

/** How an adapter is written. */
export interface WriteAdapterOptions {
  /** Layout. */
  format: AdapterFormat;
  /** PEFT only: whether the ViT's updates go to timm's fused `attn.qkv`, with three times the rank. @default {false} */
  fusedQkv?: boolean;
}

/** What they must be. */
const WRITE_RULES: Rules<WriteAdapterOptions> = { format: needed(oneOf(ADAPTER_FORMATS)), fusedQkv: FLAG };

async function isFile(path: string): Promise<boolean> {
  return await system.stat(path).then((info) => info.isFile, () => false);
}

/** Options of {@linkcode readAdapter}. */
export interface ReadAdapterOptions {
  /** Layers of the towers of the model it is for: the authors' files name layers by thirds and halves. @default {twelve each} */
  depths?: TowerDepths;
}

/** What they must be. */
const READ_RULES: Rules<ReadAdapterOptions> = { depths: RECORD };

/** The error for a file of tensors that is no adapter. */
export class NotAnAdapterError extends SyntaxError {
  /** Name shown in stack traces. */
  override name = "NotAnAdapterError";
  /** The file. */
  readonly path: string;
  /** How many tensors it has. */
  readonly tensors: number;
  /** What it says that it is, where it does. */
  readonly format: string | undefined;

  /**
   * An error about a file.
   *
   * @param path The file.
   * @param tensors How many tensors it has.
   * @param format What it says that it is, where it does.
   */
  constructor(path: string, tensors: number, format?: string) {
    const said = format === undefined ? "" : `; it says that it is ${quoted(format)}`;
    const reader = format?.startsWith("ace-lora fine-tuning ") ? ", which loadPeft() reads" : "";
    super(
      `Cannot read "${path}" as an adapter: it has ${tensors} tensors, none under an adapter's names${said}${reader}`,
    );
    this.path = path;
    this.tensors = tensors;
    this.format = format;
  }
}

/** Which layout an open file has, or undefined when it is no adapter. */
export function adapterFormat(file: TensorFile): AdapterFormat | undefined {
  if (file.format === "safetensors" && file.metadata["format"] === ACE_FORMAT) return "ace";
  const names = [...file.entries.keys()];
  if (names.length && names.every((name) => /\.lora_[AB]\.weight$/.test(name))) return "peft";
  const isAuthors = names.some((name) => /^weights\.(layer_\d+\.|(img|text)_(edge|node)_adapter\.)/.test(name));
  return file.format === "torch" && isAuthors ? "authors" : undefined;
}

/**
 * Reads an adapter; the layout is told from its content. What `savePeft` wrote (DoRA, IA3 and their like) is none: `loadPeft` reads
 * that.
 *
 * @param path This package's `.safetensors`, the authors' `.pt`, or PEFT's folder (or the file of its matrices).
 * @throws {SyntaxError} If it is no adapter, or damaged; the message names the file.
 * @throws {RangeError} If a number is NaN or infinite.
 * @throws {TypeError} If an option is unknown or of another kind.
 */
export async function readAdapter(path: string, options: ReadAdapterOptions = {}): Promise<AdapterFile> {
  checkOptions("read an adapter", options, READ_RULES);
  if (basename(path) === "adapter_config.json") return await readAdapter(dirname(path), options);
  const ownFile = join(path, "adapter.safetensors"); // its config beside it has the name of PEFT's
  const isOwn = await isFile(ownFile);
  const peftFile = await peftModelFile(path);
  if (isOwn && peftFile !== undefined) {
    throw new SyntaxError(
      `Cannot read "${path}" as an adapter: it must hold one: it has adapter.safetensors and ${
        basename(peftFile)
      }, of which one is to be named`,
    );
  }
  if (!isOwn && await isFile(join(path, "adapter_config.json"))) return await readPeftAdapter(path);
  const file = await openTensorFile(isOwn ? ownFile : path);
  try {
    const format = adapterFormat(file);
    if (format === "ace") return await readAceAdapter(file.path);
    if (format === "authors") return await readAuthorsAdapter(file, options.depths);
    if (format === "peft") return await readPeftAdapter(dirname(file.path));
    const stated = file.format === "safetensors" ? file.metadata["format"] : undefined;
    throw new NotAnAdapterError(path, file.entries.size, typeof stated === "string" ? stated : undefined);
  } finally {
    file.close();
  }
}

/**
 * Writes an adapter.
 *
 * @param path A file (`ace`: `.safetensors`, `authors`: `.pt`) or a folder (`peft`).
 * @throws {SyntaxError} If its tensors do not fit together.
 * @throws {RangeError} If a number is NaN or infinite.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function writeAdapter(path: string, adapter: AdapterFile, options: WriteAdapterOptions): Promise<void> {
  checkOptions("write an adapter", options, WRITE_RULES);
  const { format, fusedQkv = false } = options;
  if (fusedQkv && format !== "peft") {
    throw new TypeError(`Cannot write an adapter as fusedQkv needs the format "peft": current value is "${format}"`);
  }
  const checked = checkAdapter(adapter, path);
  if (format !== "ace") refuseHead(adapter, `write "${path}" in the layout "${format}"`);
  if (format === "ace") await writeAceAdapter(path, checked);
  else if (format === "authors") await writeAuthorsAdapter(path, checked);
  else await writePeftAdapter(path, checked, { fusedQkv });
}
