/**
 * Files: safetensors, PyTorch archives, what a file is, atomic writes, hashes.
 *
 * @module
 */
export { type ByteSource, bytesSource, fileSource, readSmallText } from "./byte_source.ts";
export {
  checkWritable,
  exists,
  writeAll,
  writeFileAtomic,
  writeFileAtomicWith,
  type WriteFileOptions,
} from "./files.ts";
export { hashPath } from "./hash_path.ts";
export {
  bareName,
  checkKeys,
  formatKeyReport,
  isShape,
  type KeyReport,
  KeyReportError,
  type KeyReportOptions,
  type MisshapenKey,
  reportKeys,
} from "./key_report.ts";
export { type HeldLock, LockedError, lockFile } from "./lock.ts";
export { openTensorFile } from "./open.ts";
export { gitRevision, VERSION, versions } from "./run_facts.ts";
export {
  decodeSafetensors,
  encodeSafetensors,
  type NamedTensors,
  openSafetensors,
  readSafetensors,
  type SafetensorsContent,
  writeSafetensors,
} from "./safetensors.ts";
export { readAllTensors, readFinite, type TensorFile } from "./tensor_file.ts";
export { readAtMost, TooLongError } from "./read_at_most.ts";
export {
  checkFinite,
  DTYPE_BYTES,
  elementCount,
  float32Tensor,
  type TensorData,
  type TensorDtype,
  type TensorEntry,
  toFloat32,
} from "./tensors.ts";
export { checkedField, FieldError, type FieldRule, FINITE, WHOLE } from "./fields.ts";
export { loadTorch, openTorch } from "./torch_archive.ts";
export type { PickleValue } from "./torch_tree.ts";
export { type TorchTree, writeTorch } from "./torch_writer.ts";
export {
  loadTree,
  type LoadTreeOptions,
  openTree,
  recordField,
  saveTree,
  stored,
  storedTensors,
  type StoredTree,
  textField,
  TreeError,
  type TreeFields,
} from "./tree.ts";
export type { FileInfo, OpenFile } from "../platform/files.ts";
