/** What a test does with the open page: presses, chooses files, waits, downloads; and what the browser asked of the network. */
import { join } from "@std/path";
import { buildPage } from "../../pages/app/build.ts";
import { findChromium, type Page, withPage, type WithPageOptions } from "../browser/chromium.ts";
import { startServer } from "../platform/runtimes.ts";

/** A driver of the page. */
export interface Driver {
  /** Clicks an element by its id. */
  press(id: string): Promise<void>;
  /** Sets the value of a field. */
  fill(id: string, value: string | number): Promise<void>;
  /** Chooses files, or a folder, in an input. */
  choose(id: string, paths: readonly string[]): Promise<void>;
  /** Text of an element. */
  text(id: string): Promise<string>;
  /** Waits until an expression is true in the page; its problem ends the wait. */
  until(expression: string): Promise<void>;
  /** Waits until an element's text holds a word. */
  untilText(id: string, word: string): Promise<void>;
  /** Bytes of the file that a press on a selector downloads. */
  download(selector: string): Promise<Uint8Array>;
}

/** Most turns of a tenth of a second that are waited; a processor that stands in for a GPU compiles long. */
const PATIENCE = { wasm: 3000, webgpu: 6000 };

/** Drives a page; what it downloads goes to `folder`. */
export async function drive(page: Page, folder: string, backend: keyof typeof PATIENCE): Promise<Driver> {
  await page.send("Page.setDownloadBehavior", { behavior: "allow", downloadPath: folder });
  // A page that is just being loaded again has nothing to ask.
  const evaluated = (expression: string): Promise<unknown> => page.evaluate(expression).catch(() => undefined);
  const turns = async (isDone: () => Promise<boolean>, what: string): Promise<void> => {
    for (let turn = 0; turn < PATIENCE[backend]; turn++) {
      if (await isDone()) return;
      const problem = await evaluated("document.querySelector('#problem:not([hidden])')?.innerText") ?? "";
      if (problem !== "" && !what.includes("problem")) throw new Error(`waiting for ${what}: ${problem}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`waited in vain for ${what}: ${await page.evaluate("document.body.innerText")}`);
  };
  const until = (expression: string): Promise<void> =>
    turns(async () => Boolean(await evaluated(expression)), expression);
  const at = (id: string): string => `document.getElementById(${JSON.stringify(id)})`;
  return {
    async press(id) {
      await until(`!${at(id)}.disabled`);
      await page.evaluate(`${at(id)}.click()`);
    },
    fill: (id, value) => page.evaluate(`void (${at(id)}.value = ${JSON.stringify(String(value))})`),
    async choose(id, files) {
      const { result } = await page.send("Runtime.evaluate", { expression: at(id) });
      await page.send("DOM.setFileInputFiles", { files, objectId: result.objectId });
    },
    text: (id) => page.evaluate(`${at(id)}.innerText`),
    until,
    untilText: (id, word) => until(`${at(id)}?.innerText.includes(${JSON.stringify(word)})`),
    async download(selector) {
      for await (const { name } of Deno.readDir(folder)) await Deno.remove(join(folder, name));
      await page.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);
      let path = "";
      await turns(async () => {
        for await (const { name } of Deno.readDir(folder)) if (!name.endsWith(".crdownload")) path = join(folder, name);
        return path !== "";
      }, "a download");
      return await Deno.readFile(path);
    },
  };
}

/**
 * Addresses that documents, workers and service workers of an origin asked for over the network, out of the browser's own log. What
 * the browser asks for itself (its updates, its clock) has another initiator.
 */
export async function requestsOf(netLog: string, origin: string): Promise<Set<string>> {
  const { constants, events } = JSON.parse(await Deno.readTextFile(netLog));
  const { URL_REQUEST_START_JOB: type } = constants.logEventTypes;
  return new Set(
    events.flatMap((event: { type: number; params?: { url?: string; initiator?: string } }) =>
      event.type === type && event.params?.initiator === origin ? [event.params.url!] : []
    ),
  );
}

const chromium = await findChromium();

/** The page's folder, built once. */
export const site: string = chromium === null ? "" : await Deno.makeTempDir({ prefix: "ace-page-" });
let built: Promise<void> | undefined;
addEventListener("unload", () => site !== "" && Deno.removeSync(site, { recursive: true }));

/** The open page. */
export interface App extends Driver {
  /** For what the driver does not do. */
  page: Page;
  /** Where it is served. */
  address: string;
  /** A folder for the test's files. */
  folder: string;
  /** Ends the server: from then on there is no network. */
  goOffline(): Promise<void>;
  /** Opens the page anew and waits for its model. */
  reopen(): Promise<void>;
  /** Closes the tab, whatever it is at, and opens the page in another of the same browser. */
  inNewTab(): Promise<App>;
}

/** Options of {@linkcode withApp}. */
export interface WithAppOptions extends WithPageOptions {
  /** As a plain static host serves. @default {false} */
  plain?: boolean;
  /** What runs in each worker of the page before its own first line. @default {nothing} */
  inWorkers?: string;
}

/** Opens the page in a fresh browser. */
export async function withApp(
  use: (app: App) => Promise<void>,
  options: WithAppOptions = {},
): Promise<void> {
  await (built ??= buildPage(site));
  const { plain = false, inWorkers, ...browser } = options;
  const [backend, name] = browser.webgpu ? ["webgpu", "webgpu"] as const : ["wasm", "WebAssembly"] as const;
  const folder = await Deno.makeTempDir({ prefix: "ace-page-files-" });
  const downloads = join(folder, "downloads");
  await Deno.mkdir(downloads);
  const server = await startServer(site, plain);
  let isOnline = true;
  const goOffline = async (): Promise<void> => {
    if (isOnline) await server.close();
    isOnline = false;
  };
  try {
    const open = async (page: Page): Promise<App> => {
      const driver = await drive(page, downloads, backend);
      if (inWorkers !== undefined) await page.inWorkers(inWorkers);
      const reopen = async (): Promise<void> => {
        await page.open("about:blank");
        await page.open(`${server.address}?backend=${backend}`);
        await driver.untilText("model-line", name);
      };
      await reopen();
      const inNewTab = async (): Promise<App> => await open(await page.closed());
      return { ...driver, page, address: server.address, folder, goOffline, reopen, inNewTab };
    };
    await withPage(chromium!, async (page) => await use(await open(page)), browser);
  } finally {
    await goOffline();
    await Deno.remove(folder, { recursive: true });
  }
}

/** For `inWorkers`: `reads` holds how many bytes were read of a file at once. */
export const COUNT_READS = `globalThis.reads = [];
for (const name of ["arrayBuffer", "bytes", "text", "stream"]) {
  const own = Blob.prototype[name];
  if (own) Blob.prototype[name] = function () { reads.push(this.size); return own.call(this); };
}`;

/** A test in Chromium, where there is one. */
export function appTest(name: string, body: () => Promise<void>): void {
  const reason = chromium === null ? " (skipped: no chromium on PATH, set ACE_CHROMIUM)" : "";
  Deno.test({ name: name + reason, ignore: chromium === null, fn: body });
}
