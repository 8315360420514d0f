/** A model whose towers are files of their own, as PMC-CLIP was given: opened as one. @module */
import { basename, dirname, join } from "@std/path";
import { openTensorFile } from "../../io/open.ts";
import type { TensorFile } from "../../io/tensor_file.ts";
import { system } from "../../platform/system.ts";

/** The file that stands for the others. */
export const IMAGE_TOWER_FILE = "image_encoder(resnet50).pth";

/** The files, and how their tensors are named together: a lone tensor is called `tensor` in its own. */
const FILES: Readonly<Record<string, (name: string) => string>> = {
  [IMAGE_TOWER_FILE]: (name) => `visual.${name}`,
  "text_encoder.pth": (name) => `text_encoder.${name}`,
  "text_projection_layer.pth": () => "text_projection",
};

/** Names of the other files. */
export const OTHER_TOWER_FILES: readonly string[] = Object.keys(FILES).slice(1);

/** Set beside the tensors of a model that was put together. */
export const IN_TOWER_FILES = "towers in files of their own";

/**
 * Opens a model by the file of its image tower; undefined for a file of another name. The caller closes it.
 *
 * @throws {SyntaxError} If one of the others is not beside it.
 */
export async function openTowerFiles(path: string): Promise<TensorFile | undefined> {
  if (basename(path) !== IMAGE_TOWER_FILE) return undefined;
  const files: TensorFile[] = [];
  const owners = new Map<string, { file: TensorFile; name: string }>();
  const close = (): void => files.forEach((file) => file.close());
  try {
    for (const [own, rename] of Object.entries(FILES)) {
      const part = join(dirname(path), own);
      if (!await system.stat(part).then(() => true, () => false)) {
        throw new SyntaxError(`Cannot read "${path}" as a CLIP as ${own} must be beside it: it is missing`);
      }
      const file = await openTensorFile(part);
      files.push(file);
      for (const name of file.entries.keys()) owners.set(rename(name), { file, name });
    }
  } catch (error) {
    close();
    throw error;
  }
  return {
    path,
    format: files[0]!.format,
    entries: new Map([...owners].map(([name, owner]) => [name, owner.file.entries.get(owner.name)!])),
    metadata: { [IN_TOWER_FILES]: true },
    read: (name) => {
      const owner = owners.get(name);
      if (owner) return owner.file.read(owner.name);
      return Promise.reject(new RangeError(`Cannot read "${name}" as "${path}" has no such tensor`));
    },
    close,
  };
}
