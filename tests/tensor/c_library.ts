/** Compiles C of this folder to a library, for the tests that need one. */
import { fromFileUrl } from "@std/path";

/** Compilers by preference, and how each makes a library; clang alone has no linker. */
const COMPILERS: [command: string, flags: string[]][] = [["cc", []], ["clang-16", ["-fuse-ld=lld"]]];

/** Compiles a file of this folder to a shared library. False where no compiler can. */
export async function compileLibrary(source: string, path: string, flags: readonly string[] = []): Promise<boolean> {
  for (const [command, more] of COMPILERS) {
    const from = fromFileUrl(new URL(source, import.meta.url));
    const args = ["-shared", "-fPIC", "-O2", ...more, ...flags, "-o", path, from];
    const { success } = await new Deno.Command(command, { args, stderr: "null" }).output().catch(() => ({
      success: false,
    }));
    if (success) return true;
  }
  return false;
}
