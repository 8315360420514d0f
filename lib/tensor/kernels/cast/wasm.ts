/** tf.js's wasm `Cast` copies what has the type already, as the gradient of every clone does. Here they share their data. @module */
import type { WasmBackend, WasmCall } from "../../wasm/module.ts";
import { identity } from "../identity/wasm.ts";
import type { TensorInfo } from "../info.ts";
import type { Kernel } from "../interface.ts";

/** Cast. */
export function cast(call: WasmCall<"Cast">, tfjs: Kernel<"Cast", WasmBackend>): TensorInfo {
  const { inputs, attrs, backend } = call;
  return attrs.dtype === inputs.x.dtype ? identity({ inputs, attrs: {}, backend }) : tfjs(call);
}
