/** Other implementations, each in a process of its own that answers JSON lines. @module */
import { resolve } from "@std/path";
import { FLAG } from "../../lib/tensor/wasm/matmul_strips.ts";
import { type Contender, PACKED_RUNS } from "../measure.ts";

/** What this library is called in rows where a system BLAS library multiplies; its version is the library. */
export const NATIVE = "ace-lora, native";

type Answer = Record<string, unknown> & { error?: string; versions?: Record<string, string> };

/** A running peer. */
export interface Peer {
  /** What it said of itself when it started, and of what it took since: versions. */
  readonly versions: Record<string, string>;
  /** Runs that its work needs before those that count, however long they take. */
  readonly warmUp: number;
  /**
   * Sends a request and waits for its answer; an error in the answer is thrown, as is the end of the process, which is started
   * anew for the next work that is set up.
   */
  ask(request: Record<string, unknown>): Promise<Answer>;
  /** Ends the process; at once if it is not to finish what it does. */
  close(isAtOnce?: boolean): Promise<void>;
}

/** Options of {@linkcode startPeer}. */
export interface PeerOptions extends Partial<Pick<Peer, "warmUp">> {
  /** Variables beside this process's. */
  env?: Readonly<Record<string, string>>;
  /** Seconds after which an answer is no longer waited for. @default {180: jax-js's gradient takes 25} */
  patience?: number;
}

/** How often a peer is started before it is given up. */
const STARTS = 3;

/** Starts a peer. @throws {Error} If it does not start, with what it said last on stderr. */
export async function startPeer(command: string, args: readonly string[], options: PeerOptions = {}): Promise<Peer> {
  let process = await startProcess(command, args, options);
  let starts = 1;
  const { versions } = process;
  return {
    versions,
    warmUp: options.warmUp ?? 0,
    async ask(request) {
      const isOfOld = request["do"] === "run" || request["do"] === "drop"; // of work that was set up before
      if (process.hasEnded() && request["do"] === "drop") return {};
      if (process.hasEnded() && !isOfOld && starts < STARTS) {
        starts++;
        process = await startProcess(command, args, options);
      }
      const reply = await process.ask(request);
      if (reply.error) throw new Error(reply.error);
      Object.assign(versions, reply.versions);
      return reply;
    },
    close: (isAtOnce) => process.close(isAtOnce),
  };
}

/** How long a process has to end when it is asked to, ms. */
const GRACE = 5000;

interface PeerProcess {
  versions: Record<string, string>;
  ask(request: Record<string, unknown>): Promise<Answer>;
  hasEnded(): boolean;
  close(isAtOnce?: boolean): Promise<void>;
}

/** Reads a stream line by line; undefined at its end. */
function lineReader(stream: ReadableStream<Uint8Array<ArrayBuffer>>): () => Promise<string | undefined> {
  const chunks = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  return async () => {
    while (!rest.includes("\n")) {
      const { value, done } = await chunks.read();
      if (done) return undefined;
      rest += value;
    }
    const newline = rest.indexOf("\n");
    const line = rest.slice(0, newline);
    rest = rest.slice(newline + 1);
    return line;
  };
}

/** Ends a process; one that does not hear, as one that was stopped, by force. */
async function stop(child: Deno.ChildProcess): Promise<void> {
  const kill = (signal: Deno.Signal): void => {
    try {
      child.kill(signal);
    } catch {
      // It has ended.
    }
  };
  kill("SIGTERM");
  const timer = setTimeout(() => kill("SIGKILL"), GRACE);
  await child.status;
  clearTimeout(timer);
}

/** What a promise brings, or after so many seconds the error that `late` makes. */
function inTime<T>(promise: Promise<T>, seconds: number, late: () => Error): Promise<T> {
  const { promise: first, resolve, reject } = Promise.withResolvers<T>();
  const timer = setTimeout(() => reject(late()), seconds * 1000);
  promise.then(resolve, reject).finally(() => clearTimeout(timer));
  return first;
}

/** Starts a process in a group of its own: Ctrl-C is the bench's, which ends its peers when it has written what it has. */
function spawn(command: string, args: readonly string[], env: Readonly<Record<string, string>>): Deno.ChildProcess {
  const pipes = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
  return new Deno.Command(command, { args: [...args], env: { NO_COLOR: "1", ...env }, ...pipes, detached: true })
    .spawn();
}

