/**
 * The bench's JavaScript peers, onnxruntime-web, transformers.js and jax-js, in a process of their own with the protocol of
 * torch_peer.py.
 *
 * They are imported by computed names and run without the project's configuration, so that neither the package, its lock
 * file nor its checks know them:
 * `deno run --no-config --no-lock --allow-read --allow-env --allow-ffi --allow-sys bench/peers/js_peer.ts`
 *
 * @module
 */
// deno-lint-ignore-file no-explicit-any -- the peers' types are not there when the project is checked

import { type Run, serve } from "./serve.ts";

const VERSIONS = { "onnxruntime-web": "1.30.0", "@huggingface/transformers": "4.3.2", "@jax-js/jax": "0.1.25" };

/** Imports a peer by a name that no checker resolves. */
async function load(name: keyof typeof VERSIONS): Promise<any> {
  const specifier = ["npm:", name, "@", VERSIONS[name]].join("");
  return await import(specifier);
}

async function onnxImage(work: { path: string; batch: number; side: number }, threads: number): Promise<Run> {
  const ort = await load("onnxruntime-web");
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(await Deno.readFile(`${work.path}/onnx/model.onnx`), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  const pixels = imageTensor(ort.Tensor, work);
  return async () => {
    const { last_hidden_state: tokens } = await session.run({ pixel_values: pixels });
    if (!Number.isFinite(tokens.data[0])) throw new Error("the tokens are not finite");
  };
}

function imageTensor(Tensor: any, { batch, side }: { batch: number; side: number }): any {
  const values = Float32Array.from({ length: batch * 3 * side * side }, (_, i) => Math.sin(i));
  return new Tensor("float32", values, [batch, 3, side, side]);
}

/** In Deno, transformers.js runs models on onnxruntime's native library. */
async function transformersImage(
  work: { path: string; batch: number; side: number },
  threads: number,
): Promise<Run> {
  const { AutoModel, Tensor, env } = await load("@huggingface/transformers");
  const at = work.path.lastIndexOf("/");
  Object.assign(env, { allowRemoteModels: false, localModelPath: work.path.slice(0, at + 1), useFSCache: false });
  const model = await AutoModel.from_pretrained(work.path.slice(at + 1), {
    dtype: "fp32",
    device: "cpu",
    session_options: { intraOpNumThreads: threads, interOpNumThreads: 1 },
  });
  const pixels = imageTensor(Tensor, work);
  return async () => {
    const { last_hidden_state: tokens } = await model({ pixel_values: pixels });
    if (!Number.isFinite(tokens.data[0])) throw new Error("the tokens are not finite");
  };
}

/** jax-js takes as many workers as there are processors; it is told how many there are. */
async function jax(threads: number): Promise<any> {
  Object.defineProperty(navigator, "hardwareConcurrency", { value: threads, configurable: true });
  const module = await load("@jax-js/jax");
  if (!(await module.init("wasm")).includes("wasm")) throw new Error("jax-js found no wasm backend");
  module.defaultDevice("wasm");
  return module;
}

const ramp = (np: any, shape: number[], scale: number): any =>
  np.array(Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => scale * Math.sin(i))).reshape(
    shape,
  );

async function jaxMatmul(work: { m: number; k: number; n: number }, threads: number): Promise<Run> {
  const { numpy: np, blockUntilReady } = await jax(threads);
  const [a, b] = [ramp(np, [work.m, work.k], 1), ramp(np, [work.k, work.n], 1)];
  return async () => {
    const c = np.matmul(a.ref, b.ref);
    await blockUntilReady(c);
    c.dispose();
  };
}

/** One ViT-B block with LoRA on q, k, v (no dropout), forward alone or with the gradients of x and the low-rank matrices. */
async function jaxBlock(work: { batch: number; backward: boolean }, threads: number): Promise<Run> {
  const { numpy: np, nn, jit, grad, blockUntilReady, tree } = await jax(threads);
  const [width, hidden, heads, tokens] = [768, 3072, 12, 197];
  const frozen: Record<string, any> = {};
  for (const name of ["q", "k", "v", "o"]) frozen[name] = ramp(np, [width, width], 0.05);
  frozen["fc1"] = ramp(np, [width, hidden], 0.05);
  frozen["fc2"] = ramp(np, [hidden, width], 0.05);
  const trained: Record<string, any> = { x: ramp(np, [work.batch, tokens, width], 1) };
  for (const name of ["q", "k", "v"]) {
    trained[`${name}A`] = ramp(np, [width, 4], 0.05);
    trained[`${name}B`] = ramp(np, [4, width], 0.05);
  }
  const block = (t: any, f: any): any => {
    const normed = nn.standardize(t.x.ref, -1, { epsilon: 1e-6 });
    const heads4 = (y: any): any => y.reshape([work.batch, tokens, heads, width / heads]);
    const projection = (name: string): any =>
      heads4(
        np.matmul(normed.ref, f[name]).add(np.matmul(np.matmul(normed.ref, t[`${name}A`]).mul(0.5), t[`${name}B`])),
      );
    const [q, k, v] = ["q", "k", "v"].map(projection);
    normed.dispose();
    const context = nn.dotProductAttention(q, k, v).reshape([work.batch, tokens, width]);
    const attended = t.x.add(np.matmul(context, f.o));
    const second = nn.standardize(attended.ref, -1, { epsilon: 1e-6 });
    const fed = np.matmul(nn.gelu(np.matmul(second, f.fc1), { approximate: false }), f.fc2);
    return attended.add(fed);
  };
  const f = work.backward ? jit(grad((t: any, w: any) => block(t, w).sum())) : jit(block);
  return async () => {
    const out = f(tree.ref(trained), tree.ref(frozen));
    await blockUntilReady(out);
    tree.dispose(out);
  };
}

/** Each kind of work, and whose it is. */
const WORK: Readonly<Record<string, [keyof typeof VERSIONS, (work: any, threads: number) => Promise<Run>]>> = {
  "onnx-image": ["onnxruntime-web", onnxImage],
  "transformers-image": ["@huggingface/transformers", transformersImage],
  "jax-matmul": ["@jax-js/jax", jaxMatmul],
  "jax-block": ["@jax-js/jax", jaxBlock],
};

await serve({}, async (work, threads) => {
  const kind = work["kind"] as string;
  if (!Object.hasOwn(WORK, kind)) throw new RangeError(`Cannot run unknown work: current value is "${kind}"`);
  const [name, make] = WORK[kind]!;
  return { run: await make(work, threads), versions: { [name]: VERSIONS[name] } };
});
