/** Opens a weights file by what it holds, not by its name. @module */
import { fileSource } from "./byte_source.ts";
import { openSafetensors } from "./safetensors.ts";
import { isShardIndex, openShardIndex, openShards, shardSet } from "./shards.ts";
import type { TensorFile } from "./tensor_file.ts";
import { openTorch } from "./torch_archive.ts";
import { unreadable } from "./_errors.ts";

const startsWith = (bytes: Uint8Array, text: string, start = 0): boolean =>
  [...text].every((char, i) => bytes[start + i] === char.charCodeAt(0));

async function firstBytes(path: string): Promise<Uint8Array> {
  const source = await fileSource(path);
  try {
    return await source.read(0, Math.min(512, source.size));
  } finally {
    source.close();
  }
}

/**
 * Opens a safetensors file or a PyTorch archive, told apart by content; or several as one, given their index
 * (`model.safetensors.index.json`) or one of `model-00001-of-00002.safetensors`. The caller closes it.
 *
 * @throws {SyntaxError} If it is none of these, or damaged; the message names the file and says what it looks like.
 */
export async function openTensorFile(path: string): Promise<TensorFile> {
  if (isShardIndex(path)) return await openShardIndex(path, openSingle);
  const shards = shardSet(path);
  return shards ? await openShards(shards, path, openSingle) : await openSingle(path);
}

async function openSingle(path: string): Promise<TensorFile> {
  const head = await firstBytes(path);
  const fail = (reason: string): SyntaxError => unreadable(path, "weights", reason);
  if (startsWith(head, "PK\x03\x04") || startsWith(head, "PK\x05\x06")) return await openTorch(path);
  if (head.length === 0) throw fail("it is empty");
  if (startsWith(head, "version https://git-lfs")) {
    throw fail("it is a Git LFS pointer: fetch the file it stands for (git lfs pull)");
  }
  if (startsWith(head, "<")) throw fail("it is a web page: download the file itself");
  if (head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5) {
    throw fail(
      "it is PyTorch's legacy format (a bare pickle): load it with torch and save it again, which writes a zip archive",
    );
  }
  if (startsWith(head, "ustar", 257)) {
    throw fail("it is PyTorch's legacy tar format: load it with torch and save it again, which writes a zip archive");
  }
  if (head[8] === 0x7b) return await openSafetensors(path);
  throw fail("it must be a safetensors file or a PyTorch zip archive");
}
