/** The trained head that `segment` and `detect` use. @module */
import { join } from "@std/path";
import type { DenseEncoder } from "../dense/encoder.ts";
import { type DenseHead, loadHead, OtherEncoderError, type StoredHead } from "../dense/files.ts";
import { exists } from "../io/files.ts";
import type { Arguments } from "./command.ts";
import type { DenseTask } from "./dense_task.ts";

/** The head that `--head` names, whatever encoder it was trained on: it is read before the model is. */
export async function headOf<H extends DenseHead, F>(
  { name, init, checkConfig }: DenseTask<H, F>,
  args: Arguments,
  out: string,
): Promise<StoredHead<H> & { path: string }> {
  const path = args.text("head") ?? join(out, "head.safetensors");
  if (!await exists(path)) {
    throw new Deno.errors.NotFound(
      `Cannot use "${path}" as a head as it must be a file that "${name} train" wrote: there is none (--head names another)`,
    );
  }
  return { ...await loadHead<H>(path, { task: name, init, checkConfig }), path };
}

/** @throws {OtherEncoderError} If the head was trained on another encoder. */
export function checkTrainedOn(
  { path, encoder }: Pick<StoredHead<DenseHead>, "encoder"> & { path: string },
  used: DenseEncoder,
): void {
  if (encoder !== used.hash) throw new OtherEncoderError(path, encoder, used.hash);
}

/** The classes of a head that tells them apart. */
export function classesOf({ config }: DenseHead): readonly string[] {
  return (config as { classes?: readonly string[] }).classes ?? [];
}
