/** A command as one of several processes that MPI started. @module */
import type { Communicator } from "../distributed/communicator.ts";
import { launchedProcesses, MpiError, openMpi } from "../distributed/mpi.ts";
import { UsageError } from "./command.ts";

let world: Communicator | undefined;

/**
 * The processes that share the command, or undefined when it was started alone. From the second on they print nothing but errors.
 *
 * @throws {UsageError} If a launcher started several and they cannot be connected: each would do the whole work.
 */
export function joinRanks(): Communicator | undefined {
  if (world || launchedProcesses() === 1) return world;
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    throw new UsageError(
      `${launchedProcesses()} processes were started, which only deno task mpi connects: mpirun -n ${launchedProcesses()} deno task mpi train ...`,
    );
  }
  try {
    world = openMpi();
  } catch (error) {
    if (!(error instanceof MpiError)) throw error;
    throw new UsageError(error.message);
  }
  if (world.rank > 0) console.log = console.error = () => {};
  else console.error(`processes: ${world.description}`);
  return world;
}

/** Says goodbye to the others, if there are any. */
export function leaveRanks(): void {
  world?.close();
  world = undefined;
}

/** Ends the others, too, after a failure of this one: they would wait for it. */
export function abortRanks(message: string, exitCode: number): void {
  if (!world) return;
  Deno.stderr.writeSync(new TextEncoder().encode(`rank ${world.rank}: ${message}\n`));
  world.abort(exitCode);
}
