/**
 * One training run shared by several processes: what `fit` asks of them, and MPI as the answer.
 *
 * @module
 */
export type { Communicator } from "./communicator.ts";
export {
  type LaunchedPlace,
  launchedPlace,
  launchedProcesses,
  LAUNCHER_VARIABLES,
  type ReadVariable,
} from "./launcher.ts";
export { MpiError, type MpiOptions, openMpi } from "./mpi.ts";
