/** Run by blas_test.ts: what the processor has. */
import { processorFeatures } from "../../lib/tensor/wasm/processor.ts";

console.log(JSON.stringify(processorFeatures() ?? null));
