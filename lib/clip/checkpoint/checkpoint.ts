/** An open checkpoint of a CLIP: whose names it has, what sizes, and its weights. @module */
import { checkKeys, formatKeyReport, KeyReportError } from "../../io/key_report.ts";
import { openTensorFile } from "../../io/open.ts";
import { readFinite, type TensorFile } from "../../io/tensor_file.ts";
import { toFloat32 } from "../../io/tensors.ts";
import type { ClipConfig } from "../config.ts";
import { type ClipSizes, clipSizes } from "../config_file/sizes.ts";
import type { ClipParams } from "../params.ts";
import { findLayout, layoutLabel } from "./find_layout.ts";
import type { ClipLayout } from "./layout.ts";
import { openTowerFiles } from "./tower_files.ts";
import { expectedClip, loadClipTensors } from "./tensors.ts";

/** A checkpoint whose names are known. */
export interface Checkpoint {
  /** The open file; {@linkcode Checkpoint.file.close} lets it go. */
  file: TensorFile;
  /** Its towers' names. */
  layout: ClipLayout;
  /** What wrappers (Lightning, DataParallel, a training checkpoint) put before every name. */
  wrapper: string;
  /** Shapes of the tensors below the wrapper, by the layout's names. */
  shapes: Map<string, readonly number[]>;
  /** What the shapes tell. */
  sizes: ClipSizes;
}

/**
 * Opens a checkpoint of any known layout; the caller closes its file.
 *
 * @param path A file, or an index of shards.
 * @throws {SyntaxError} If it is unreadable, or has no known pair of towers; one line says what was recognised and what is missing.
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  const file = await openTowerFiles(path) ?? await openTensorFile(path);
  try {
    const { layout, wrapper } = findLayout(new Set(file.entries.keys()), path);
    const inner = [...file.entries].filter(([name]) => name.startsWith(wrapper));
    const shapes = new Map(inner.map(([name, { shape }]) => [name.slice(wrapper.length), shape]));
    return { file, layout, wrapper, shapes, sizes: clipSizes(shapes, layout) };
  } catch (error) {
    file.close();
    throw error;
  }
}

/** Buffers that some releases save beside the weights: nothing is computed with them. */
const BUFFERS =
  /(^|\.)(position_ids|num_batches_tracked|attn_mask|mask_token|relative_position_index|input_resolution|context_length|vocab_size)$/;

/** Parts that some towers have and these do not: a model that has one computes something else. */
const OTHER_PARTS =
  /(^|\.)(logit_bias|ls_?[12]\.gamma|gamma_[12]|(fc_norm|norm_pre|[qk]_norm|ln_attn|mlp\.(ln|norm))\.weight|attn\.(ln_\w+\.weight|logit_scale|head_scale)|reg_token)$/;

/**
 * Loads a checkpoint's weights in float32: every tensor the configuration asks for must be there, finite and of the right shape.
 *
 * @param note Takes the table of missing, misshapen and unused tensors, when there are any.
 * @returns New tensors, freed by `disposeParams`.
 * @throws {KeyReportError} If a tensor is missing or misshapen.
 * @throws {SyntaxError} If the file has a part that another kind of tower has (layer scale, a logit bias).
 * @throws {RangeError} If a number is NaN or infinite.
 */
export async function loadCheckpoint(
  checkpoint: Checkpoint,
  config: ClipConfig,
  note: (text: string) => void = () => {},
): Promise<ClipParams> {
  const { file, layout, wrapper } = checkpoint;
  const { path, entries } = file;
  const own = new Map([...entries].filter(([name]) => name.startsWith(wrapper)));
  try {
    const options = { prefixes: [wrapper], ignore: BUFFERS, layout: layoutLabel(layout) };
    const report = checkKeys(expectedClip(config, layout), { path, entries: own }, options);
    const other = report.unused.find(({ name }) => OTHER_PARTS.test(name));
    if (other) {
      throw new SyntaxError(
        `Cannot load "${path}" (${options.layout}) as all its parts must be computed: its "${other.name}" is not`,
      );
    }
    if (report.unused.length > 0) note(formatKeyReport(report));
    return await loadClipTensors(config, layout, async (name) => {
      const tensor = await readFinite(file, report.matched.get(name)!);
      return { shape: tensor.shape, values: toFloat32(tensor) };
    });
  } catch (error) {
    if (error instanceof KeyReportError) note(formatKeyReport(error.report));
    throw error;
  }
}
