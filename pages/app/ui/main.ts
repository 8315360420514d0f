/** The page: its panels, and the two workers behind them, one for the model and one for films. @module */
import { CHEST_TEMPLATES } from "../../../lib/clip/zero_shot/prompts.ts";
import { ASSETS } from "../../../lib/platform/assets.ts";
import type { ModelFacts } from "../engine/model.ts";
import { setUpAdapt } from "./adapt.ts";
import { startEngine } from "./client.ts";
import { attempt, element, sayProblem } from "./elements.ts";
import { setUpEvaluate } from "./evaluate.ts";
import { setUpFilms } from "./films.ts";
import { setUpModel } from "./model.ts";
import { openSession } from "./session.ts";
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
  if (!await navigator.serviceWorker.getRegistration().catch(() => undefined)) return false; // as in private windows
  await navigator.serviceWorker.ready;
  location.reload();
  return true;
}

/** Says that a worker was lost; the next one computes on WebAssembly. */
function sayLost(text: string): void {
  element<HTMLSelectElement>("backend").value = "wasm";
  sayProblem(text);
}

/** What is at work, in one line. */
function modelLine({ isShipped, name, adapter, backend }: ModelFacts): string {
  return `${isShipped ? "The shipped model" : name}${adapter === null ? "" : ` with ${adapter}`}, on ${backend}.`;
}

async function main(): Promise<void> {
  element<HTMLTextAreaElement>("templates").value = CHEST_TEMPLATES.join("\n");
  setUpTabs();
  if (await isIsolatedAnew()) return;
  narrowPolicy();
  const drawer = startEngine(() => {}).call;
  const line = element("model-line");
  let said = "";
  const setReady = async (isReady: boolean): Promise<void> => {
    films.setReady(isReady);
    evaluate.setReady(isReady);
    await adapt.setReady(isReady);
  };
  const show = (facts: ModelFacts): void => {
    line.textContent = said = modelLine(facts);
    adapt.show(facts);
    own.show(facts);
  };
  const session = openSession({
    onEvent: (event) => {
      if (event.event === "step" || event.event === "warning") return adapt.take(event);
      if (event.event !== "images") return;
      films.progress(event.done, event.of);
      evaluate.progress(event.done, event.of);
    },
    onLoading: () => {
      setReady(false);
      line.textContent = "The model is loading.";
    },
    onLoaded: async (facts, isAnother) => {
      line.textContent = said;
      if (isAnother) films.forget();
      if (facts) show(facts);
      await setReady(true);
    },
    onProblem: sayLost,
  });
  const films = setUpFilms(session.call, drawer, setUpViewer(drawer));
  const evaluate = setUpEvaluate(session.call);
  const adapt = setUpAdapt(session.call, drawer, (facts) => {
    session.remember((engine) => engine.loadTrained(), "adapter");
    films.forget();
    show(facts);
  });
  const own = setUpModel(session);
  await attempt(() => session.restart(new URLSearchParams(location.search).get("backend") ?? ""));
  await attempt(() => own.list());
  await keepOffline(); // after the first load, for which it would compete
}

await main();
