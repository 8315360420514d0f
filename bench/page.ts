/** The browser page in Chromium: its size, the time to its first answer, and whether it ever freezes. @module */
import { errorMessage } from "../lib/platform/error_message.ts";
import type { Bench } from "./groups.ts";
import type { PageLoad } from "./page_load.ts";
import { type Aim, atMost, measurement } from "./record.ts";

const VISITS = 3;

/** A visit in a process of its own, which alone may write and serve. */
async function visit(): Promise<PageLoad> {
  const root = decodeURIComponent(new URL("../", import.meta.url).pathname);
  const flags = ["run", "--no-check", "--no-prompt", "--config", `${root}deno.json`];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...flags, "--allow-read", "--allow-write", "--allow-env", "--allow-run", `${root}bench/page_load.ts`],
    env: { NO_COLOR: "1" },
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr).trim().split("\n")[0]);
  return JSON.parse(new TextDecoder().decode(stdout)) as PageLoad;
}

/** Cold visits to the page: bytes, first score, milliseconds an image, longest task while it trains. */
export async function pageGroup({ onMeasurement, onAim, onSkip }: Bench): Promise<void> {
  const visits: PageLoad[] = [];
  try {
    for (let i = 0; i < VISITS; i++) visits.push(await visit());
  } catch (error) {
    onSkip("the browser page", errorMessage(error));
    return;
  }
  const figure = (key: keyof PageLoad, scale = 1): Parameters<typeof atMost>[2] => {
    const sorted = visits.map((one) => one[key] / scale).sort((a, b) => a - b);
    return { median: sorted[VISITS >> 1]!, low: sorted[0]!, high: sorted.at(-1)! };
  };
  const aims: Aim[] = [
    atMost("the page without weights, gzipped", 3, figure("bytes", 1e6), "MB"),
    atMost("the page from a cold load to the first score, mini model", 2, figure("firstScore", 1000), "s"),
    atMost("the page's answer about an image with its explanation, mini model", 60, figure("each"), "ms"),
    atMost("longest task of the page's thread while it trains", 50, figure("longestTask"), "ms"),
  ];
  const more = Object.fromEntries(aims.map(({ name, measured }) => [name, measured]));
  await onMeasurement("page", { ...measurement("the browser page in Chromium, wasm", 2, new Map()), more });
  aims.forEach(onAim);
}
