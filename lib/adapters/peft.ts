/**
 * Hugging Face PEFT's folder: `adapter_config.json` and `adapter_model.safetensors` (or, read only, `.bin`), with what PEFT
 * cannot hold (ACE-HGNN, the logit scale) in `ace_hgnn.safetensors` beside them.
 *
 * Source: peft/docs/source/developer_guides/checkpoint.md. Module paths are any known layout's where it is read, open_clip's
 * where it is written; timm fuses q, k and v into `attn.qkv`, so the ViT's updates go either to split modules `attn.{q,k,v}`
 * or, as an option, to `attn.qkv` with rank 3R.
 *
 * @module
 */
import { join } from "@std/path";
import { fromAceTensors, hypergraphTree } from "./ace.ts";
import { checkPeftConfig, isOwnConfig, patterned, type PeftConfig, peftConfig } from "./_peft_config.ts";
import { moduleOf, placeOf } from "./_peft_modules.ts";
import { parseConfig, TARGETS } from "./config.ts";
import { caseLists, caseTexts } from "./case_lists.ts";
import { type AdapterFile, checkAdapter, hiddenOf, type LoraEntry } from "./record.ts";
import { readSmallText } from "../io/byte_source.ts";
import { isRecord, parseJson } from "../io/fields.ts";
import { writeFileAtomic } from "../io/files.ts";
import { equalised } from "./equalised.ts";
import { fuseQkv, shareQkv, splitQkv } from "./_fused_qkv.ts";
import { openTensorFile } from "../io/open.ts";
import { writeSafetensors } from "../io/safetensors.ts";
import { readAllTensors } from "../io/tensor_file.ts";
import type { TensorData } from "../io/tensors.ts";
import { openTree, recordField, saveTree } from "../io/tree.ts";
import { quoted } from "../io/_errors.ts";
import { system } from "../platform/system.ts";

/** How a PEFT folder is written. */
export interface PeftOptions {
  /** Whether the ViT's updates go to timm's fused `attn.qkv`. @default {false} */
  fusedQkv?: boolean;
}

/** The error for an adapter of PEFT's that changes what no adapter here does. */
export class UnreadPeftError extends SyntaxError {
  /** Name shown in stack traces. */
  override name = "UnreadPeftError";
}

const PREFIX = "base_model.model.";
const SIDE_FILE = "ace_hgnn.safetensors";
const SIDE_FORMAT = "ace-lora hypergraph 1";

/** The file with a PEFT folder's matrices, or undefined when it has none. */
export async function peftModelFile(folder: string): Promise<string | undefined> {
  for (const name of ["adapter_model.safetensors", "adapter_model.bin"]) {
    const path = join(folder, name);
    if (await system.stat(path).then((info) => info.isFile, () => false)) return path;
  }
  return undefined;
}

async function readMatrices(path: string): Promise<Map<string, TensorData>> {
  const file = await openTensorFile(path);
  try {
    return await readAllTensors(file);
  } finally {
    file.close();
  }
}

interface Update {
  module: string;
  a: TensorData;
  b: TensorData;
}

function updatesOf(adapter: AdapterFile, fusedQkv: boolean): Update[] {
  const isFused = ({ encoder, target }: LoraEntry): boolean => fusedQkv && encoder === "image" && target !== "o";
  const updates = adapter.lora.filter((entry) => !isFused(entry))
    .map(({ a, b, ...place }) => ({ module: moduleOf(place), a, b }));
  for (const [layer, entries] of Map.groupBy(adapter.lora.filter(isFused), ({ layer }) => layer)) {
    updates.push({ module: moduleOf({ encoder: "image", layer, target: "qkv" }), ...fuseQkv(entries) });
  }
  return updates;
}

/**
 * Writes an adapter as a PEFT folder.
 *
 * @param folder Made when missing.
 * @throws {TypeError} If `fusedQkv` is asked for and q, k and v differ in type or shape.
 */
export async function writePeftAdapter(folder: string, adapter: AdapterFile, options: PeftOptions = {}): Promise<void> {
  const { fusedQkv = false } = options;
  const updates = updatesOf(adapter, fusedQkv);
  const config = peftConfig(adapter.config, updates.map(({ module }) => module));
  const tensors = new Map(
    updates.flatMap(({ module, a, b }): [string, TensorData][] => [
      [`${PREFIX}${module}.lora_A.weight`, a],
      [`${PREFIX}${module}.lora_B.weight`, b],
    ]),
  );
  await writeSafetensors(join(folder, "adapter_model.safetensors"), tensors, { format: "pt" });
  const side = { format: SIDE_FORMAT, config: JSON.stringify(adapter.config), ...caseTexts(adapter) };
  await saveTree(join(folder, SIDE_FILE), hypergraphTree(adapter), side);
  await writeFileAtomic(join(folder, "adapter_config.json"), JSON.stringify(config, null, 2) + "\n");
}

function readUpdates(tensors: Map<string, TensorData>, fail: (reason: string) => Error): Update[] {
  const updates: Update[] = [];
  for (const [name, a] of tensors) {
    if (!name.startsWith(PREFIX)) throw fail(`${quoted(name)} must begin with "${PREFIX}"`);
    if (!/\.lora_[AB]\.weight$/.test(name)) throw fail(`${quoted(name)} is no low-rank matrix`);
    const module = name.slice(PREFIX.length, -".lora_A.weight".length);
    const b = tensors.get(`${PREFIX}${module}.lora_B.weight`);
    if (!b || !tensors.has(`${PREFIX}${module}.lora_A.weight`)) {
      throw fail(`${quoted(module)} must have both lora_A and lora_B`);
    }
    if (a.shape.length !== 2 || b.shape.length !== 2) throw fail(`${quoted(module)} must be matrices`);
    if (name.endsWith("lora_A.weight")) updates.push({ module, a, b });
  }
  return updates;
}

