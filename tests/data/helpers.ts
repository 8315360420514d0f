/** Fake layouts in temporary folders, and where the real data is. */
import { fromFileUrl, join } from "@std/path";
import { encode } from "fast-png";

/** Folder of real data, outside the repository. */
export const REAL_DATA: string = Deno.env.get("ACE_REAL_DATA") ??
  fromFileUrl(new URL("../../../shared/data", import.meta.url));

/** Options of a test that needs part of the real data: skipped, with the reason in its name, where it is absent. */
export function needs(part: string, name: string): { name: string; ignore: boolean } {
  let present = true;
  try {
    Deno.statSync(join(REAL_DATA, part));
  } catch {
    present = false;
  }
  return { name: present ? name : `${name} (skipped: no ${part} under ACE_REAL_DATA)`, ignore: !present };
}

/** A 2x2 grey PNG whose first pixel is `value`. */
export function png(value = 0): Uint8Array {
  return encode({ width: 2, height: 2, channels: 1, depth: 8, data: new Uint8Array([value, 1, 2, 3]) });
}

/** Writes files (text, bytes) into a new folder, runs `body` and removes the folder. */
export async function withFiles(
  files: Record<string, string | Uint8Array>,
  body: (root: string) => Promise<void>,
): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "ace_data_" });
  try {
    for (const [name, content] of Object.entries(files)) {
      const path = join(root, name);
      await Deno.mkdir(join(path, ".."), { recursive: true });
      if (typeof content === "string") await Deno.writeTextFile(path, content);
      else await Deno.writeFile(path, content);
    }
    await body(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** `bytes` or text, gzipped. */
export async function gzip(content: string): Promise<Uint8Array> {
  const stream = new Blob([content]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
