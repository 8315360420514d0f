/** Reads the tensors a model expects out of an open weights file. @module */
import type { CheckpointTensor } from "./tensors.ts";
import { checkKeys, formatKeyReport, KeyReportError } from "../../io/key_report.ts";
import { readFinite, type TensorFile } from "../../io/tensor_file.ts";
import { toFloat32 } from "../../io/tensors.ts";

/**
 * A reader of tensors by the names a model has for them, whatever prefix the file puts before them.
 *
 * @param file An open file; read from later.
 * @param expected Shapes by the model's names.
 * @param note Takes the table of missing, misshapen and unused tensors, when there are any.
 * @throws {SyntaxError} If a tensor is missing or misshapen.
 */
export function weightsReader(
  file: TensorFile,
  expected: ReadonlyMap<string, readonly number[]>,
  note: (text: string) => void = () => {},
): (name: string) => Promise<CheckpointTensor> {
  try {
    const report = checkKeys(expected, file);
    if (report.unused.length > 0) note(formatKeyReport(report));
    return async (name) => {
      const tensor = await readFinite(file, report.matched.get(name)!);
      return { shape: tensor.shape, values: toFloat32(tensor) };
    };
  } catch (error) {
    if (error instanceof KeyReportError) note(formatKeyReport(error.report));
    throw error;
  }
}
