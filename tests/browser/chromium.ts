/**
 * Headless Chromium over the DevTools protocol on a pair of pipes: no driver package and no port, so it works under
 * `--deny-net`.
 */
import { join } from "@std/path";

/** Parameters and results of the protocol. */
// deno-lint-ignore no-explicit-any
type Json = any;

/** A page of a running browser. */
export interface Page {
  /** Calls a method of the protocol. */
  send(method: string, params?: Json): Promise<Json>;
  /** Value of an expression in the page; promises are awaited. */
  evaluate(expression: string): Promise<Json>;
  /** Opens an address and waits for its load event. */
  open(url: string): Promise<void>;
  /** What was logged as an error or thrown in the page so far, refused requests included. */
  errors: string[];
  /** PNG of the whole page. */
  screenshot(): Promise<Uint8Array>;
  /** Runs an expression in each worker to come, before the worker's own first line. */
  inWorkers(expression: string): Promise<void>;
  /** Values of an expression in the workers that were started since {@linkcode inWorkers}; promises are awaited. */
  evaluateInWorkers(expression: string): Promise<Json[]>;
  /** Closes the tab, whatever it is at, and opens another in the same browser. */
  closed(): Promise<Page>;
  /** Calls a method of the protocol that is the whole browser's. */
  sendToBrowser(method: string, params?: Json): Promise<Json>;
}

/** Path of a Chromium, or null: ACE_CHROMIUM, else the first known name on PATH. */
export async function findChromium(): Promise<string | null> {
  const named = Deno.env.get("ACE_CHROMIUM");
  if (named !== undefined) return named;
  for (
    const folder of (Deno.env.get("PATH") ?? "").split(Deno.build.os === "windows" ? ";" : ":").filter((f) => f !== "")
  ) {
    for (const name of ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]) {
      const path = join(folder, name);
      if (await Deno.stat(path).then((s) => s.isFile, () => false)) return path;
    }
  }
  return null;
}

/** Minutes after which a question that the browser leaves unanswered fails: nothing that a test asks takes so long. */
const PATIENCE = 15;

/** Options of {@linkcode withPage}. */
export interface WithPageOptions {
  /** WebGPU on SwiftShader, which computes on the processor. @default {false} */
  webgpu?: boolean;
  /** File to which every request of the whole browser is written, workers' among them, readable once it has ended. @default {none} */
  netLog?: string;
}

