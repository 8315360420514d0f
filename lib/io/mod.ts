/**
 * Files of weights, adapters and tables: safetensors, PyTorch archives, PEFT folders. Bytes in, plain records out.
 *
 * @module
 */
export * from "./adapter_record.ts";
export * from "./adapters.ts";
export * from "./byte_source.ts";
export * from "./describe.ts";
export * from "./files.ts";
export * from "./key_report.ts";
export * from "./open.ts";
export * from "./pickle.ts";
export * from "./safetensors.ts";
export * from "./tensor_file.ts";
export * from "./tensors.ts";
export * from "./torch_archive.ts";
export * from "./torch_tree.ts";
export * from "./torch_writer.ts";
