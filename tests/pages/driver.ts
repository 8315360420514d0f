/** What a test does with the open page: presses, chooses files, waits, downloads; and what the browser asked of the network. */
import { join } from "@std/path";
import type { Page } from "../browser/chromium.ts";

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

/** Most turns of a tenth of a second that are waited. */
const PATIENCE = 1800;

/** Drives a page; what it downloads goes to `folder`. */
export async function drive(page: Page, folder: string): Promise<Driver> {
  await page.send("Page.setDownloadBehavior", { behavior: "allow", downloadPath: folder });
  const turns = async (isDone: () => Promise<boolean>, what: string): Promise<void> => {
    for (let turn = 0; turn < PATIENCE; turn++) {
      if (await isDone()) return;
      const problem = await page.evaluate("document.getElementById('problem')?.innerText ?? ''");
      if (problem !== "") throw new Error(`waiting for ${what}: ${problem}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`waited in vain for ${what}: ${await page.evaluate("document.body.innerText")}`);
  };
  const until = (expression: string): Promise<void> => turns(() => page.evaluate(expression), expression);
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
    untilText: (id, word) => until(`${at(id)}.innerText.includes(${JSON.stringify(word)})`),
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

/** Addresses that the browser asked for over the network or looked up, out of its own log. */
export async function requestsOf(netLog: string): Promise<Set<string>> {
  const { constants, events } = JSON.parse(await Deno.readTextFile(netLog));
  const names = new Map(Object.entries(constants.logEventTypes).map(([name, type]) => [type, name]));
  const addresses = new Set<string>();
  for (const { type, params } of events) {
    const name = names.get(type);
    if (name === "URL_REQUEST_START_JOB") addresses.add(params.url);
    if (name === "HOST_RESOLVER_MANAGER_REQUEST" && params?.host) addresses.add(`lookup of ${params.host}`);
  }
  return addresses;
}
