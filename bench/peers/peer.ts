/** Other implementations, each in a process of its own that answers JSON lines. @module */
import { FLAG } from "../../lib/tensor/wasm/matmul_strips.ts";
import type { Contender } from "../measure.ts";

type Answer = Record<string, unknown> & { error?: string };

/** A running peer. */
export interface Peer {
  /** What it said of itself when it started: versions. */
  versions: Record<string, string>;
  /** Sends a request and waits for its answer; an error in the answer is thrown. */
  ask(request: Record<string, unknown>): Promise<Answer>;
  /** Ends the process. */
  close(): Promise<void>;
}

/** Starts a peer. @throws {Error} If it does not start, with its last line on stderr. */
export async function startPeer(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Peer> {
  const pipes = { stdin: "piped", stdout: "piped", stderr: "piped" } as const;
  const child = new Deno.Command(command, { args: [...args], env, ...pipes }).spawn();
  let noise = "";
  const listen = async (): Promise<void> => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) noise = (noise + text).slice(-4000);
  };
  const heard = listen();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  const answer = async (): Promise<Answer> => {
    while (!rest.includes("\n")) {
      const { value, done } = await lines.read();
      if (done) {
        await heard;
        throw new Error(noise.trim().split("\n").at(-1) || `${command} ended without a word`);
      }
      rest += value;
    }
    const end = rest.indexOf("\n");
    const line = rest.slice(0, end);
    rest = rest.slice(end + 1);
    return JSON.parse(line);
  };
  const versions = await answer() as Record<string, string>;
  const writer = child.stdin.getWriter();
  return {
    versions,
    async ask(request) {
      await writer.write(new TextEncoder().encode(JSON.stringify(request) + "\n"));
      const reply = await answer();
      if (reply.error) throw new Error(reply.error);
      return reply;
    },
    async close() {
      await writer.close();
      await child.status;
      await heard;
    },
  };
}

/** PyTorch through the Python of ACE_PYTHON (else `python3`). */
export function startTorch(): Promise<Peer> {
  return startPeer(Deno.env.get("ACE_PYTHON") || "python3", [local("torch_peer.py")]);
}

/** Pillow, and pydicom with pylibjpeg, through the same Python. */
export function startDecoders(): Promise<Peer> {
  return startPeer(Deno.env.get("ACE_PYTHON") || "python3", [local("decode_peer.py")]);
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
  return startOwn("native", "--allow-ffi");
}

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
      return await startPeer(command!, args, { OPENBLAS_THREAD_TIMEOUT: "4" });
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

function startOwn(kind: "wide" | "native", ...more: readonly string[]): Promise<Peer> {
  const flags = ["run", "--quiet", "--allow-read", "--allow-env", `--v8-flags=${FLAG}`, ...more];
  // As the task sets them: the library's threads otherwise spin on the processors that ours need next.
  const idle = { OPENBLAS_THREAD_TIMEOUT: "4", KMP_BLOCKTIME: "0" };
  return startPeer(Deno.execPath(), [...flags, local("own_peer.ts"), kind], idle);
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
    run: async () => (await peer.ask({ do: "run", id }))["seconds"] as number * 1000,
    drop: async () => void await peer.ask({ do: "drop", id }),
  };
}
