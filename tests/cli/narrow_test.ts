import { assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { Arguments } from "../../lib/cli/command.ts";
import { modelFrom } from "../../lib/cli/model_options.ts";
import { startBackend } from "../../lib/cli/shared.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { isHalf } from "../../lib/tensor/webgpu/halves.ts";
import { gpuTest } from "../tensor/webgpu_support.ts";

/** What `f` writes to stderr. */
async function told(f: () => Promise<unknown>): Promise<string[]> {
  const [lines, { error }] = [[] as string[], console];
  console.error = (line: string) => void lines.push(line);
  try {
    await f();
  } finally {
    console.error = error;
  }
  return lines;
}

gpuTest(
  "--narrow keeps the model's matrices as float16 on webgpu, and the backend's line and records say so",
  async () => {
    const args = new Arguments([], { backend: "webgpu", narrow: true });
    let adapter = "";
    const lines = await told(async () => ({ adapter } = await startBackend(args)));
    assertEquals(lines, [`backend: webgpu (${adapter})`]);
    assertEquals(adapter.endsWith("; matrices in float16"), true, adapter);
    await told(async () => { // the notice of the shipped model
      const { params } = await modelFrom(args);
      assertEquals(isHalf(params.text.trunk.layers[0]!.mlp.fc1.weight), true);
      assertEquals(isHalf(params.text.trunk.layers[0]!.mlp.fc1.bias!), false);
      disposeParams(params);
    });
  },
);

Deno.test("--narrow says that it changes nothing on wasm", async () => {
  const args = new Arguments([], { backend: "wasm", narrow: true });
  const lines = await told(() => startBackend(args));
  assertEquals(lines.slice(1), ["note: --narrow changes nothing on wasm"]);
  assertEquals(lines[0]!.includes("float16"), false);
  assertEquals(tf.getBackend(), "wasm");
});
