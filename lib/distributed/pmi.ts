/**
 * The line of text between a process and its launcher (PMI 1, which mpiexec of MPICH and srun --mpi=pmi2 speak), as far as it takes
 * to leave without MPI_Finalize, and to end a job before MPI_Init.
 *
 * @module
 */
import { readVariable } from "../platform/variables.ts";

/** The open file that the launcher listens to. */
export const PMI_VARIABLE = "PMI_FD";

const LIBC = {
  write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  read: { parameters: ["i32", "buffer", "usize"], result: "isize" },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * Whether MPI_Finalize of a library may wait for ever: MPICH on UCX before 4.2. One process closes its connections there, which
 * takes an answer of its partners, while they, having closed theirs, wait for it through the launcher and answer nothing
 * (pmodels/mpich #6596 took that wait out).
 *
 * @param version What MPI_Get_library_version says.
 */
export function mayHangInFinalize(version: string): boolean {
  return /^MPICH Version:\s*(3\.|4\.[01]\b)/m.test(version) && /ch4:ucx/.test(version);
}

/**
 * Waits by the launcher until all processes have called this, and takes leave of it; the process may then end by itself. All must
 * have gone through an MPI_Barrier.
 *
 * @returns False, and nothing is done, where there is no line to the launcher.
 */
export function leaveByPmi(): boolean {
  const launcher = openPmi();
  if (!launcher) return false;
  for (const command of ["barrier_in", "finalize"]) {
    if (!launcher.tell(command)) return false;
    if (!launcher.hears()) return true; // it has gone
  }
  return true;
}

/**
 * Has the launcher end all processes of the job, whether or not this one has called MPI_Init.
 *
 * @returns False where there is no line to the launcher.
 */
export function abortByPmi(exitCode: number): boolean {
  return openPmi()?.tell(`abort exitcode=${exitCode}`) ?? false;
}

interface PmiLine {
  /** Says a command; false where nobody takes it. */
  tell(command: string): boolean;
  /** Waits for the answer; false where the launcher has gone. */
  hears(): boolean;
}

function openPmi(): PmiLine | undefined {
  const file = Number(readVariable(PMI_VARIABLE) || NaN);
  if (!Number.isInteger(file)) return undefined;
  const { symbols } = Deno.dlopen(Deno.build.os === "darwin" ? "libSystem.dylib" : "libc.so.6", LIBC);
  const answer = new Uint8Array(1024);
  return {
    tell(command) {
      const line = new TextEncoder().encode(`cmd=${command}\n`);
      return symbols.write(file, line, BigInt(line.length)) === BigInt(line.length);
    },
    hears() {
      let length = 0;
      do {
        const count = Number(symbols.read(file, answer.subarray(length), BigInt(answer.length - length)));
        if (count <= 0) return false;
        length += count;
      } while (answer[length - 1] !== 10 && length < answer.length);
      return true;
    },
  };
}
