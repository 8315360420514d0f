/** Writes tar archives for tests. @module */

/** An archive of ustar. */
export function tar(files: readonly (readonly [name: string, content: string | Uint8Array])[]): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (const [name, content] of files) {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const head = new Uint8Array(512);
    const put = (at: number, text: string): void => void head.set(new TextEncoder().encode(text), at);
    put(0, name);
    put(100, "0000600\0");
    put(124, `${bytes.length.toString(8).padStart(11, "0")}\0`);
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    put(148, `${head.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0")}\0 `);
    const body = new Uint8Array(Math.ceil(bytes.length / 512) * 512);
    body.set(bytes);
    blocks.push(head, body);
  }
  return new Uint8Array([...blocks, new Uint8Array(1024)].flatMap((block) => [...block]));
}
