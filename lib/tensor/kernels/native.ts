/** Whether a native library multiplies matrices on the backend wasm: the last bits are then its own, and sums may be reordered. @module */
let isUsed = false;

/** Told by wasm/init.ts. */
export function useNative(isThere: boolean): void {
  isUsed = isThere;
}

/** What was told last. */
export function isNative(): boolean {
  return isUsed;
}
