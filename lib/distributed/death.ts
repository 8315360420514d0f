/** That a process dies before its time is told, whoever started it: by the shell that `deno task mpi` starts each in, `rank.sh`. @module */
import { readVariable } from "../platform/variables.ts";

/** The number of that shell's process. */
export const SHELL_VARIABLE = "ACE_RANK_SHELL";

const LIBC = { kill: { parameters: ["i32", "i32"], result: "i32" } } as const satisfies Deno.ForeignLibraryInterface;

/** Whether that shell stands between the launcher and this process. */
export function hasShell(): boolean {
  return readVariable(SHELL_VARIABLE) === `${Deno.ppid}`;
}

/**
 * Tells the shell beside this process that the others know of its end, whatever its status be: they left together, or it ends them
 * itself. Where it ends without that, by SIGKILL, say, for want of memory, or by an error before it could join, the shell says so and
 * has the launcher end the others. Does nothing without that shell. Needs `--allow-ffi`.
 */
export function endIsKnown(): void {
  if (!hasShell()) return;
  const [name, userSignal] = Deno.build.os === "darwin" ? ["libSystem.dylib", 30] : ["libc.so.6", 10];
  Deno.dlopen(name, LIBC).symbols.kill(Deno.ppid, userSignal);
}
