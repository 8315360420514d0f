/**
 * Builds the C kernels into `kernels_binary.ts`: `deno run --allow-read --allow-write --allow-run=clang-16 build.ts`.
 * Needs clang 16 and lld 16 (`wasm-ld-16`); nobody else does, as the result is kept in the repository.
 *
 * @module
 */

/** The source directory. */
const SOURCE = new URL("./", import.meta.url);

const FLAGS = [
  "--target=wasm32",
  "-O3",
  "-std=c11",
  "-ffreestanding",
  "-nostdlib",
  "-fno-builtin",
  "-fno-math-errno",
  "-ffp-contract=off",
  "-mbulk-memory",
  "-msimd128",
  "-Wall",
  "-Wl,--no-entry",
  "-Wl,--import-memory",
  // A limit, as tfjs's memory has, and because a memory shared between threads must have one.
  "-Wl,--max-memory=4294967296",
  "-Wl,--export=__stack_pointer",
  "-Wl,-z,stack-size=65536",
  "-Wl,--strip-all",
];

/**
 * Compiles `kernels.c`.
 *
 * @param relaxed Whether relaxed SIMD (a fused multiply-add) may be used.
 * @returns The wasm file's bytes.
 * @throws {Error} If clang reports an error, or the binary has static data (it would overwrite tfjs's).
 */
export async function compileKernels(relaxed: boolean): Promise<Uint8Array<ArrayBuffer>> {
  const out = await Deno.makeTempFile({ suffix: ".wasm" });
  try {
    const args = [...FLAGS, ...(relaxed ? ["-mrelaxed-simd"] : []), "-o", out, "kernels.c"];
    const { success, stderr } = await new Deno.Command("clang-16", { args, cwd: SOURCE }).output();
    if (!success) throw new Error(`Cannot compile kernels.c: ${new TextDecoder().decode(stderr)}`);
    const bytes = await Deno.readFile(out);
    if (hasDataSection(bytes)) {
      throw new Error("Cannot use kernels.c as it has static data, which tfjs's memory cannot");
    }
    return bytes;
  } finally {
    await Deno.remove(out);
  }
}

/** Whether a wasm file has a data section (number 11). */
export function hasDataSection(bytes: Uint8Array): boolean {
  for (let at = 8; at < bytes.length;) {
    const id = bytes[at++];
    let size = 0;
    for (let shift = 0;; shift += 7) {
      const byte = bytes[at++]!;
      size |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    if (id === 11) return true;
    at += size;
  }
  return false;
}

/** The text of `kernels_binary.ts`. */
export function binaryModule(plain: Uint8Array<ArrayBuffer>, relaxed: Uint8Array<ArrayBuffer>): string {
  return `// deno-fmt-ignore-file
/** The compiled kernels, in base64. Made by build.ts from kernels.c: do not edit. @module */

/** Plain SIMD. */
export const PLAIN = "${plain.toBase64()}";

/** Relaxed SIMD: a multiply-add is one instruction. */
export const RELAXED = "${relaxed.toBase64()}";
`;
}

if (import.meta.main) {
  const text = binaryModule(await compileKernels(false), await compileKernels(true));
  await Deno.writeTextFile(new URL("kernels_binary.ts", SOURCE), text);
  console.log(`kernels_binary.ts: ${text.length} characters`);
}
