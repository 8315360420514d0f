/**
 * The bench's JavaScript peers, onnxruntime-web and jax-js, in a process of their own with the protocol of torch_peer.py.
 *
 * They are imported by computed names and run without the project's configuration, so that neither the package, its lock
 * file nor its checks know them:
 * `deno run --no-config --no-lock --allow-read --allow-env bench/peers/js_peer.ts`
 *
 * @module
 */
// deno-lint-ignore-file no-explicit-any -- the peers' types are not there when the project is checked

const VERSIONS = { "onnxruntime-web": "1.30.0", "@jax-js/jax": "0.1.25" };
type Run = () => Promise<void>;

/** Imports a peer by a name that no checker resolves. */
async function load(name: keyof typeof VERSIONS): Promise<any> {
  const specifier = ["npm:", name, "@", VERSIONS[name]].join("");
  return await import(specifier);
}

async function onnxImage(work: { path: string; batch: number; side: number }, threads: number): Promise<Run> {
  const ort = await load("onnxruntime-web");
  ort.env.wasm.numThreads = threads;
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(await Deno.readFile(work.path), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
  const { batch, side } = work;
  const values = Float32Array.from({ length: batch * 3 * side * side }, (_, i) => Math.sin(i));
  const pixels = new ort.Tensor("float32", values, [batch, 3, side, side]);
  return async () => {
    const { tokens } = await session.run({ pixels });
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
  frozen.fc1 = ramp(np, [width, hidden], 0.05);
  frozen.fc2 = ramp(np, [hidden, width], 0.05);
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

async function makeRun(work: any, threads: number): Promise<Run> {
  if (work.kind === "onnx-image") return await onnxImage(work, threads);
  if (work.kind === "jax-matmul") return await jaxMatmul(work, threads);
  if (work.kind === "jax-block") return await jaxBlock(work, threads);
  throw new RangeError(`Cannot run unknown work: current value is "${work.kind}"`);
}

const jobs = new Map<string, Run>();

async function answer(request: any): Promise<object> {
  if (request.do === "setup") {
    jobs.set(request.id, await makeRun(request.work, request.threads));
    return {};
  }
  if (request.do === "drop") {
    jobs.delete(request.id);
    return {};
  }
  const start = performance.now();
  await jobs.get(request.id)!();
  return { seconds: (performance.now() - start) / 1000 };
}

const encoder = new TextEncoder();
const send = (value: object): Promise<number> => Deno.stdout.write(encoder.encode(JSON.stringify(value) + "\n"));
// The libraries' own chatter must not reach the protocol.
console.log = console.info = console.debug = console.error;
await send({ ...VERSIONS, deno: Deno.version.deno });
let rest = "";
for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + text).split("\n");
  rest = lines.pop()!;
  for (const line of lines) {
    try {
      await send(await answer(JSON.parse(line)));
    } catch (error) {
      await send({ error: (error as Error).message.split("\n")[0]! });
    }
  }
}
Deno.exit(0);
