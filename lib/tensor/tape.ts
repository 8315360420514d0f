/**
 * What is kept for the way back, and for how long. tf.js's tape keeps whatever some gradient of an operation may read; this one
 * keeps what the gradients that were asked for will: nothing of an operation that no leaf reaches, no input of a product with a
 * frozen matrix, and of many tensors the shape alone. On the way back tf.js holds all that was kept, and the gradient of every
 * tensor, to the end; here they go once they are read. The same gradients run on the same numbers: their bits are the same.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs";
import { privateParts } from "./private_parts.ts";
import type { Tensor } from "./types.ts";

/** Stands for a tensor of which a gradient reads no more than the shape. Whoever gives it to an operation is told so by tf.js. */
class KeptShape {
  readonly shape: readonly number[];
  readonly rank: number;
  constructor(x: Tensor) {
    this.shape = x.shape;
    this.rank = x.rank;
  }
  /** There is nothing to free. */
  dispose(): void {}
}

type Saved = Tensor | KeptShape;

/** A thunk for each input. */
type InputGradients = Record<string, () => Tensor>;

type GradFunc = (dy: Tensor | Tensor[], saved: Saved[], attrs: unknown) => InputGradients;

/** Parts of tf.js's engine (4.22.0) that its types call private. */
interface Recorder {
  state: { gradientDepth: number; activeTape: { gradient?: (dys: (Tensor | null)[]) => InputGradients }[] };
  getTensorsForGradient(kernelName: string, inputs: tf.NamedTensorMap, outputs: Tensor[]): Tensor[];
  saveTensorsForBackwardMode(tensors: Saved[]): Saved[];
  backend: { incRef(dataId: object): void };
  makeTensorFromTensorInfo(info: tf.TensorInfo): Tensor;
  keep(x: Tensor): Tensor;
  addTapeNode(
    kernelName: string,
    inputs: tf.NamedTensorMap,
    outputs: Tensor[],
    gradient: GradFunc | undefined,
    saved: Saved[],
    attrs: unknown,
  ): void;
}

const RECORDER: readonly (keyof Recorder)[] = [
  ...["state", "backend", "getTensorsForGradient", "saveTensorsForBackwardMode"] as const,
  ...["makeTensorFromTensorInfo", "keep", "addTapeNode"] as const,
];

/** How tf.js differentiates a kernel; what it keeps are tensors to its types. */
interface Differentiable {
  gradFunc?(...of: Parameters<GradFunc>): InputGradients;
}

/** No gradient reads its values. */
const SHAPE: readonly string[] = [];

/** By kernel, for each tensor that its gradients ask for: the inputs whose gradients read its values. Others are kept whole. */
const READ_FOR: Readonly<Record<string, readonly (readonly string[])[]>> = {
  Add: [SHAPE, SHAPE],
  Sub: [SHAPE, SHAPE],
  Reshape: [SHAPE],
  ExpandDims: [SHAPE],
  Slice: [SHAPE],
  PadV2: [SHAPE],
  Sum: [SHAPE],
  Mean: [SHAPE],
  Multiply: [["b"], ["a"]],
  RealDiv: [["b"], ["a", "b"]],
  BatchMatMul: [["b"], ["a"]],
  AceLinear: [["weight"], ["x"]],
  AceConv: [["weight", "gain"], ["x", "gain"], ["x", "weight"]],
  AceMlp: [["weight1", "bias1", "weight2", "bias2"]],
  AceMessages: [["weight1", "bias1", "weight2", "bias2"]],
};

/** Kernels with any number of inputs whose gradients read shapes alone. */
const SHAPES_ONLY: ReadonlySet<string> = new Set(["AddN", "Concat"]);

/** What is recorded for one gradient. */
interface Recording {
  /** Ids of the leaves. */
  leaves: ReadonlySet<number>;
  /** Ids of the tensors that depend on them. */
  reached: Set<number>;
  /** The gradient of the value, which is the caller's. */
  seed: Tensor | undefined;
  /** What the operation whose gradient ran last on the way back was given and had kept. */
  read: { dispose(): void }[];
  /** Gradients that thunks gave. */
  given: WeakSet<Tensor>;
}

let recording: Recording | undefined;

/** Whether a tensor that was kept for a gradient has values, that is, whether a gradient that reads them was asked for. */
export function hasValues(kept: Saved): kept is Tensor {
  return kept instanceof tf.Tensor;
}

/**
 * Runs `f`, which records a tape, so that only what the gradients of the leaves will read is kept, and until they have read it.
 *
 * @param leaves Nothing else will be differentiated by.
 * @param seed The gradient of the value, where the caller gives it.
 */
