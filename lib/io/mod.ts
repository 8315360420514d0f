/**
 * Files: safetensors, PyTorch archives, what a file is, atomic writes, hashes.
 *
 * @module
 */
export * from "./byte_source.ts";
export * from "./files.ts";
export * from "./hash_path.ts";
export * from "./key_report.ts";
export * from "./lock.ts";
export * from "./open.ts";
export * from "./pickle.ts";
export * from "./run_facts.ts";
export * from "./safetensors.ts";
export * from "./tensor_file.ts";
export * from "./tensors.ts";
export * from "./torch_archive.ts";
export * from "./torch_tree.ts";
export * from "./torch_writer.ts";
export * from "./tree.ts";
