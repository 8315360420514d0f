/** The server of docs/serving.md, started as printed, and a load of requests on it; each in a process of its own. @module */
import { errorMessage } from "../lib/platform/error_message.ts";
import type { Bench } from "./groups.ts";
import { atMost, measurement } from "./record.ts";

/** A running server. */
export interface Server {
  /** `http://127.0.0.1:PORT`. */
  url: string;
  /** Asks it to end, and waits until it has. */
  stop(): Promise<void>;
}

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname);

/** The page's code. */
export async function serverCode(): Promise<string> {
  return /```ts\n([\s\S]*?)```/.exec(await Deno.readTextFile(`${ROOT}docs/serving.md`))![1]!;
}

/** Starts the page's code with a token, on a free port of the loopback. */
export async function startServer(token: string, options: { code?: string; check?: boolean } = {}): Promise<Server> {
  const { code = await serverCode(), check = false } = options;
  const flags = ["run", check ? "--check" : "--no-check", "--no-prompt", "--no-lock", "--config", `${ROOT}deno.json`];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...flags, "--allow-net=127.0.0.1", "--allow-read", "--allow-env", "-"],
    env: { ACE_TOKEN: token, PORT: "0", ACE_BACKEND: "wasm", ACE_BLAS: "off", NO_COLOR: "1" },
    stdin: "piped",
    stdout: "null",
    stderr: "piped", // where Deno.serve says that it listens
    cwd: ROOT,
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(code));
  await writer.close();
  const told = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let heard = "";
  for (let isDone = false; !isDone;) {
    const { value = "", done } = await told.read();
    [heard, isDone] = [heard + value, done];
    const url = /http:\/\/127\.0\.0\.1:\d+/.exec(heard)?.[0];
    if (url === undefined) continue;
    const rest = (async () => {
      while (!(await told.read()).done);
    })();
    const stop = async (): Promise<void> => {
      child.kill("SIGTERM");
      await Promise.all([child.status, rest]);
    };
    return { url, stop };
  }
  await child.status;
  throw new Error(`Cannot start the server as it must listen: it ended after "${heard.trim()}"`);
}

/** What a load found. */
export interface Load {
  /** Requests answered with scores. */
  answered: number;
  /** Requests refused with 503. */
  refused: number;
  /** Requests answered in another way, or not at all. */
  lost: number;
  /** Of the answered ones. */
  perSecond: number;
  /** Milliseconds of the answered ones, in order. */
  milliseconds: number[];
}

/** Sends `count` requests by `clients` at a time. */
export async function sendLoad(
  server: Server,
  options: { token: string; count: number; clients: number },
): Promise<Load> {
  const { token, count, clients } = options;
  const flags = ["run", "--no-check", "--no-prompt", "--no-lock", "--config", `${ROOT}deno.json`];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...flags,
      "--allow-net=127.0.0.1",
      `${ROOT}bench/serving_load.ts`,
      server.url,
      token,
      `${count}`,
      `${clients}`,
    ],
    env: { NO_COLOR: "1" },
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout)) as Load;
}

/** Requests a second and the 99th percentile of classify with the mini model; then more at a time than are let in. */
export async function servingGroup({ onMeasurement, onAim, onSkip }: Bench): Promise<void> {
  const token = crypto.randomUUID();
  let server: Server;
  try {
    server = await startServer(token);
  } catch (error) {
    onSkip("serving", errorMessage(error));
    return;
  }
  try {
    await sendLoad(server, { token, count: 16, clients: 8 }); // compiles, and warms up
    for (const [clients, count] of [[1, 40], [8, 160], [200, 400]] as const) {
      const load = await sendLoad(server, { token, count, clients });
      const at = (share: number): number =>
        load.milliseconds[Math.min(load.answered - 1, Math.floor(share * load.answered))] ?? NaN;
      const name = `classify over HTTP, ${clients} at a time, mini model`;
      const more = {
        "requests a second": load.perSecond,
        "median ms": at(0.5),
        "p99 ms": at(0.99),
        answered: load.answered,
        "refused (503)": load.refused,
        lost: load.lost,
      };
      await onMeasurement("serving", { ...measurement(name, 1, new Map()), more });
      const { lost } = load;
      onAim(
        atMost(
          `requests lost of ${count}, ${clients} at a time`,
          0,
          { median: lost, low: lost, high: lost },
          "requests",
        ),
      );
    }
  } finally {
    await server.stop();
  }
}
