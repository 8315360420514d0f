/** One line of the results: what ran, how right it was, how long it took beside its floor. @module */

/** What the machine can do at best, as measured by two programs of a few lines. */
export interface Floors {
  /** Bytes per second of a copy, reads and writes counted. */
  bandwidth: number;
  /** float32 operations per second of independent multiply-adds, two each. */
  float32: number;
  /** Seconds to record one small dispatch on the CPU and run it. */
  dispatch: number;
}

/** One measured program; rows of other implementations (PyTorch, say) have the same form. */
export interface Row {
  /** What is computed, e.g. `AceLayerNorm`. */
  op: string;
  /** Who computes it: `ace-webgpu`, `tfjs-webgpu`, or another, merged in by `--merge`. */
  implementation: string;
  /** Shapes in words. */
  shape: string;
  /** Median, fastest and slowest milliseconds of one call as the CPU sees it, recording included. */
  ms: { median: number; min: number; max: number };
  /** Median milliseconds on the device by its timestamps (nanoseconds are assumed), or null. */
  gpuMs: number | null;
  /** Bytes that must be read and written, and operations that must be done. */
  work: { bytes: number; flops: number };
  /** The least milliseconds the floors allow for that work, and the time on the device over it. */
  floor: { ms: number; ratio: number };
  /** Dispatches of one call, counted. */
  dispatches: number;
  /** Largest `|got - want| / (1 + |want|)` over the checked elements, or null where nothing was checked. */
  error: number | null;
  /** What the error may be. */
  tolerance: number;
}

/** Something to run and check. */
export interface Case {
  /** What is computed. */
  op: string;
  /** Who computes it. @default "ace-webgpu" */
  implementation?: string;
  /** Shapes in words. */
  shape: string;
  /** Bytes that must be moved. */
  bytes: number;
  /** Operations that must be done. */
  flops: number;
  /** Largest error allowed; float32 sums of the case's length. */
  tolerance: number;
  /** Prepares the inputs; `run` makes the outputs, `check` compares them with float64 at sampled places. */
  prepare: () => Prepared | Promise<Prepared>;
  /** Whether the device's timestamps are read too: one wait a dispatch, too many in a whole step. @default true */
  deviceTime?: boolean;
}

/** What a case makes. */
export type Outputs = { dispose: () => void; data: () => Promise<ArrayLike<number>> }[];

/** A case with its inputs in memory. */
export interface Prepared {
  /** Runs once and returns the outputs, which the caller disposes. */
  run: () => Outputs | Promise<Outputs>;
  /** Pairs of (output, element, float64 value). */
  want: () => [output: number, element: number, value: number][];
  /** Frees the inputs. */
  free: () => void;
}
