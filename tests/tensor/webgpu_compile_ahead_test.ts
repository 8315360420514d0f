import { assert, assertEquals } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { gelu } from "../../lib/tensor/kernels/gelu/api.ts";
import { compileAhead } from "../../lib/tensor/webgpu/compile_ahead.ts";
import { gpuTest, run } from "./webgpu_support.ts";

gpuTest("compileAhead() leaves numbers as they are, whichever of its programs run before it has ended", async () => {
  const x = tf.tensor1d([-1, 0, 2, 3]);
  const work = () => tf.tidy(() => void gelu(tf.mul(tf.fill([4], 0), tf.fill([4], 0))));
  const ending = compileAhead(work);
  const during = tf.tidy(() => gelu(tf.mul(x, x)));
  await ending;
  assertEquals(await compileAhead(work), 0); // they are there
  const after = tf.tidy(() => gelu(tf.mul(x, x)));
  const [want, got] = [await during.data(), await after.data()];
  assertEquals(got, want);
  assert(Math.abs(want[2]! - 3.9998733) < 1e-6, `${want[2]}`);
  tf.dispose([x, during, after]);
});

gpuTest("compileAhead() of work that needs numbers, or is wrong, leaves nothing and says nothing", async () => {
  await compileAhead(() => {
    const x = tf.fill([4], 1);
    x.dataSync();
    throw new Error("read");
  });
  const x = tf.tensor1d([0]);
  const [y] = run("AceGelu", { x });
  assertEquals([...await y!.data()], [0]);
  tf.dispose([x, y!]);
});