/** Runs `use` with a page of a fresh browser (its own empty profile) and ends the browser afterwards. */
export async function withPage(
  chromium: string,
  use: (page: Page) => Promise<void>,
  options: WithPageOptions = {},
): Promise<void> {
  const profile = await Deno.makeTempDir({ prefix: "ace-chromium-" });
  const flags = [
    "--headless",
    "--no-sandbox",
    ...options.webgpu
      ? ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--use-angle=swiftshader"]
      : ["--disable-gpu"],
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    ...options.netLog === undefined ? [] : [`--log-net-log=${options.netLog}`],
    "--remote-debugging-pipe",
    `--user-data-dir=${profile}`,
    "about:blank",
  ];
  // The protocol reads descriptor 3 and writes descriptor 4; the shell ties them to the ends we hold.
  const child = new Deno.Command("sh", {
    args: ["-c", 'exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>/dev/null', chromium, ...flags],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const connection = connect(child.stdin.getWriter(), child.stdout);
  try {
    await use(await newPage(connection));
  } finally {
    const timer = setTimeout(() => child.kill("SIGKILL"), 60_000); // it writes its log of the network first
    connection.send("Browser.close").catch(() => {});
    await child.status;
    clearTimeout(timer);
    await connection.close();
    await Deno.remove(profile, { recursive: true }).catch(() => {});
  }
}

interface Connection {
  send(method: string, params?: Json, sessionId?: string): Promise<Json>;
  listen(listener: (method: string, params: Json, sessionId?: string) => void): void;
  close(): Promise<void>;
}

/** The texts of a stream in which each ends with a zero. */
async function* messages(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let parts: string[] = [];
  for await (const chunk of stream) {
    const pieces = decoder.decode(chunk, { stream: true }).split("\0");
    for (const [i, piece] of pieces.entries()) {
      parts.push(piece);
      if (i === pieces.length - 1) break;
      yield parts.join("");
      parts = [];
    }
  }
}

function connect(writer: WritableStreamDefaultWriter<Uint8Array>, output: ReadableStream<Uint8Array>): Connection {
  const waiting = new Map<number, { resolve: (v: Json) => void; reject: (e: Error) => void }>();
  const listeners: ((method: string, params: Json, sessionId?: string) => void)[] = [];
  let id = 0;
  const receive = (text: string): void => {
    const message = JSON.parse(text);
    if (message.id === undefined) {
      return listeners.forEach((listener) => listener(message.method, message.params, message.sessionId));
    }
    const entry = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error) entry?.reject(new Error(message.error.message));
    else entry?.resolve(message.result);
  };
  const reading = (async () => {
    for await (const message of messages(output)) receive(message);
    for (const { reject } of waiting.values()) reject(new Error("Chromium has ended"));
    waiting.clear();
  })();
  return {
    async send(method, params = {}, sessionId) {
      const number = ++id, question = JSON.stringify({ id: number, method, params, sessionId });
      const { promise: answer, resolve, reject } = Promise.withResolvers<Json>();
      waiting.set(number, { resolve, reject });
      // Errors reach the caller through the returned promise.
      answer.catch(() => {});
      const timer = setTimeout(() => {
        waiting.delete(number);
        reject(new Error(`Chromium has not answered in ${PATIENCE} minutes: ${question.slice(0, 500)}`));
      }, 60_000 * PATIENCE);
      try {
        await writer.write(new TextEncoder().encode(question + "\0"));
        return await answer;
      } finally {
        clearTimeout(timer);
      }
    },
    listen: (listener) => void listeners.push(listener),
    async close() {
      await writer.close().catch(() => {});
      await reading;
    },
  };
}

/** What is wrong by an event of a page: an exception, a line of its log or console, a request. */
function complaint(method: string, params: Json): string | undefined {
  if (method === "Runtime.exceptionThrown") {
    return params.exceptionDetails.exception?.description ?? params.exceptionDetails.text;
  }
  if (method === "Log.entryAdded" && ["error", "warning"].includes(params.entry.level)) {
    return `${params.entry.source}: ${params.entry.text}`;
  }
  if (method === "Runtime.consoleAPICalled" && ["error", "warning", "assert"].includes(params.type)) {
    return params.args.map((a: Json) => a.value ?? a.description).join(" ");
  }
  if (method === "Network.requestWillBeSent" && /^(https?|wss?|ftp):/.test(params.request.url)) {
    return `request to ${params.request.url}`;
  }
  return undefined;
}

/** What an expression comes to in a page or a worker. @throws {Error} If it throws. */
async function evaluate({ send }: Connection, expression: string, session: string): Promise<Json> {
  const question = { expression, awaitPromise: true, returnByValue: true };
  const { result, exceptionDetails } = await send("Runtime.evaluate", question, session);
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
}

async function screenshot(send: Page["send"]): Promise<Uint8Array<ArrayBuffer>> {
  const { data } = await send("Page.captureScreenshot", { format: "png", captureBeyondViewport: true });
  return Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
}

async function newPage(connection: Connection): Promise<Page> {
  const { targetId } = await connection.send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await connection.send("Target.attachToTarget", { targetId, flatten: true });
  const errors: string[] = [];
  let loaded = (): void => {};
  let prelude = "";
  const workers = new Set<string>();
  const startWorker = async ({ sessionId: worker, targetInfo: { type } }: Json): Promise<void> => {
    try {
      if (type !== "worker") return;
      workers.add(worker);
      const { exceptionDetails } = await connection.send("Runtime.evaluate", { expression: prelude }, worker);
      if (exceptionDetails) errors.push(`inWorkers: ${exceptionDetails.exception?.description}`);
    } finally {
      await connection.send("Runtime.runIfWaitingForDebugger", {}, worker);
    }
  };
  connection.listen((method, params, from) => {
    if (from !== sessionId) return;
    if (method === "Target.attachedToTarget") startWorker(params).catch(() => {}); // one that has ended
    if (method === "Target.detachedFromTarget") workers.delete(params.sessionId);
    if (method === "Page.loadEventFired") loaded();
    const wrong = complaint(method, params);
    if (wrong !== undefined) errors.push(wrong);
  });
  const send = (method: string, params?: Json): Promise<Json> => connection.send(method, params, sessionId);
  for (const domain of ["Page", "Runtime", "Log", "Network"]) await send(`${domain}.enable`);
  return {
    send,
    evaluate: (expression) => evaluate(connection, expression, sessionId),
    errors,
    async inWorkers(expression) {
      prelude = expression;
      await send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: true, flatten: true });
    },
    evaluateInWorkers: (expression) =>
      Promise.all([...workers].map((worker) => evaluate(connection, expression, worker))),
    async closed() {
      await connection.send("Target.closeTarget", { targetId });
      return await newPage(connection);
    },
    sendToBrowser: (method, params) => connection.send(method, params),
    async open(url) {
      const load = new Promise<void>((resolve) => loaded = resolve);
      const { errorText } = await send("Page.navigate", { url });
      if (errorText) throw new Error(`Cannot open "${url}": ${errorText}`);
      await load;
    },
    screenshot: () => screenshot(send),
  };
}
