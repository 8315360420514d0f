/** Runs a test body on every backend there is; one that cannot start is skipped by name, with its reason. @module */
import * as tf from "@tensorflow/tfjs";
import { errorMessage } from "../lib/platform/error_message.ts";
import { type BackendName, selectBackend } from "../lib/tensor/backend.ts";

const reasons = new Map<BackendName, string | undefined>();
for (const backend of ["cpu", "wasm", "webgpu"] as const) {
  try {
    await selectBackend({ backend, allowSoftware: true });
    reasons.set(backend, undefined);
  } catch (error) {
    reasons.set(backend, errorMessage(error).split("\n")[0]);
  }
}

/** Declares one test per backend. Tensors the body leaves behind are freed. */
export function testOnBackends(name: string, body: () => Promise<void>): void {
  for (const [backend, reason] of reasons) {
    Deno.test({
      name: `${name} [${backend}]${reason === undefined ? "" : ` SKIPPED: ${reason}`}`,
      ignore: reason !== undefined,
      fn: async () => {
        await selectBackend({ backend, allowSoftware: true });
        tf.engine().startScope();
        try {
          await body();
        } finally {
          tf.engine().endScope();
        }
      },
    });
  }
}
