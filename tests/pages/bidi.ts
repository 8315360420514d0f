/** WebDriver BiDi, as far as the test of Firefox needs it. */
import { join } from "@std/path";

/** Parameters and results of the protocol. */
// deno-lint-ignore no-explicit-any
type Json = any;

/** A page of a running Firefox. */
export interface BidiDriver {
  /** Opens an address and waits for its load event. */
  open(address: string): Promise<void>;
  /** Text that an expression's promise comes to. */
  evaluate(expression: string): Promise<string>;
  /** What was logged as an error so far. */
  errors: string[];
  /** Ends the browser. */
  close(): Promise<void>;
}

/** Starts a headless Firefox with an empty profile, whose windows may all be private ones. */
export async function startDriver(firefox: string, { isPrivate = false } = {}): Promise<BidiDriver> {
  const profile = await Deno.makeTempDir({ prefix: "ace-firefox-" });
  if (isPrivate) {
    await Deno.writeTextFile(join(profile, "user.js"), 'user_pref("browser.privatebrowsing.autostart", true);\n');
  }
  const child = new Deno.Command(firefox, {
    args: ["--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", profile, "about:blank"],
    env: { HOME: profile, MOZ_DISABLE_CONTENT_SANDBOX: "1" },
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const told = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  let text = "", url: string | undefined;
  while (url === undefined) {
    const { value, done } = await told.read();
    if (done) throw new Error(`Firefox has ended: ${text}`);
    text += value;
    url = /WebDriver BiDi listening on (ws:\/\/\S+)/.exec(text)?.[1];
  }
  const rest = (async () => {
    while (!(await told.read()).done);
  })();
  const socket = new WebSocket(`${url}/session`);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const waiting = new Map<number, { resolve(value: Json): void; reject(error: Error): void }>();
  const errors: string[] = [];
  socket.onmessage = ({ data }) => {
    const { id, result, message, method, params } = JSON.parse(data);
    if (method === "log.entryAdded" && params.level === "error") errors.push(params.text);
    const entry = waiting.get(id);
    waiting.delete(id);
    if (result) entry?.resolve(result);
    else entry?.reject(new Error(message));
  };
  let id = 0;
  const send = (method: string, params: Json = {}): Promise<Json> =>
    new Promise((resolve, reject) => {
      waiting.set(++id, { resolve, reject });
      socket.send(JSON.stringify({ id, method, params }));
    });
  await send("session.new", { capabilities: {} });
  await send("session.subscribe", { events: ["log.entryAdded"] });
  const { contexts: [{ context }] } = await send("browsingContext.getTree");
  return {
    open: (address) => send("browsingContext.navigate", { context, url: address, wait: "complete" }),
    async evaluate(expression) {
      const { result, exceptionDetails } = await send("script.evaluate", {
        expression,
        target: { context },
        awaitPromise: true,
      });
      if (exceptionDetails) throw new Error(exceptionDetails.text);
      return result.value;
    },
    errors,
    async close() {
      await send("browser.close").catch(() => {});
      socket.close();
      await child.status;
      await rest;
      await Deno.remove(profile, { recursive: true }).catch(() => {});
    },
  };
}
