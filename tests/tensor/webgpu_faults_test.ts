import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { customGrad, valueAndGradients } from "../../lib/tensor/gradients.ts";
import { gelu } from "../../lib/tensor/kernels/gelu/api.ts";
import { packTensors, unpackTensors } from "../../lib/tensor/kernels/pack/api.ts";
import { fusedLinear } from "../../lib/tensor/kernels/linear/api.ts";
import type { WebgpuBackend } from "../../lib/tensor/webgpu/backend.ts";
import { DeviceError } from "../../lib/tensor/webgpu/device.ts";
import { currentDevice, initWebgpu } from "../../lib/tensor/webgpu/init.ts";
import { gpuTest, tensor } from "./webgpu_support.ts";

const LOST = "Cannot use webgpu as the device must be alive";

async function startAnew(): Promise<void> {
  await initWebgpu({ allowSoftware: true });
  await tf.setBackend("webgpu");
  const four = tf.tidy(() => tf.square(tensor([2], [1])));
  assertEquals([...await four.data()], [4]);
  four.dispose();
}

gpuTest("a device lost inside a step is told from the first call on, and initWebgpu() starts anew", async () => {
  const dead = currentDevice()!.device;
  const x = tensor([1, 2, 3, 4], [2, 2]);
  tf.dispose(tf.matMul(x, x));
  dead.destroy();
  // Nothing has been awaited, so the loss is not reported yet.
  const step = (): void => tf.tidy(() => void tf.square(tf.matMul(x, tensor(Array(400).fill(1), [2, 200]))));
  const error = assertThrows(step, DeviceError, LOST);
  assertEquals([error.fault, error.message.includes("\n")], ["lost", false]);
  assertThrows(step, DeviceError, LOST);
  tf.dispose(x);
  await startAnew();
  assert(currentDevice()!.device !== dead);
});

gpuTest("a device lost inside a step, on the way back, is told and leaves nothing", async () => {
  const dead = currentDevice()!.device;
  const backend = tf.engine().backend;
  const leaves = { x: tensor([1, 2, 3, 4], [2, 2]), w: tensor([1, 0, 2, 1], [2, 2]) } as Record<"x" | "w", tf.Tensor2D>;
  tf.dispose(tf.matMul(leaves.x, leaves.w)); // both are on the device
  const held = backend.numDataIds();
  const losing = (x: tf.Tensor2D): tf.Tensor2D =>
    customGrad<readonly [tf.Tensor2D], [], tf.Tensor2D>([x], () => ({
      value: tf.clone(x),
      saved: [],
      gradFunc: (dy) => {
        dead.destroy();
        return [tf.mul(dy, 2) as tf.Tensor2D];
      },
    }));
  const loss = (): tf.Scalar => tf.tidy(() => tf.sum(gelu(losing(tf.matMul(leaves.x, leaves.w)))) as tf.Scalar);
  assertThrows(() => valueAndGradients(leaves, ["x", "w"], loss), DeviceError, LOST);
  assertEquals(backend.numDataIds(), held);
  tf.dispose(leaves);
  await startAnew();
});

gpuTest("initWebgpu() right after a loss starts anew", async () => {
  const dead = currentDevice()!.device;
  dead.destroy();
  await startAnew();
  assert(currentDevice()!.device !== dead);
});

gpuTest("a synchronous read of a lost device throws", async () => {
  const backend = tf.backend() as unknown as WebgpuBackend;
  const y = tf.tidy(() => tf.square(tensor([1, 2, 3], [3])));
  const { device } = currentDevice()!;
  device.destroy();
  await device.lost;
  assertThrows(() => backend.readSync(y.dataId), DeviceError, LOST);
  await assertRejects(() => y.data(), DeviceError, LOST);
  tf.dispose(y);
  await startAnew();
});

gpuTest("products of no terms are zeros, or the bias, and the device stays sound", async () => {
  const empty = (shape: number[]): tf.Tensor2D => tensor([], shape) as tf.Tensor2D;
  const [a, at, b, bt, bias] = [empty([3, 0]), empty([0, 3]), empty([0, 4]), empty([4, 0]), tensor([1, 2, -3, 4], [4])];
  for (
    const [left, right, ta, tb] of [[a, b, false, false], [at, b, true, false], [a, bt, false, true], [
      at,
      bt,
      true,
      true,
    ]] as const
  ) {
    const product = tf.matMul(left, right, ta, tb);
    assertEquals([product.shape, [...await product.data()]], [[3, 4], Array(12).fill(0)]);
    product.dispose();
  }
  const batched = tf.tidy(() => tf.matMul(tensor([], [2, 3, 0]), tensor([], [2, 0, 4])));
  assertEquals([batched.shape, [...await batched.data()]], [[2, 3, 4], Array(24).fill(0)]);
  const fused = tf.fused.matMul({ a, b, bias, activation: "relu", transposeA: false, transposeB: false });
  assertEquals([...await fused.data()], [1, 2, 0, 4, 1, 2, 0, 4, 1, 2, 0, 4]);
  const layer = fusedLinear(a, { weight: bt, bias: bias as tf.Tensor1D });
  assertEquals([...await layer.data()], [1, 2, -3, 4, 1, 2, -3, 4, 1, 2, -3, 4]);
  assertEquals(currentDevice()!.firstError(), undefined);
  tf.dispose([a, at, b, bt, bias, batched, fused, layer]);
});

gpuTest("packing and unpacking nothing leaves nothing behind", async () => {
  const parts = [tensor([], [0]), tensor([], [2, 0])];
  const flat = packTensors(parts);
  assertEquals([flat.shape, [...await flat.data()]], [[0], []]);
  const back = unpackTensors(flat, [[0], [2, 0]]);
  assertEquals(back.map(({ shape }) => shape), [[0], [2, 0]]);
  const two = tensor([7, 8], [2]);
  const some = packTensors([parts[0]!, two, parts[1]!]);
  const again = unpackTensors(some, [[0], [2], [2, 0]]);
  assertEquals([...await again[1]!.data()], [7, 8]);
  tf.dispose([...parts, flat, ...back, two, some, ...again]);
});
