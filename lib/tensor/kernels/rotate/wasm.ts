/** Pairs turned by rotate.c: tf.js's reverse takes each number by its coordinates. @module */
import * as tf from "@tensorflow/tfjs";
import { output, type WasmCall } from "../../wasm/module.ts";
import { runRows } from "../../wasm/rows.ts";
import type { Info3D } from "../info.ts";

/** A rough speed of one thread, which only decides on threads. */
const FLOATS_PER_MS = 8e5;

/** AceRotate. */
export function rotate({ inputs: { x, cos, sin }, attrs: { back }, backend }: WasmCall<"AceRotate">): Info3D {
  const y = output(backend, x.shape);
  const [period, width] = cos.shape;
  const size = tf.util.sizeFromShape(x.shape);
  runRows(backend, {
    name: "rotate",
    args: [period, width, x, cos, sin, Number(back), y],
    results: [y],
    rows: size / width,
    milliseconds: size / FLOATS_PER_MS,
  });
  return y;
}
