import { assertEquals, assertThrows } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { MemoryLimitError } from "../../lib/tensor/memory.ts";
import { initWasm } from "../../lib/tensor/wasm/init.ts";

Deno.test("a tensor that wasm memory does not hold is refused by our kernels and tfjs's own, and later results are right", async () => {
  await initWasm({ threads: 1 });
  await tf.setBackend("wasm");
  const before = tf.memory().numTensors;
  const [column, row] = [tf.ones([40_000, 1]), tf.ones([1, 40_000])];
  const flat = tf.ones([60_000]);
  const calls = {
    "our add": () => tf.add(column, row), // 6.4 GB, whose lower 32 bits would be a size that there is
    "our product": () => tf.matMul(column, row),
    "our tile": () => tf.tile(flat, [20_000]),
    "tfjs's subtraction": () => tf.sub(column, row),
    "tfjs's maximum": () => tf.maximum(column, row),
  };
  for (const [name, call] of Object.entries(calls)) {
    const error = assertThrows(() => tf.tidy(call), MemoryLimitError, "all tensors must fit in 4 GiB");
    assertEquals([error.backend, error.limit], ["wasm", 2 ** 32], name);
    assertEquals(error.bytes >= 4.8e9, true, name);
  }
  const sum = tf.tidy(() => tf.sum(tf.add(flat, flat)));
  assertEquals([...await sum.data()], [120_000]);
  tf.dispose([column, row, flat, sum]);
  assertEquals(tf.memory().numTensors, before);
});
