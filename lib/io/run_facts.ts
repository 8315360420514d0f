/** What a run was made with: versions and revision. @module */
import * as tf from "@tensorflow/tfjs";

/** Version of this package; equal to deno.json's, which a test checks. */
export const VERSION = "0.1.0";

/** Versions that the numbers depend on. */
export function versions(): Record<string, string> {
  return { "ace-lora": VERSION, deno: Deno.version.deno, v8: Deno.version.v8, tfjs: tf.version["tfjs-core"] };
}

/** What computed a run, with the versions and the revision of the code at the time of asking, as records hold it. */
export async function runFacts<B extends string, A extends string | null>(
  backend: Readonly<{ name: B; adapter: A }>,
): Promise<{ backend: B; adapter: A; versions: Record<string, string>; revision: string | null }> {
  return { backend: backend.name, adapter: backend.adapter, versions: versions(), revision: await gitRevision() };
}

/** The checkout's git revision, read from .git without running git; null outside a checkout or without the permission. */
export async function gitRevision(root: URL = new URL("../../", import.meta.url)): Promise<string | null> {
  const read = (path: string): Promise<string> => Deno.readTextFile(new URL(`.git/${path}`, root));
  try {
    const head = (await read("HEAD")).trim();
    const reference = /^ref: (.+)$/.exec(head)?.[1];
    if (!reference) return head;
    try {
      return (await read(reference)).trim();
    } catch {
      const packed = await read("packed-refs");
      return packed.split("\n").find((line) => line.endsWith(` ${reference}`))?.split(" ")[0] ?? null;
    }
  } catch {
    return null;
  }
}
