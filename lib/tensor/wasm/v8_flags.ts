/**
 * Prints the flags V8 is to start with for the widest products this processor has, for `DENO_V8_FLAGS` of `deno task native`: a
 * task line cannot ask the processor itself. `deno run --allow-ffi --allow-env=DENO_V8_FLAGS lib/tensor/wasm/v8_flags.ts`
 *
 * @module
 */
import { readVariable } from "../../platform/variables.ts";
import { processorFeatures } from "./processor.ts";
import { FLAG } from "./matmul_strips.ts";

// Something must be said, as Deno takes no empty list; this one is V8's default.
const NOTHING = "--no-trace-gc";

const flags = new Set((readVariable("DENO_V8_FLAGS") || NOTHING).split(","));
// Without AVX2 it would make products slower, and Deno on ARM does not know the flag.
if (processorFeatures()?.avx2) flags.add(FLAG);
console.log([...flags].join(","));
