/** tf.js's wasm `Identity` copies; every tensor saved for a gradient goes through it. Here clones share their data. @module */
import type { WasmCall } from "../../wasm/module.ts";
import type { TensorInfo } from "../info.ts";

/** Identity. */
export function identity({ inputs: { x }, backend }: WasmCall<"Identity">): TensorInfo {
  const { dataId, shape, dtype } = x;
  backend.incRef(dataId);
  return { dataId, shape, dtype };
}
