/** Time that other programs on a busy machine do not lengthen, for bounds on what a hostile input may cost. @module */
import process from "node:process";

/** Processor time that this thread has taken, milliseconds. */
export function cpuMilliseconds(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