export function keepingLittle<T>(leaves: readonly Tensor[], seed: Tensor | undefined, f: () => T): T {
  if (recording) { // a gradient inside another's forward pass: one tape for both
    for (const { id } of leaves) recording.reached.add(id);
    return f();
  }
  const ids = leaves.map(({ id }) => id);
  recording = { leaves: new Set(ids), reached: new Set(ids), seed, read: [], given: new WeakSet() };
  const undo = override(privateParts<Recorder>(tf.engine(), RECORDER), recording);
  try {
    return f();
  } finally {
    undo();
    recording = undefined;
  }
}

/** Another tensor of the same data, as a clone is, which tf.js would put on the tape; kept beyond its scope. */
function shareOf(engine: Recorder, { dataId, shape, dtype }: Tensor): Tensor {
  engine.backend.incRef(dataId);
  return engine.keep(engine.makeTensorFromTensorInfo({ dataId, shape, dtype }));
}

/** Puts methods before the engine's own; returns what takes them away. */
function override(engine: Recorder, recording: Recording): () => void {
  const own: Recorder = Object.getPrototypeOf(engine);
  const { reached } = recording;
  const isReached = (x: Tensor | undefined): boolean => x !== undefined && reached.has(x.id);
  const methods: Pick<Recorder, "saveTensorsForBackwardMode" | "addTapeNode"> & {
    getTensorsForGradient(...of: Parameters<Recorder["getTensorsForGradient"]>): Saved[];
  } = {
    getTensorsForGradient(kernelName, inputs, outputs) {
      if (!Object.values(inputs).some(isReached)) return [];
      const tensors = own.getTensorsForGradient.call(engine, kernelName, inputs, outputs);
      if (SHAPES_ONLY.has(kernelName)) return tensors.map((x) => new KeptShape(x));
      const readFor = READ_FOR[kernelName];
      return tensors.map((x, i) =>
        !readFor?.[i] || readFor[i].some((name) => isReached(inputs[name])) ? x : new KeptShape(x)
      );
    },
    saveTensorsForBackwardMode: (tensors) => tensors.map((x) => hasValues(x) ? shareOf(engine, x) : x),
    addTapeNode(kernelName, inputs, outputs, gradient, saved, attrs) {
      if (!Object.values(inputs).some(isReached)) {
        for (const x of saved) x.dispose(); // of a custom gradient
        return;
      }
      for (const { id } of outputs) reached.add(id);
      own.addTapeNode.call(engine, kernelName, inputs, outputs, gradient, saved, attrs);
      const node = engine.state.activeTape.at(-1)!;
      const { gradFunc = gradient }: Differentiable = tf.getGradient(kernelName) ?? {};
      if (!gradFunc) return;
      const run = (dys: Tensor[]): InputGradients => gradFunc(dys.length > 1 ? dys : dys[0]!, saved, attrs);
      node.gradient = freeing(engine, recording, { outputs, saved, gradient: run });
    },
  };
  Object.assign(engine, methods);
  return () => {
    for (const name of Object.keys(methods)) Reflect.deleteProperty(engine, name);
  };
}

/** An operation's gradient that first frees what the one before it, which has been run by then, was given and had kept. */
function freeing(
  engine: Recorder,
  recording: Recording,
  { outputs, saved, gradient }: {
    outputs: readonly Tensor[];
    saved: Saved[];
    gradient: (dys: Tensor[]) => InputGradients;
  },
): (dys: (Tensor | null)[]) => InputGradients {
  return (dys) => {
    const given: Tensor[] = [];
    const isInner = engine.state.gradientDepth > 0; // a gradient of this one may follow
    // Most operations with several results have a gradient of one: zeros are made for what is read.
    const zeros = (i: number): Tensor => {
      const made = tf.zeros(outputs[i]!.shape);
      if (!isInner) recording.read.push(made);
      return made;
    };
    for (const [i, dy] of dys.entries()) {
      if (dy) given[i] = dy;
      else Object.defineProperty(given, i, { get: () => zeros(i), enumerable: true, configurable: true });
    }
    if (isInner) return gradient(given);
    for (const x of recording.read) x.dispose();
    const isFree = (dy: Tensor | null, i: number): dy is Tensor =>
      dy !== null && dy !== recording.seed && !recording.leaves.has(outputs[i]!.id);
    recording.read = [...dys.filter(isFree), ...saved];
    for (const dy of dys) if (dy) recording.given.add(dy);
    // A gradient that is handed on as it is, or to two inputs, is freed once for each.
    const own = (dx: Tensor): Tensor => {
      if (recording.given.has(dx)) return tf.clone(dx);
      recording.given.add(dx);
      return dx;
    };
    return Object.fromEntries(Object.entries(gradient(given)).map(([name, thunk]) => [name, () => own(thunk())]));
  };
}
