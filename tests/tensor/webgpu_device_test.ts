import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import * as tf from "@tensorflow/tfjs";
import { checkBufferSize } from "../../lib/tensor/webgpu/backend.ts";
import {
  DeviceError,
  isSoftwareAdapter,
  nameAdapter,
  requestDevice,
  watchDevice,
} from "../../lib/tensor/webgpu/device.ts";
import { currentDevice, initWebgpu } from "../../lib/tensor/webgpu/init.ts";
import { eventually } from "../eventually.ts";
import { assertNear, gpuTest, tensor } from "./webgpu_support.ts";

Deno.test("isSoftwareAdapter() recognises the CPU's adapters by name or by flag", () => {
  for (
    const description of [
      "llvmpipe (LLVM 15.0.6, 256 bits)",
      "SwiftShader Device (Subzero)",
      "Microsoft Basic Render Driver",
      "lavapipe",
    ]
  ) assertEquals(isSoftwareAdapter({ description }), true, description);
  assertEquals(isSoftwareAdapter({ vendor: "google", architecture: "swiftshader" }), true);
  assertEquals(isSoftwareAdapter({ description: "GPU", isFallbackAdapter: true }), true);
  for (
    const description of ["NVIDIA H200", "AMD Radeon RX 7900 XTX (RADV NAVI31)", "Apple M4 Pro", "Intel(R) Arc(tm)"]
  ) {
    assertEquals(isSoftwareAdapter({ description, isFallbackAdapter: false }), false, description);
  }
});

Deno.test("nameAdapter() prefers the description and never gives an empty name", () => {
  assertEquals(nameAdapter({ description: "NVIDIA H200", vendor: "nvidia" }), "NVIDIA H200");
  assertEquals(nameAdapter({ vendor: "apple", architecture: "metal-3", description: "" }), "apple metal-3");
  assertEquals(nameAdapter({}), "unnamed adapter");
});

Deno.test("checkBufferSize() names the shape, the limit and the size", () => {
  const limits = { maxBufferSize: 2 ** 31 - 1, maxStorageBufferBindingSize: 2 ** 27 };
  checkBufferSize([1024, 32768], "float32", limits); // exactly 128 MiB
  assertThrows(
    () => checkBufferSize([64, 12, 256, 256], "float32", limits),
    RangeError,
    "Cannot allocate a float32 tensor of shape [64, 12, 256, 256] on webgpu as one buffer must be at most " +
      "134217728 bytes (maxStorageBufferBindingSize): current value is 201326592",
  );
  assertThrows(
    () => checkBufferSize([300], "int32", { maxBufferSize: 1024, maxStorageBufferBindingSize: 4096 }),
    RangeError,
    "1024 bytes (maxBufferSize)",
  );
});

Deno.test("requestDevice() asks no OpenGL, whose library may end the process, but where the user names it", async () => {
  const program = `import { requestDevice } from "./lib/tensor/webgpu/device.ts";
    await requestDevice();
    console.log(Deno.env.get("DENO_WEBGPU_BACKEND"));`;
  for (const [given, expected] of [["", "vulkan,metal,dx12"], ["vulkan", "vulkan"]] as const) {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-lock", "--no-prompt", "--allow-env=DENO_WEBGPU_BACKEND,XDG_RUNTIME_DIR", "-"],
      cwd: new URL("../../", import.meta.url),
      env: { DENO_WEBGPU_BACKEND: given },
      ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(program));
    await writer.close();
    const { stdout, stderr } = await child.output();
    const decoder = new TextDecoder();
    assertEquals(decoder.decode(stdout).trim(), expected, decoder.decode(stderr));
  }
});

Deno.test("requestDevice() gives a reason instead of throwing where there is no WebGPU", async () => {
  const descriptor = Object.getOwnPropertyDescriptor(globalThis, "navigator")!;
  Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
  try {
    const found = await requestDevice();
    assert("reason" in found && found.reason.includes("no WebGPU"), JSON.stringify(found));
  } finally {
    Object.defineProperty(globalThis, "navigator", descriptor);
  }
});

