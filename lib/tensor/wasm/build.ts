/**
 * Builds the C kernels into `kernels_binary.ts`, and the resize and the JPEG decoder into `lib/image/_*_binary.ts`:
 * `deno run --allow-read --allow-write --allow-run=clang-16 build.ts`.
 * Needs clang 16 and lld 16 (`wasm-ld-16`); nobody else does, as the result is kept in the repository.
 *
 * @module
 */
import { keysOf } from "../../platform/known_keys.ts";

/** The source directory. */
const SOURCE = new URL("./", import.meta.url);

/** That of the resize and the JPEG decoder, whose binaries have memories of their own. */
const IMAGE = new URL("../../image/", import.meta.url);

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
  "-Wl,-z,stack-size=65536",
  "-Wl,--strip-all",
];

const IN_TFJS_MEMORY = [
  "-Wl,--import-memory",
  // A limit, as tfjs's memory has, and because a memory shared between threads must have one.
  "-Wl,--max-memory=4294967296",
  "-Wl,--export=__stack_pointer",
];

/**
 * Compiles `kernels.c`.
 *
 * @param relaxed Whether relaxed SIMD (a fused multiply-add) may be used.
 * @returns The wasm file's bytes.
 * @throws {Error} If clang reports an error, or the binary has static data (it would overwrite tfjs's).
 */
export async function compileKernels(relaxed: boolean): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await compile(SOURCE, "kernels.c", [...IN_TFJS_MEMORY, ...(relaxed ? ["-mrelaxed-simd"] : [])]);
  if (hasDataSection(bytes)) {
    throw new Error("Cannot use kernels.c as it has static data, which tfjs's memory cannot");
  }
  return bytes;
}

/** The programs in `lib/image`, by file, and the functions of each. */
export const IMAGE_PROGRAMS = {
  _resample: ["across", "down"],
  _jpeg_grey: ["begin", "rows", "is_over"],
} as const;

/** Compiles one of them. */
export async function compileImageProgram(name: keyof typeof IMAGE_PROGRAMS): Promise<Uint8Array<ArrayBuffer>> {
  const functions = [...IMAGE_PROGRAMS[name], "__heap_base"].map((symbol) => `--export=${symbol}`);
  return await compile(IMAGE, `${name}.c`, ["-Wl,--export-memory", `-Wl,${functions.join()}`]);
}

async function compile(cwd: URL, source: string, flags: readonly string[]): Promise<Uint8Array<ArrayBuffer>> {
  const out = await Deno.makeTempFile({ suffix: ".wasm" });
  try {
    const args = [...FLAGS, ...flags, "-o", out, source];
    const { success, stderr } = await new Deno.Command("clang-16", { args, cwd }).output();
    if (!success) throw new Error(`Cannot compile ${source}: ${new TextDecoder().decode(stderr)}`);
    return await Deno.readFile(out);
  } finally {
    await Deno.remove(out);
  }
}

/** Whether a wasm file has a data section (number 11). */
export function hasDataSection(bytes: Uint8Array): boolean {
  for (let offset = 8; offset < bytes.length;) {
    const id = bytes[offset++];
    let size = 0;
    for (let shift = 0;; shift += 7) {
      const byte = bytes[offset++]!;
      size |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    if (id === 11) return true;
    offset += size;
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

/** The text of such a program's `_binary.ts`. */
export function imageModule(name: keyof typeof IMAGE_PROGRAMS, bytes: Uint8Array<ArrayBuffer>): string {
  return `// deno-fmt-ignore-file
/** ${name}.c compiled, in base64. Made by lib/tensor/wasm/build.ts: do not edit. @module */

/** The module. */
export const ${name.slice(1).toUpperCase()} = "${bytes.toBase64()}";
`;
}

if (import.meta.main) {
  const text = binaryModule(await compileKernels(false), await compileKernels(true));
  await Deno.writeTextFile(new URL("kernels_binary.ts", SOURCE), text);
  console.log(`kernels_binary.ts: ${text.length} characters`);
  for (const name of keysOf(IMAGE_PROGRAMS)) {
    await Deno.writeTextFile(new URL(`${name}_binary.ts`, IMAGE), imageModule(name, await compileImageProgram(name)));
  }
}
