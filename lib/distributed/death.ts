/** That a process dies in the midst of a run is told, whoever started it. @module */

const LIBC = {
  popen: { parameters: ["buffer", "buffer"], result: "pointer" },
  fputs: { parameters: ["buffer", "pointer"], result: "i32" },
  pclose: { parameters: ["pointer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * Waits at the other end of a pipe, which breaks when the process dies of whatever it be; then it ends the task runner, too, if
 * that is the parent. It outlives the signals that ask the process to stop, and reads the rank where Deno would need a permission
 * for each launcher's variable.
 */
const SCRIPT = `trap '' HUP INT TERM
case "$(tr '\\0' ' ' < /proc/PARENT/cmdline 2>/dev/null || ps -o args= -p PARENT)" in *"deno task "*) runner=PARENT ;; esac
read -r _ && exit
[ -z "$runner" ] || kill -KILL "$runner"
rank=\${OMPI_COMM_WORLD_RANK:-\${PMIX_RANK:-\${PMI_RANK:-$SLURM_PROCID}}}
echo "rank $rank (process OWN on $(uname -n)) died in the midst of the run" >&2`;

/**
 * Has a shell tell on stderr when this process dies: by SIGKILL, say, or for want of memory, when it cannot tell itself. The launcher
 * cannot either where it started `deno task`, which ends by itself then, with a status: MPICH's says nothing of one and, between
 * machines, lets the others wait for ever. So the task runner is killed, too, and the launcher sees that. Needs `--allow-ffi`.
 *
 * @returns Sends the shell away; to be called before this process ends by itself.
 */
export function tellOfDeath(): () => void {
  const zeroEnded = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(`${text}\0`);
  const { symbols } = Deno.dlopen(Deno.build.os === "darwin" ? "libSystem.dylib" : "libc.so.6", LIBC);
  let pipe = symbols.popen(
    zeroEnded(SCRIPT.replaceAll("PARENT", `${Deno.ppid}`).replace("OWN", `${Deno.pid}`)),
    zeroEnded("w"),
  );
  return () => {
    if (!pipe) return; // no shell could be started, or it has gone
    symbols.fputs(zeroEnded("\n"), pipe);
    symbols.pclose(pipe);
    pipe = null;
  };
}
