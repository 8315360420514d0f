/** Starts programs of these tests in processes of their own, with the permissions of the native task or others. */
import { fromFileUrl } from "@std/path";

const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));

/** What native products need. */
export const NATIVE: readonly string[] = ["--allow-ffi", "--allow-env=OPENBLAS_CORETYPE,DENO_V8_FLAGS"];

/** What a program said. */
export interface Said {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program of this folder, or another by its URL. */
export async function runProgram(
  program: string | URL,
  args: readonly string[],
  permissions: readonly string[],
  env: Record<string, string> = {},
): Promise<Said> {
  const path = fromFileUrl(new URL(program, import.meta.url));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--config", CONFIG, ...permissions, path, ...args],
    stdin: "null",
    env: { NO_COLOR: "1", ...env },
  }).output();
  const decoder = new TextDecoder();
  return { code, stdout: decoder.decode(stdout), stderr: decoder.decode(stderr) };
}

/** Products of many forms with a choice of library. */
export function runBlas(blas: string, permissions: readonly string[] = NATIVE, env = {}): Promise<Said> {
  return runProgram("./blas_program.ts", [blas], permissions, env);
}
