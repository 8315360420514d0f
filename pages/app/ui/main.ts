/** The page: its panels, and the two workers behind them, one for the model and one for films. @module */
import { CHEST_TEMPLATES } from "../../../lib/clip/zero_shot/prompts.ts";
import { ASSETS } from "../../../lib/platform/assets.ts";
import type { BackendName } from "../../../lib/tensor/backend.ts";
import type { EngineEvent } from "../engine/events.ts";
import type { ModelFacts } from "../engine/model.ts";
import { setUpAdapt } from "./adapt.ts";
import { type Running, startEngine } from "./client.ts";
import { attempt, element } from "./elements.ts";
import { setUpEvaluate } from "./evaluate.ts";
import { setUpFilms } from "./films.ts";
import { setUpModel } from "./model.ts";
import { setUpTabs } from "./tabs.ts";
import { setUpViewer } from "./viewer.ts";

/** From here on the page and its workers may fetch the assets by name, and nothing else. */
function narrowPolicy(): void {
  const meta = document.createElement("meta");
  meta.httpEquiv = "Content-Security-Policy";
  meta.content = `connect-src ${ASSETS.map((file) => new URL(`assets/${file}`, location.href).href).join(" ")}`;
  document.head.append(meta);
}

/** Lets the page work without a network from the next time on. */
async function keepOffline(): Promise<void> {
  await navigator.serviceWorker?.register("service_worker.js").catch(() => {}); // a browser may forbid it: then not
}

/** Where the host sends no headers that isolate the page, the service worker does: whether the page is loaded again for that. */
async function isIsolatedAnew(): Promise<boolean> {
  if (crossOriginIsolated || !navigator.serviceWorker || navigator.serviceWorker.controller) return false;
  await keepOffline();
  if (!await navigator.serviceWorker.getRegistration()) return false;
  await navigator.serviceWorker.ready;
  location.reload();
  return true;
}

async function main(): Promise<void> {
  element<HTMLTextAreaElement>("templates").value = CHEST_TEMPLATES.join("\n");
  setUpTabs();
  if (await isIsolatedAnew()) return;
  narrowPolicy();
  const drawer = startEngine(() => {}).call;
  let engine: Running;
  const model = (): Running["call"] => engine.call;
  const line = element("model-line");

  const films = setUpFilms(model, drawer, setUpViewer(drawer));
  const show = (facts: ModelFacts): void => {
    line.textContent = `${facts.isShipped ? "The shipped model" : facts.name}${
      facts.adapter === null ? "" : ` with ${facts.adapter}`
    }, on ${facts.backend}.`;
    films.forget();
    adapt.show(facts);
    own.show(facts);
  };
  const adapt = setUpAdapt(model, drawer, show);
  const evaluate = setUpEvaluate(model);
  const change = async (load: () => Promise<ModelFacts>): Promise<void> => {
    setReady(false);
    line.textContent = "The model is loading.";
    try {
      show(await load());
    } finally {
      await setReady(true);
    }
  };
  const setReady = async (isReady: boolean): Promise<void> => {
    films.setReady(isReady);
    evaluate.setReady(isReady);
    await adapt.setReady(isReady);
  };
  const onEvent = (event: EngineEvent): void => {
    if (event.event !== "images") return adapt.take(event);
    films.progress(event.done, event.of);
    evaluate.progress(event.done, event.of);
  };
  const restart = async (backend: string): Promise<void> => {
    engine?.end();
    engine = startEngine(onEvent);
    const assets = new URL("assets/", location.href).href;
    await change(() => model().start(assets, backend === "" ? undefined : backend as BackendName));
  };
  const own = setUpModel({ model, change, restart });
  await attempt(() => restart(new URLSearchParams(location.search).get("backend") ?? ""));
  await attempt(() => own.list());
  await keepOffline(); // after the first load, for which it would compete
}

await main();
