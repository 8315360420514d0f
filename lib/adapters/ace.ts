/**
 * This package's own adapter file: safetensors named `lora.image.0.q.a`, `hgnn.text.edge.down.weight`, `logit_scale`, with the
 * config as JSON in the metadata (`config`), and again beside it as `<name>_config.json` for people.
 *
 * @module
 */
import { parseConfig, TARGETS } from "./config.ts";
import { caseLists, caseTexts } from "./case_lists.ts";
import { type AdapterFile, checkAdapter, ENCODERS, gatherHypergraph, type LoraEntry, scaleField } from "./record.ts";
import { writeFileAtomic } from "../io/files.ts";
import { float32Tensor, type TensorData } from "../io/tensors.ts";
import { jsonField, openTree, recordField, saveTree, type StoredTree } from "../io/tree.ts";
import { quoted } from "../io/_errors.ts";

/** The metadata's `format`. */
export const ACE_FORMAT = "ace-lora adapter 1";
/** An A, whose B goes by the same name. */
const LORA_NAME = /^lora\.(image|text)\.(\d{1,4})\.([qkvo])\.a$/;

/** ACE-HGNN and the logit scale as a tree under this package's names. */
export interface HypergraphTree {
  /** Of each tower that has one. */
  hgnn: AdapterFile["hgnn"];
  /** One number, exponentiated. */
  logit_scale?: TensorData;
}

/** What of an adapter PEFT has no place for. */
export function hypergraphTree({ hgnn, logitScale }: AdapterFile): HypergraphTree {
  return { hgnn, ...(logitScale === undefined ? {} : { logit_scale: float32Tensor([], [logitScale]) }) };
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
    const [, tower, layer, letter] = LORA_NAME.exec(name) ?? [];
    const encoder = ENCODERS.find((known) => known === tower);
    const target = TARGETS.find((known) => known === letter);
    if (!encoder || !target) continue;
    const [a, b] = [take(name), take(`${name.slice(0, -1)}b`)];
    if (!a || !b) throw fail(`${quoted(name)} must have its b beside it`);
    lora.push({
      encoder,
      layer: Number(layer),
      target,
      a,
      b,
    });
  }
  const hgnn = gatherHypergraph(({ encoder, part, leaf }) => take(`hgnn.${encoder}.${part}.${leaf}`), file);
  const scale = take("logit_scale");
  const [weight, bias] = [take("head.weight"), take("head.bias")];
  if (!weight !== !bias) throw fail("its head must have weight and bias");
  if (rest.size) throw fail(`${quoted([...rest.keys()][0]!)} is no part of one (${rest.size} such tensors)`);
  return { lora, hgnn, ...scaleField(scale, file), ...(weight && bias ? { head: { weight, bias, classes: [] } } : {}) };
}

/**
 * Reads this package's adapter.
 *
 * @throws {SyntaxError} If a tensor is missing, misshapen or unknown, or the config is damaged.
 * @throws {RangeError} If a number is not finite.
 */
export async function readAceAdapter(path: string): Promise<AdapterFile> {
  const file = await openTree(path, { noun: "an adapter", format: ACE_FORMAT });
  const config = parseConfig(recordField(file, "config"), path);
  const { head, ...rest } = fromAceTensors(file.tensors, path);
  const named = head ? { head: { ...head, classes: classesField(file) } } : {};
  return checkAdapter({ ...rest, ...named, config, ...caseLists(file.fields, path) }, path);
}

/** Names of a head's outputs. */
function classesField(file: StoredTree): string[] {
  const classes = jsonField(file, "classes");
  if (Array.isArray(classes)) return classes;
  throw new SyntaxError(
    `Cannot read "${file.path}" as an adapter: its classes must be a list: found ${quoted(String(classes))}`,
  );
}

/** Writes this package's adapter file at `path` (`x.safetensors`) and its config beside it (`x_config.json`). */
export async function writeAceAdapter(path: string, adapter: AdapterFile): Promise<void> {
  const lora = adapter.lora.map(({ encoder, layer, target, a, b }) => [`${encoder}.${layer}.${target}`, { a, b }]);
  const { classes, ...head } = adapter.head ?? {};
  const config = JSON.stringify(adapter.config);
  const tree = { lora: Object.fromEntries(lora), ...hypergraphTree(adapter), ...(adapter.head ? { head } : {}) };
  await saveTree(path, tree, {
    format: ACE_FORMAT,
    config,
    ...(classes ? { classes: JSON.stringify(classes) } : {}),
    ...caseTexts(adapter),
  });
  const beside = `${path.replace(/\.safetensors$/, "")}_config.json`;
  await writeFileAtomic(beside, JSON.stringify({ format: ACE_FORMAT, ...adapter.config }, null, 2) + "\n");
}
