/**
 * One training run shared by several processes: what `fit` asks of them, and MPI as the answer.
 *
 * @module
 */
export type { Communicator } from "./communicator.ts";
export { launchedProcesses, LAUNCHER_VARIABLES, MpiError, type MpiOptions, openMpi } from "./mpi.ts";
