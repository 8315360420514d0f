/** Requests to stop: Ctrl-C, SIGTERM, or the end of the task runner that started the command. @module */
import { readVariable } from "../platform/variables.ts";

/** Work that can be asked to stop. */
export interface Interruption {
  /** Aborts at the first request. */
  signal: AbortSignal;
  /** What the process ends with: 130 after Ctrl-C, 143 after SIGTERM or when the task runner has gone. */
  exitCode(): number;
  /** Stops listening. */
  end(): void;
}

const SIGINT_EXIT = 130;
const SIGTERM_EXIT = 143;

/**
 * The signals that ask to stop, and what the process then ends with. Windows knows SIGINT and SIGBREAK alone, and refuses a
 * listener of any other. SIGHUP is left to the system, so that `nohup` works.
 */
export function stopSignals(os: typeof Deno.build.os): [Deno.Signal, number][] {
  return [["SIGINT", SIGINT_EXIT], [os === "windows" ? "SIGBREAK" : "SIGTERM", SIGTERM_EXIT]];
}

const stops = new Set<(exitCode: number) => void>();
const leaves = new Set<(isKept: boolean) => void>();
/** When work was last asked to stop. */
let requested = -Infinity;
let areLaunchers = false;

/** Says that a launcher ends this process with others, also while it waits for them, when no listener would be called. */
export function leaveSignalsToLauncher(): void {
  areLaunchers = true;
}

/**
 * How long a request that comes again is the same one, milliseconds: at Ctrl-C a terminal signals `deno task` and the command
 * alike, and `deno task` passes its own on.
 */
const ECHO_MS = 500;

/**
 * Turns the first Ctrl-C or SIGTERM into a request to stop. One that comes later than its echo ends the process at once.
 */
export function catchInterrupts(): Interruption {
  const controller = new AbortController();
  let exitCode = SIGTERM_EXIT;
  let stopped: number | undefined;
  const stop = (code: number): void => {
    if (stopped !== undefined && performance.now() - stopped > ECHO_MS) Deno.exit(code);
    if (stopped !== undefined) return;
    stopped = requested = performance.now();
    exitCode = code;
    stops.delete(stop);
    Deno.unrefTimer(setTimeout(deafen, ECHO_MS));
    controller.abort();
  };
  const deafen = listen(stop);
  const end = (): void => {
    if (stops.delete(stop)) deafen(); // after a request its echo may be under way still
  };
  stops.add(stop);
  return { signal: controller.signal, exitCode: () => exitCode, end };
}

/**
 * Lets Ctrl-C and SIGTERM end the process with what is not finished removed, where no work listens that can be asked to stop.
 *
 * @param leave Removes it, and says so. Told whether work was asked to stop before: results are then what it has kept.
 * @returns Stops listening.
 */
export function leaveAtRequest(leave: (isKept: boolean) => void): () => void {
  if (areLaunchers) return () => {};
  const deafen = listen((exitCode) => {
    const isEcho = performance.now() - requested <= ECHO_MS;
    if (stops.size === 0 && !isEcho) leaveNow(exitCode);
  });
  leaves.add(leave);
  return () => {
    leaves.delete(leave);
    deafen();
  };
}

/** Calls `hear` with what the process is to end with at each signal that asks to stop, until the function it gives is called. */
function listen(hear: (exitCode: number) => void): () => void {
  const listeners = stopSignals(Deno.build.os).map(([signal, code]) => [signal, () => hear(code)] as const);
  for (const [signal, listener] of listeners) Deno.addSignalListener(signal, listener);
  return () => {
    for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
  };
}

function leaveNow(exitCode: number): never {
  for (const leave of leaves) leave(requested > -Infinity);
  Deno.exit(exitCode);
}

/**
 * Ends the process when the task runner that started it has gone without passing a signal on, as after `kill -9`; work that
 * listens is asked to stop instead. A command that `deno run` started goes on without its parent, as `nohup` asks.
 *
 * @param everyMs How often it is looked, milliseconds.
 */
export function watchTaskRunner(everyMs = 1000): void {
  if (readVariable("INIT_CWD") === undefined) return;
  const parent = Deno.ppid;
  const timer = setInterval(() => {
    if (Deno.ppid === parent) return;
    clearInterval(timer);
    if (stops.size === 0) leaveNow(SIGTERM_EXIT);
    for (const stop of [...stops]) stop(SIGTERM_EXIT);
  }, everyMs);
  Deno.unrefTimer(timer);
}