async function startProcess(
  command: string,
  args: readonly string[],
  { env = {}, patience = 180 }: PeerOptions,
): Promise<PeerProcess> {
  const child = spawn(command, args, env);
  let noise = "";
  const heard = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) noise = (noise + text).slice(-4000);
  })();
  const nextLine = lineReader(child.stdout);
  const writer = child.stdin.getWriter();
  let end: string | undefined;
  const answer = async (): Promise<Answer> => {
    for (;;) {
      const line = await nextLine();
      if (line === undefined) {
        const [{ signal }] = await Promise.all([child.status, heard]);
        end ??= lastWord(noise) ?? (signal ? `ended by ${signal}` : `${command} ended without a word`);
        throw new Error(end);
      }
      if (line.startsWith("{")) return JSON.parse(line);
      noise += `${line}\n`; // a launcher's own words
    }
  };
  // One that was killed may leave others that hold its pipes: it is not waited for.
  const answerInTime = (): Promise<Answer> =>
    inTime(answer(), patience, () => {
      end ??= `no answer in ${patience} s`;
      void stop(child);
      return new Error(end);
    });
  const versions = await answerInTime() as Record<string, string>;
  return {
    versions,
    hasEnded: () => end !== undefined,
    async ask(request) {
      if (end !== undefined) throw new Error(end);
      await writer.write(new TextEncoder().encode(JSON.stringify(request) + "\n")).catch(() => {}); // the answer tells
      return await answerInTime();
    },
    async close(isAtOnce = false) {
      if (isAtOnce) return await stop(child);
      await writer.close().catch(() => {}); // it has ended
      const timer = setTimeout(() => void stop(child), GRACE);
      await child.status;
      clearTimeout(timer);
    },
  };
}

/** What a process said last on stderr: the error that ended it, without the stack. */
function lastWord(noise: string): string | undefined {
  const lines = noise.trim().split("\n");
  const error = lines.findLast((line) => /^error: /.test(line));
  return error?.replace(/^error: (Uncaught (\(in promise\) )?)?(\w*Error: )?/, "") ?? (lines.at(-1) || undefined);
}

/** PyTorch through the Python of ACE_PYTHON (else `python3`). */
export function startTorch(): Promise<Peer> {
  return startPeer(python(), [local("torch_peer.py")]);
}

/** Pillow, and pydicom with pylibjpeg, through the same Python. */
export function startDecoders(): Promise<Peer> {
  return startPeer(python(), [local("decode_peer.py")]);
}

/** ACE_PYTHON, a path in it from where the user stands, or the system's. */
function python(): string {
  const named = Deno.env.get("ACE_PYTHON") || "python3";
  return named.includes("/") ? resolve(Deno.env.get("INIT_CWD") ?? "", named) : named;
}

/** onnxruntime-web, transformers.js (onnxruntime's native library) and jax-js. */
export function startJavaScript(): Promise<Peer> {
  const flags = [
    "run",
    "--quiet",
    "--no-config",
    "--no-lock",
    "--allow-read",
    "--allow-env",
    "--allow-ffi",
    "--allow-sys",
  ];
  return startPeer(Deno.execPath(), [...flags, local("js_peer.ts")]);
}

/** This library with 256-bit products; V8 knows the flag on x86-64 only. */
export function startWide(): Promise<Peer> {
  return startOwn("wide");
}

/** This library as `deno task native` has it: large products by a system BLAS library, the others 256-bit. */
export function startNative(): Promise<Peer> {
  return startOwn("native", ["--allow-ffi"], PACKED_RUNS);
}

/** As the tasks set them: a library's threads otherwise spin on the processors that ours need next. */
const IDLE = { OPENBLAS_THREAD_TIMEOUT: "4", KMP_BLOCKTIME: "0" };

/** Two processes of MPI with one thread each, products as in `deno task mpi`, by the first launcher that starts them. */
export async function startRanks(): Promise<Peer> {
  const launchers = [
    ["mpirun.mpich"],
    ["mpirun.openmpi", "--allow-run-as-root", "--oversubscribe", "--bind-to", "none"],
    ["mpirun"],
  ];
  let failure: unknown;
  for (const [command, ...more] of launchers) {
    const flags = ["run", "--quiet", "--allow-read", "--allow-env", `--v8-flags=${FLAG}`, "--allow-ffi", "--allow-run"];
    const args = [...more, "-n", "2", Deno.execPath(), ...flags, local("rank_peer.ts")];
    try {
      return await startPeer(command!, args, { env: IDLE, warmUp: PACKED_RUNS });
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

function startOwn(kind: "wide" | "native", more: readonly string[] = [], warmUp = 0): Promise<Peer> {
  const flags = ["run", "--quiet", "--allow-read", "--allow-env", `--v8-flags=${FLAG}`, ...more];
  return startPeer(Deno.execPath(), [...flags, local("own_peer.ts"), kind], { env: IDLE, warmUp });
}

function local(name: string): string {
  return decodeURIComponent(new URL(name, import.meta.url).pathname);
}

/** A peer's work to time, and how to free it. */
export interface PeerContender extends Contender {
  /** Frees what was set up. */
  drop(): Promise<void>;
}

/** Sets up a peer's work. The time is the one it measured itself, without the way here. */
export async function contender(
  peer: Peer,
  name: string,
  work: Record<string, unknown>,
  threads: number,
): Promise<PeerContender> {
  const id = crypto.randomUUID();
  await peer.ask({ do: "setup", id, work, threads });
  return {
    name,
    warmUp: peer.warmUp,
    run: async () => (await peer.ask({ do: "run", id }))["seconds"] as number * 1000,
    drop: async () => void await peer.ask({ do: "drop", id }),
  };
}