gpuTest("requestDevice() refuses a software adapter unless it is allowed", async () => {
  const found = await requestDevice({ allowSoftware: true });
  assert(!("reason" in found));
  if (found.software) {
    const refused = await requestDevice();
    assert("reason" in refused && refused.reason.includes(found.adapterName), JSON.stringify(refused));
    assert("reason" in await initWebgpu());
  }
  found.device.destroy();
});

gpuTest("initWebgpu() keeps its device from call to call and asks for the adapter's limits", async () => {
  const first = currentDevice();
  await initWebgpu({ allowSoftware: true });
  assertEquals(currentDevice() === first, true);
  const adapter = (await navigator.gpu.requestAdapter())!;
  assertEquals(first!.device.limits.maxBufferSize, adapter.limits.maxBufferSize);
  assertEquals(first!.device.limits.maxStorageBufferBindingSize, adapter.limits.maxStorageBufferBindingSize);
});

gpuTest("a tensor over the limit is refused before dispatch, and later results are right", async () => {
  const limit = currentDevice()!.device.limits.maxStorageBufferBindingSize;
  if (limit > 2 ** 28) return; // only where the limit is small enough for this machine's memory
  const rows = limit / 4096 + 1;
  const column = tensor(new Float32Array(rows).fill(1), [rows, 1]);
  const row = tensor(new Float32Array(1024).fill(1), [1, 1024]);
  assertThrows(
    () => tf.tidy(() => tf.add(column, row)),
    RangeError,
    `Cannot allocate a float32 tensor of shape [${rows}, 1024] on webgpu`,
  );
  const side = Math.ceil(Math.sqrt(limit / 4)) + 1;
  const [long, wide] = [tf.ones([side, 1]), tf.ones([1, side])];
  assertThrows(() => tf.matMul(long, wide), RangeError, `of shape [${side}, ${side}] on webgpu`);
  tf.dispose([long, wide]);
  assertEquals(currentDevice()!.firstError(), undefined);
  const sum = tf.tidy(() => tf.sum(column));
  await assertNear(sum, [rows], 1e-6);
  tf.dispose([column, row]);
});

gpuTest("watchDevice() stores the first uncaptured error only", async () => {
  const found = await requestDevice({ allowSoftware: true });
  assert(!("reason" in found));
  const { check, firstError } = watchDevice(found.device);
  check();
  for (const size of [16, 32]) found.device.createBuffer({ size, usage: 0xffff }); // no such usage
  await found.device.queue.onSubmittedWorkDone();
  await eventually(() => firstError() !== undefined, "the device's error");
  assertThrows(check, DeviceError, "Cannot trust the results on webgpu as the device must report no error");
  const stored = firstError();
  found.device.destroy();
  await found.device.lost;
  assertEquals(firstError(), stored);
});

gpuTest("a read throws the device's stored error, and initWebgpu() starts anew", async () => {
  const broken = currentDevice()!.device;
  const x = tf.tensor1d([1, 2, 3]);
  const y = tf.square(x);
  broken.createBuffer({ size: 16, usage: 0xffff });
  const error = await assertRejects(
    () => y.data(),
    DeviceError,
    "Cannot trust the results on webgpu as the device must report no error",
  );
  assertEquals(error.fault, "reported an error");
  await assertRejects(() => y.data(), Error, "restart the process with smaller batches");
  tf.dispose([x, y]);
  await initWebgpu({ allowSoftware: true });
  await tf.setBackend("webgpu");
  assertEquals(currentDevice()!.device === broken, false);
  await assertNear(tf.tidy(() => tf.square(tf.tensor1d([1, 2, 3]))), [1, 4, 9], 1e-6);
});

gpuTest("a read after the device is lost says so in one line, and initWebgpu() starts anew", async () => {
  const x = tf.tensor1d([1, 2, 3]);
  const y = tf.square(x);
  const pending = y.data();
  currentDevice()!.device.destroy();
  await pending.catch(() => {});
  const error = await assertRejects(
    async () => await tf.square(y).data(),
    Error,
    "Cannot use webgpu as the device must be alive",
  );
  assertEquals(error.message.includes("\n"), false);
  tf.disposeVariables();
  tf.dispose([x, y]);
  await initWebgpu({ allowSoftware: true });
  await tf.setBackend("webgpu");
  await assertNear(tf.tidy(() => tf.square(tf.tensor1d([1, 2, 3]))), [1, 4, 9], 1e-6);
});
