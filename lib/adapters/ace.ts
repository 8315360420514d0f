/**
 * This package's own adapter file: safetensors named `lora.image.0.q.a`, `hgnn.text.edge.down.weight`, `logit_scale`, with the
 * config as JSON in the metadata (`config`), and again beside it as `<name>_config.json` for people.
 *
 * @module
 */
import {
  type AdapterEncoder,
  type AdapterFile,
  type AdapterTarget,
  checkAdapter,
  gatherHypergraph,
  hypergraphLeaves,
  hypergraphTensor,
  type LoraEntry,
  parseConfig,
  scaleField,
  seenField,
  seenText,
} from "./record.ts";
import { writeFileAtomic } from "../io/files.ts";
import { writeSafetensors } from "../io/safetensors.ts";
import { readAllTensors, type TensorFile } from "../io/tensor_file.ts";
import { float32Tensor, type TensorData } from "../io/tensors.ts";
import { quoted } from "../io/_errors.ts";

/** The metadata's `format`. */
export const ACE_FORMAT = "ace-lora adapter 1";
const LORA_NAME = /^lora\.(image|text)\.(\d{1,4})\.([qkvo])\.([ab])$/;

/** Parses a JSON object found in `file`. @throws {SyntaxError} If it is none. */
export function parseJsonObject(text: string, file: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new SyntaxError(
      `Cannot read "${file}" as an adapter: its config must be a JSON object: found ${quoted(text)}`,
    );
  }
  return value as Record<string, unknown>;
}

/** ACE-HGNN and the logit scale under this package's names. */
export function hypergraphTensors(adapter: AdapterFile): Map<string, TensorData> {
  const tensors = new Map<string, TensorData>();
  for (const leaf of hypergraphLeaves()) {
    const tensor = hypergraphTensor(adapter.hgnn, leaf);
    if (tensor) tensors.set(`hgnn.${leaf.encoder}.${leaf.part}.${leaf.leaf}`, tensor);
  }
  if (adapter.logitScale !== undefined) tensors.set("logit_scale", float32Tensor([], [adapter.logitScale]));
  return tensors;
}

/**
 * Reads tensors under this package's names.
 *
 * @throws {SyntaxError} If one is unknown, or half of an update is missing.
 */
export function fromAceTensors(tensors: ReadonlyMap<string, TensorData>, file: string): Omit<AdapterFile, "config"> {
  const rest = new Map(tensors);
  const fail = (reason: string): SyntaxError => new SyntaxError(`Cannot read "${file}" as an adapter: ${reason}`);
  const take = (name: string): TensorData | undefined => {
    const tensor = rest.get(name);
    rest.delete(name);
    return tensor;
  };
  const lora: LoraEntry[] = [];
  for (const name of tensors.keys()) {
    const match = LORA_NAME.exec(name);
    if (!match || match[4] !== "a") continue;
    const [a, b] = [take(name), take(`${name.slice(0, -1)}b`)];
    if (!a || !b) throw fail(`${quoted(name)} must have its b beside it`);
    lora.push({
      encoder: match[1] as AdapterEncoder,
      layer: Number(match[2]),
      target: match[3] as AdapterTarget,
      a,
      b,
    });
  }
  const hgnn = gatherHypergraph(({ encoder, part, leaf }) => take(`hgnn.${encoder}.${part}.${leaf}`), file);
  const scale = take("logit_scale");
  if (rest.size) throw fail(`${quoted([...rest.keys()][0]!)} is no part of one (${rest.size} such tensors)`);
  return { lora, hgnn, ...scaleField(scale, file) };
}

/**
 * Reads this package's adapter from an open file.
 *
 * @throws {SyntaxError} If a tensor is missing, misshapen or unknown, or the config is damaged.
 * @throws {RangeError} If a number is not finite.
 */
export async function readAceAdapter(file: TensorFile): Promise<AdapterFile> {
  const config = parseConfig(parseJsonObject(String(file.metadata["config"] ?? ""), file.path), file.path);
  const seen = seenField(file.metadata["seen"], file.path);
  return checkAdapter({ ...fromAceTensors(await readAllTensors(file), file.path), config, ...seen }, file.path);
}

/** Writes this package's adapter file at `path` (`x.safetensors`) and its config beside it (`x_config.json`). */
export async function writeAceAdapter(path: string, adapter: AdapterFile): Promise<void> {
  const tensors = new Map<string, TensorData>();
  for (const { encoder, layer, target, a, b } of adapter.lora) {
    tensors.set(`lora.${encoder}.${layer}.${target}.a`, a);
    tensors.set(`lora.${encoder}.${layer}.${target}.b`, b);
  }
  for (const [name, tensor] of hypergraphTensors(adapter)) tensors.set(name, tensor);
  const config = JSON.stringify(adapter.config);
  await writeSafetensors(path, tensors, { format: ACE_FORMAT, config, ...seenText(adapter) });
  const beside = `${path.replace(/\.safetensors$/, "")}_config.json`;
  await writeFileAtomic(beside, JSON.stringify({ format: ACE_FORMAT, ...adapter.config }, null, 2) + "\n");
}
