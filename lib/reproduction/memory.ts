/** The most memory a run held. @module */
import * as tf from "@tensorflow/tfjs";
import { resourceUsage } from "node:process";

/** A running watch on tensors' bytes. */
export interface MemoryWatch {
  /** Ends it; gives the most bytes that tensors held at a time since its start. */
  end(): number;
}

/**
 * Watches the bytes of all live tensors, on any backend: the figure does not depend on what ran before or beside it, unlike the
 * process's.
 */
export function watchTensorBytes(): MemoryWatch {
  const { state } = tf.engine();
  let bytes = state.numBytes, peak = bytes, ended = false;
  Object.defineProperty(state, "numBytes", {
    configurable: true,
    enumerable: true,
    get: () => bytes,
    set: (value: number) => {
      bytes = value;
      if (value > peak) peak = value;
    },
  });
  return {
    end() {
      if (ended) return peak;
      ended = true;
      Object.defineProperty(state, "numBytes", { configurable: true, enumerable: true, writable: true, value: bytes });
      return peak;
    },
  };
}

/** The process's largest resident size so far, as VmHWM in /proc/self/status, which takes more permission to read; null where unknown. */
export function peakProcessBytes(): number | null {
  try {
    const { maxRSS } = resourceUsage();
    return maxRSS > 0 ? maxRSS * 1024 : null;
  } catch {
    return null;
  }
}
