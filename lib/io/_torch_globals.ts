/** The globals a PyTorch state dict may ask for, and what they build. @module */
import { findNumpyGlobal } from "./_numpy_scalar.ts";
import { isOpaqueGlobal } from "./_opaque_globals.ts";
import type { PickleGlobal, Stateful } from "./_pickle_machine.ts";
import { globalOf } from "./_pickle_machine.ts";
import type { TensorDtype } from "./tensors.ts";
import { elementCount } from "./tensors.ts";
import { quoted } from "./_errors.ts";
import { viewSpan } from "./_strides.ts";

/** One storage of the archive: the record `data/<key>`. */
class TorchStorage {
  readonly key: string;
  readonly dtype: TensorDtype;
  readonly count: number;

  constructor(key: string, dtype: TensorDtype, count: number) {
    this.key = key;
    this.dtype = dtype;
    this.count = count;
  }
}

/** A tensor that has not been read: a strided view of a storage. */
export class TorchView {
  readonly storage: TorchStorage;
  readonly dtype: TensorDtype;
  /** In elements of `dtype`, as the strides are. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];

  constructor(
    storage: TorchStorage,
    dtype: TensorDtype,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
  ) {
    this.storage = storage;
    this.dtype = dtype;
    this.offset = offset;
    this.shape = shape;
    this.strides = strides;
  }
}

const STORAGE_TYPES: Readonly<Record<string, TensorDtype>> = {
  "torch.FloatStorage": "F32",
  "torch.HalfStorage": "F16",
  "torch.BFloat16Storage": "BF16",
  "torch.DoubleStorage": "F64",
  "torch.LongStorage": "I64",
  "torch.IntStorage": "I32",
  "torch.ShortStorage": "I16",
  "torch.CharStorage": "I8",
  "torch.ByteStorage": "U8",
  "torch.BoolStorage": "BOOL",
  "torch.storage.UntypedStorage": "U8",
};

const DTYPE_GLOBALS: Readonly<Record<string, TensorDtype>> = {
  "torch.float32": "F32",
  "torch.float16": "F16",
  "torch.bfloat16": "BF16",
  "torch.float64": "F64",
  "torch.int64": "I64",
  "torch.int32": "I32",
  "torch.int16": "I16",
  "torch.int8": "I8",
  "torch.uint8": "U8",
  "torch.bool": "BOOL",
};

/** Most dimensions of a tensor read. */
const MAX_RANK = 64;

function sizes(value: unknown, what: string): number[] {
  if (!Array.isArray(value) || value.length > MAX_RANK || !value.every((x) => Number.isSafeInteger(x) && x >= 0)) {
    throw new Error(`a tensor's ${what} must be a tuple of sizes`);
  }
  return [...value];
}

function makeView(args: readonly unknown[], dtype: TensorDtype): TorchView {
  const [storage, offset] = args;
  if (!(storage instanceof TorchStorage)) throw new Error("a tensor must be built on a storage");
  const [shape, strides] = [sizes(args[2], "shape"), sizes(args[3], "strides")];
  if (shape.length !== strides.length) throw new Error("a tensor's shape and strides must have the same length");
  const [start = 0] = sizes([offset], "offset");
  const end = start + viewSpan(shape, strides);
  if (!(end <= storage.count)) {
    throw new Error(
      `a tensor [${shape.slice(0, 8)}] must lie within its storage of ${storage.count} elements: it ends at ${end}`,
    );
  }
  if (!Number.isSafeInteger(elementCount(shape) * 8)) throw new Error(`a tensor is too large: [${shape.slice(0, 8)}]`);
  return new TorchView(storage, dtype, start, shape, strides);
}

function checkNoMetadata(value: unknown): void {
  if (value === undefined || value === null || (value instanceof Map && value.size === 0)) return;
  throw new Error("a tensor has flags (conjugate or negative), which are not read");
}

function rebuildTensorV2(args: readonly unknown[]): TorchView {
  const [storage] = args;
  checkNoMetadata(args[6]);
  if (!(storage instanceof TorchStorage)) throw new Error("a tensor must be built on a storage");
  return makeView(args, storage.dtype);
}

/** As v2, on an untyped storage, with the type as an argument; here only for bytes and booleans, whose elements are bytes. */
function rebuildTensorV3(args: readonly unknown[]): TorchView {
  const dtype = DTYPE_GLOBALS[globalOf(args[6]) ?? ""];
  checkNoMetadata(args[7]);
  if (dtype !== "U8" && dtype !== "BOOL" && dtype !== "I8") {
    throw new Error("a tensor on an untyped storage must hold bytes");
  }
  return makeView(args, dtype);
}

function rebuildParameter(args: readonly unknown[]): TorchView {
  if (!(args[0] instanceof TorchView)) throw new Error("a parameter must be built on a tensor");
  return args[0];
}

function isPair(value: unknown): value is [string, unknown] {
  return Array.isArray(value) && value.length === 2 && typeof value[0] === "string";
}

function orderedDict(args: readonly unknown[]): Map<unknown, unknown> {
  if (args.length === 0) return new Map();
  const [pairs] = args; // protocol 2 of Python 2 gives a list of pairs
  if (!Array.isArray(pairs) || !pairs.every(isPair)) throw new Error("an OrderedDict must be built from pairs");
  const map = new Map<unknown, unknown>(pairs);
  if (map.size !== pairs.length) throw new Error("an OrderedDict has a key twice");
  return map;
}

/** A module of a TorchScript program: its attributes by name, tensors and modules among them. */
class ScriptModule extends Map<unknown, unknown> implements Stateful {
  setState(state: unknown): void {
    if (!(state instanceof Map)) throw new Error("a TorchScript module's state must be a dict");
    for (const [name, value] of state) this.set(name, value);
  }
}

/** TorchScript writes typed lists as calls on a list. Source: torch/jit/_pickle.py. */
const typedList = (args: readonly unknown[]): unknown => args[0];

const FUNCTIONS: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = {
  "torch._utils._rebuild_tensor_v2": rebuildTensorV2,
  "torch._utils._rebuild_tensor_v3": rebuildTensorV3,
  "torch._utils._rebuild_parameter": rebuildParameter,
  "torch.Size": (args) => Object.freeze(sizes(args[0], "size")),
  "collections.OrderedDict": orderedDict,
  "collections.defaultdict": () => new Map(),
  "collections.Counter": ([counts]) => counts instanceof Map ? counts : new Map(),
  "torch.jit._pickle.build_intlist": typedList,
  "torch.jit._pickle.build_doublelist": typedList,
  "torch.jit._pickle.build_boollist": typedList,
  "torch.jit._pickle.build_tensorlist": typedList,
  "torch.jit._pickle.restore_type_tag": typedList,
};

/** The allowed global of a dotted name, or undefined. */
export function findTorchGlobal(dotted: string): PickleGlobal | undefined {
  if (Object.hasOwn(FUNCTIONS, dotted)) return { global: dotted, call: FUNCTIONS[dotted]! };
  if (Object.hasOwn(STORAGE_TYPES, dotted) || Object.hasOwn(DTYPE_GLOBALS, dotted)) return { global: dotted };
  if (dotted.startsWith("__torch__.")) return { global: dotted, create: () => new ScriptModule() };
  return findNumpyGlobal(dotted) ?? (isOpaqueGlobal(dotted) ? { global: dotted, opaque: true } : undefined);
}

/** The storage of a persistent id `("storage", type, key, location, count)`. */
export function loadStorage(id: unknown): TorchStorage {
  const [kind, type, key, , count] = Array.isArray(id) ? id : [];
  const global = type?.global;
  const dtype = typeof global === "string" && Object.hasOwn(STORAGE_TYPES, global) ? STORAGE_TYPES[global] : undefined;
  if (kind !== "storage" || dtype === undefined || typeof key !== "string") {
    throw new Error('a persistent id must be ("storage", type, key, location, count)');
  }
  if (!/^[A-Za-z0-9_]{1,64}$/.test(key)) throw new Error(`a storage's key must be a number: found ${quoted(key)}`);
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new Error(`storage ${quoted(key)} must have a size: found ${quoted(String(count))}`);
  }
  return new TorchStorage(key, dtype, count);
}
