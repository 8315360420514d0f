/** The error for memory that a backend has not. @module */

/** Bytes that WebAssembly can address. */
export const WASM_BYTES = 2 ** 32;

/** The error for memory that a backend has not. */
export class MemoryLimitError extends RangeError {
  /** Name shown in stack traces. */
  override name = "MemoryLimitError";
  /** The backend that was asked. */
  readonly backend: "wasm" | "webgpu";
  /** Bytes that were asked for at once. */
  readonly bytes: number;
  /** Bytes there are: on wasm for all tensors together, on webgpu for one buffer. */
  readonly limit: number;

  /** Names the backend and the bytes. */
  constructor(message: string, fields: Pick<MemoryLimitError, "backend" | "bytes" | "limit">) {
    super(message);
    this.backend = fields.backend;
    this.bytes = fields.bytes;
    this.limit = fields.limit;
  }
}
