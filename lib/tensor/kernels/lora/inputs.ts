/** The tensors of the kernels of one group of layers. @module */
import type { Info1D, Info2D } from "../info.ts";

/** Matrices, one of each layer: `dy0`, `dy1`. */
export type LoraMatrix = "dy" | "weight" | "loraA" | "loraB";

/** Those that a kernel has. */
export type LoraInputs = Readonly<
  & Partial<Record<`${LoraMatrix}${number}`, Info2D>>
  & Partial<Record<`bias${number}`, Info1D | undefined>>
>;
