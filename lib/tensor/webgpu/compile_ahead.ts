/**
 * Pipelines compiled before they are needed. Which ones is said by the work itself: it is run on tensors without numbers, and each
 * program that it comes to is compiled instead of recorded. tf.js's own programs have a flag for that, which ours read as well.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { privateParts } from "../private_parts.ts";
import { COMPILE_ONLY, compileAsked } from "./device_cache.ts";

/**
 * Compiles the programs that `work` comes to, on webgpu; elsewhere there are none and it is not run. Nothing is computed and no
 * memory of the device is taken.
 *
 * Until `work` has ended nothing else may be computed.
 *
 * @param work Borrows tensors of the shapes that will be used and frees what it makes; it may await what is there already, and
 * must read no numbers. What cannot be done without numbers ends it: the rest is compiled when it runs.
 * @returns How many programs were compiled.
 */
export async function compileAhead(work: () => Promise<void> | void): Promise<number> {
  return await (await beginCompiling(work)).compiled;
}

/** Of tfjs's backend. */
interface Compiler {
  device: GPUDevice;
  pipelineCache: Record<string, unknown>;
}

/** Programs that are being compiled. */
export interface Compiling {
  /** How many, once all of them are compiled. */
  compiled: Promise<number>;
}

/** {@linkcode compileAhead} to the end of `work`, after which other things may be computed while the programs are compiled. */
export async function beginCompiling(work: () => Promise<void> | void): Promise<Compiling> {
  if (tf.getBackend() !== "webgpu") return { compiled: Promise.resolve(0) };
  const { device, pipelineCache } = privateParts<Compiler>(tf.backend(), ["device", "pipelineCache"]);
  const known = new Set(Object.keys(pipelineCache));
  tf.engine().startScope();
  tf.env().set(COMPILE_ONLY, true);
  try {
    const ending = work();
    if (ending) await ending; // else this call alone is in between
  } catch {
    // A kernel asked for numbers; what is wrong with the work itself is told when it is done.
  } finally {
    tf.env().set(COMPILE_ONLY, false);
    tf.engine().endScope();
  }
  // Work that comes to one of tf.js's programs before it is compiled must not find a promise: it compiles its own.
  const own = Object.entries(pipelineCache).filter(([key]) => !known.has(key)).map(async ([key, pipeline]) => {
    delete pipelineCache[key];
    const compiled = await pipeline;
    pipelineCache[key] ??= compiled;
  });
  const finish = async (): Promise<number> => {
    const ours = await compileAsked(device);
    await Promise.allSettled(own);
    return own.length + ours;
  };
  return { compiled: finish() };
}
