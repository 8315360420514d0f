/** An ONNX graph, built operator by operator and written as its protocol buffer. @module */
import { type Field, floatField, integerField, messageField, textField, varint } from "../../io/protobuf.ts";

/** A value of a graph, by its name. */
export type Value = string;

/** Types of values. */
export type OnnxType = "float32" | "int64" | "bool";

/** Attributes of an operator; whole numbers become `INT`, others are told by {@linkcode float}. */
export type Attributes = Readonly<Record<string, number | readonly number[] | string | { float: number }>>;

/** A graph under way. */
export interface OnnxGraph {
  /** What goes in; a dimension is a size or a name. */
  input(name: string, type: OnnxType, shape: readonly (number | string)[]): Value;
  /** Numbers of the graph itself. */
  constant(values: ArrayLike<number>, shape: readonly number[], type?: OnnxType): Value;
  /** Applies an operator of one result. */
  op(type: string, inputs: readonly Value[], attributes?: Attributes): Value;
  /** Applies an operator of several. */
  ops(type: string, inputs: readonly Value[], results: number, attributes?: Attributes): Value[];
  /** What comes out. */
  output(value: Value, name: string, shape: readonly (number | string)[]): void;
  /** The model's file, in pieces. */
  write(about: OnnxDescription): Field;
}

/** What a model's file says of itself. */
export interface OnnxDescription {
  /** The graph's name. */
  name: string;
  /** Version of this package. */
  version: string;
  /** A sentence. */
  text: string;
  /** More of it, by key. */
  metadata: Readonly<Record<string, string>>;
}

/** The operator set: the first with LayerNormalization, which onnxruntime knows since 1.12. */
export const OPSET = 17;

const IR_VERSION = 8;
const ELEMENT_TYPES: Record<OnnxType, number> = { float32: 1, int64: 7, bool: 9 };
const [FLOAT, INT, STRING, INTS] = [1, 2, 3, 7];

/** A float attribute whose value may be whole. */
export function float(value: number): { float: number } {
  return { float: value };
}

/** Starts an empty graph. */
export function onnxGraph(): OnnxGraph {
  const [nodes, initializers, inputs, outputs]: Field[] = [[], [], [], []];
  const known = new Map<string, Value>();
  let count = 0;
  const fresh = (): Value => `v${count++}`;

  const graph: OnnxGraph = {
    input(name, type, shape) {
      inputs!.push(...messageField(11, valueInfo(name, type, shape)));
      return name;
    },
    constant(values, shape, type = "float32") {
      // Small ones recur: shapes, axes, factors.
      const key = values.length <= 8 ? JSON.stringify([Array.from(values), shape, type]) : undefined;
      const before = key && known.get(key);
      if (before) return before;
      const name = fresh();
      initializers!.push(...messageField(5, tensor(name, values, shape, type)));
      if (key) known.set(key, name);
      return name;
    },
    op: (type, operands, attributes) => graph.ops(type, operands, 1, attributes)[0]!,
    ops(type, operands, results, attributes = {}) {
      const names = Array.from({ length: results }, fresh);
      nodes!.push(...node(type, operands, names, attributes));
      return names;
    },
    output(value, name, shape) {
      nodes!.push(...node("Identity", [value], [name], {}));
      outputs!.push(...messageField(12, valueInfo(name, "float32", shape)));
    },
    write({ name, version, text, metadata }) {
      const entry = ([key, value]: [string, string]): Field =>
        messageField(14, [...textField(1, key), ...textField(2, value)]);
      return [
        ...integerField(1, IR_VERSION),
        ...textField(2, "ace-lora"),
        ...textField(3, version),
        ...textField(6, text),
        ...messageField(7, [...nodes!, ...textField(2, name), ...initializers!, ...inputs!, ...outputs!]),
        ...messageField(8, [...textField(1, ""), ...integerField(2, OPSET)]),
        ...Object.entries(metadata).flatMap(entry),
      ];
    },
  };
  return graph;
}

function node(type: string, operands: readonly Value[], results: readonly Value[], attributes: Attributes): Field {
  return messageField(1, [
    ...operands.flatMap((name) => textField(1, name)),
    ...results.flatMap((name) => textField(2, name)),
    ...textField(4, type),
    ...Object.entries(attributes).flatMap(([name, value]) => messageField(5, attribute(name, value))),
  ]);
}

function valueInfo(name: string, type: OnnxType, shape: readonly (number | string)[]): Field {
  const dimension = (size: number | string): Field =>
    messageField(1, typeof size === "number" ? integerField(1, size) : textField(2, size));
  const tensorType = [...integerField(1, ELEMENT_TYPES[type]), ...messageField(2, shape.flatMap(dimension))];
  return [...textField(1, name), ...messageField(2, messageField(1, tensorType))];
}

function tensor(name: string, values: ArrayLike<number>, shape: readonly number[], type: OnnxType): Field {
  const numbers = type === "float32"
    ? (values instanceof Float32Array ? values : Float32Array.from(values))
    : type === "int64"
    ? BigInt64Array.from(Array.from(values), BigInt)
    : Uint8Array.from(values);
  const raw = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  return [
    ...shape.flatMap((size) => integerField(1, size)),
    ...integerField(2, ELEMENT_TYPES[type]),
    ...textField(8, name),
    ...messageField(9, [raw]),
  ];
}

function attribute(name: string, value: Attributes[string]): Field {
  if (typeof value === "string") return [...textField(1, name), ...textField(4, value), ...integerField(20, STRING)];
  if (typeof value === "number") return [...textField(1, name), ...int64Field(3, value), ...integerField(20, INT)];
  if ("float" in value) return [...textField(1, name), ...floatField(2, value.float), ...integerField(20, FLOAT)];
  return [...textField(1, name), ...value.flatMap((part) => int64Field(8, part)), ...integerField(20, INTS)];
}

/** A whole number that may be negative: two's complement in 64 bits. */
function int64Field(field: number, value: number): Field {
  if (value >= 0) return integerField(field, value);
  const bytes: number[] = [];
  for (let rest = BigInt.asUintN(64, BigInt(value)); rest > 0n; rest >>= 7n) bytes.push(Number(rest & 127n) + 128);
  bytes[bytes.length - 1]! -= 128;
  return [varint(field * 8), Uint8Array.from(bytes)];
}
