/**
 * A model of BiomedCLIP's size in the page: `deno run -A tests/pages/full_size.ts FOLDER FILM` loads the folder of an open_clip or
 * transformers model, asks about the film, and prints seconds, the highest memory of the page's process and what was read at once.
 * tests/full_size/make_checkpoint.py makes random weights of that size.
 */
import { resolve } from "@std/path";
import { COUNT_READS, withApp } from "./driver.ts";

const [folder, film] = Deno.args.map((path) => resolve(path)) as [string, string];

await withApp(async (app) => {
  const { processInfo } = await app.page.sendToBrowser("SystemInfo.getProcessInfo");
  const renderers: number[] = processInfo.filter((one: { type: string }) => one.type === "renderer")
    .map((one: { id: number }) => one.id);
  const memory = async (field: string): Promise<number> => {
    const texts = await Promise.all(renderers.map((pid) => Deno.readTextFile(`/proc/${pid}/status`).catch(() => "")));
    return Math.max(...texts.map((text) => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(text)?.[1] ?? 0) / 1024));
  };
  const begun = { resident: await memory("VmRSS"), peak: await memory("VmHWM") };
  const timed = async (act: () => Promise<void>): Promise<number> => {
    const began = performance.now();
    await act();
    return (performance.now() - began) / 1000;
  };
  const load = await timed(async () => {
    await app.choose("model-folder", [folder]);
    await app.untilText("model-line", `${folder.split("/").at(-1)}, on`);
  });
  const reads: number[] = (await app.page.evaluateInWorkers("globalThis.reads ?? []")).flat();
  const loaded = { resident: await memory("VmRSS"), peak: await memory("VmHWM") };
  await app.choose("film-files", [film]);
  const ask = (): Promise<number> =>
    timed(async () => {
      await app.press("ask-now");
      await app.untilText("films-status", "Asking");
      await app.untilText("films-status", "1 film answered");
    });
  const first = await ask();
  const second = await ask();
  const asked = { resident: await memory("VmRSS"), peak: await memory("VmHWM") };
  const [answer] = await app.page.evaluate(
    `[...document.querySelectorAll("#answers tbody tr")].map((row) => row.textContent)`,
  );
  console.log(JSON.stringify(
    {
      model: await app.text("model-line"),
      answer,
      seconds: { load, first, second },
      memoryMiB: { begun, loaded, asked },
      reads: { count: reads.length, largest: Math.max(...reads), total: reads.reduce((a, b) => a + b, 0) },
    },
    null,
    2,
  ));
}, { inWorkers: COUNT_READS });