/** The updates of one module, q, k and v apart, and their common scaling. */
function toEntries(
  update: Update,
  config: PeftConfig,
  { fail, unread }: Record<"fail" | "unread", (reason: string) => Error>,
): { entries: LoraEntry[]; scaling: number } {
  const { module, a, b } = update;
  const place = placeOf(module);
  if (!place) throw unread(`module ${quoted(module)} is no attention projection of a layout that is read`);
  const rank = patterned(config["rank_pattern"], module, config["r"], fail);
  const alpha = patterned(config["alpha_pattern"], module, config["lora_alpha"], fail);
  if (a.shape[0] !== rank) throw fail(`${quoted(module)} must have rank ${rank}: found ${a.shape[0]}`);
  const scaling = alpha / (config["use_rslora"] === true ? Math.sqrt(rank) : rank);
  const { encoder, layer, target } = place;
  if (target !== "qkv") return { entries: [{ encoder, layer, target, a, b }], scaling };
  const parts = splitQkv({ a, b }) ?? shareQkv({ a, b });
  if (!parts) throw fail(`${quoted(module)} must have rows of q, k and v: found ${b.shape[0]}`);
  return { entries: parts.map((part) => ({ encoder, layer, ...part })), scaling };
}

/** What stands beside PEFT's own files: ACE-HGNN, the scale, and settings that PEFT has no place for. */
interface SideFile extends Pick<AdapterFile, "hgnn" | "logitScale" | "seen" | "chose"> {
  config: Record<string, unknown>;
}

/**
 * Reads `ace_hgnn.safetensors`.
 *
 * @param peft The folder's `adapter_config.json`, which tells whether this package wrote the folder and the file must be there.
 */
async function readSide(folder: string, peft: PeftConfig, fail: (reason: string) => Error): Promise<SideFile> {
  const path = join(folder, SIDE_FILE);
  if (!await system.stat(path).then(() => true, () => false)) {
    if (!isOwnConfig(peft)) return { hgnn: {}, config: {} };
    throw fail(
      `it must hold ${SIDE_FILE}, which was written beside it with ACE-HGNN and the similarity's scale: it is gone`,
    );
  }
  const file = await openTree(path, { noun: "what PEFT has no place for", format: SIDE_FORMAT });
  const { tensors, fields } = file;
  const config = recordField(file, "config");
  const { hgnn, logitScale } = fromAceTensors(tensors, path);
  const both = parseConfig(config, path);
  const own: [string, unknown, unknown][] = [
    ["hidden", both.hidden, hiddenOf(hgnn)],
    ["rank", both.rank, peft["r"]],
    ["alpha", both.alpha, peft["use_rslora"] === true ? peft["lora_alpha"] : both.alpha],
  ];
  for (const [name, beside, here] of own) {
    if (beside === here) continue;
    throw fail(`its parts must belong together: ${name} is ${here} here and ${beside} in ${SIDE_FILE}'s config`);
  }
  return { hgnn, config, ...(logitScale === undefined ? {} : { logitScale }), ...caseLists(fields, path) };
}

/**
 * Reads a PEFT folder. A plain-LoRA scaling (`use_rslora` false) is carried over: the config's alpha becomes what gives the
 * same scaling with `√rank`.
 *
 * @throws {SyntaxError} If it is no LoRA of attention projections, or uses what is not read (DoRA, biases, modules to save).
 * @throws {RangeError} If a number is not finite.
 */
export async function readPeftAdapter(folder: string): Promise<AdapterFile> {
  const told = (reason: string): string => `Cannot read "${folder}" as a PEFT adapter: ${reason}`;
  const fail = (reason: string): SyntaxError => new SyntaxError(told(reason));
  const unread = (reason: string): SyntaxError => new UnreadPeftError(told(reason));
  const configPath = join(folder, "adapter_config.json");
  const peft = parseJson(await readSmallText(configPath), configPath);
  if (!isRecord(peft)) throw fail("adapter_config.json must hold a JSON record");
  checkPeftConfig(peft, unread);
  const modelPath = await peftModelFile(folder);
  if (modelPath === undefined) {
    throw fail("it must hold adapter_model.safetensors or adapter_model.bin: it has neither");
  }
  const read = readUpdates(await readMatrices(modelPath), fail).map((update) =>
    toEntries(update, peft, { fail, unread })
  );
  if (read.every(({ entries }) => entries.length === 0)) throw fail("it has no update");
  const { lora, scaling } = equalised(read);
  const { hgnn, config: side, ...beside } = await readSide(folder, peft, fail);
  const rank = lora[0]!.a.shape[0]!;
  const alpha = rank === peft["r"] && peft["use_rslora"] === true ? peft["lora_alpha"] : scaling * Math.sqrt(rank);
  const config = parseConfig({
    rank,
    alpha,
    dropout: peft["lora_dropout"] ?? 0,
    targets: TARGETS.filter((target) => lora.some((entry) => entry.target === target)),
    positions: side["positions"] ?? "custom", // PEFT does not say how deep the towers are
    topK: side["topK"] ?? null,
    hidden: hiddenOf(hgnn),
    ...("textAffinity" in side ? { textAffinity: side["textAffinity"] } : {}),
  }, folder);
  return checkAdapter({ lora, hgnn, ...beside, config }, folder);
}
