/**
 * Files of weights, adapters and tables: safetensors, PyTorch archives, PEFT folders. Bytes in, plain records out.
 *
 * @module
 */
export * from "./byte_source.ts";
export * from "./files.ts";
export * from "./safetensors.ts";
export * from "./tensor_file.ts";
export * from "./tensors.ts";
