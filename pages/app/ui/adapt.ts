/** The panel of adaptation: pairs and settings, the loss as it falls, the adapter to download. @module */
import { lossFigure } from "../../../lib/display/curves.ts";
import { figureSvg } from "../../../lib/display/svg.ts";
import type { AdapterFormat } from "../../../lib/adapters/files.ts";
import type { PairsRequest, RunRequest, RunResult } from "../engine/adapt.ts";
import type { EngineEvent } from "../engine/events.ts";
import type { ModelFacts } from "../engine/model.ts";
import type { Client } from "./client.ts";
import { attempt, download, element, type Files, make, onFiles, say, sayProgress } from "./elements.ts";

/** The panel of adaptation. */
export interface AdaptPanel {
  /** Whether a model is there to adapt. */
  setReady(isReady: boolean): Promise<void>;
  /** Draws a step, or says a warning. */
  take(event: Extract<EngineEvent, { event: "step" | "warning" }>): void;
  /** Offers the adapter at work, where there is one. */
  show(facts: ModelFacts): void;
}

const valueOf = (id: string): string => element<HTMLInputElement | HTMLSelectElement>(id).value;
const numberOf = (id: string): number => Number(valueOf(id));

/** Time in words a reader takes in at a glance. */
function duration(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** How a run ended. */
function endOf({ interrupted, loss }: Pick<RunResult, "interrupted" | "loss">): string {
  const last = loss.at(-1);
  return last === undefined
    ? "The kept adapter is at work."
    : `${interrupted ? "Stopped" : "Done"} after ${loss.length} steps, loss ${last.toFixed(4)}.`;
}

/** The pairs' part of the form: drawn ones, or a table out of a folder. */
function setUpPairs(drawer: Client): { files(): Files; request(): PairsRequest } {
  let files: Files = {};
  const kind = (): string => new FormData(element<HTMLFormElement>("run")).get("pairs") as string;
  const fill = (id: string, values: readonly string[], chosen?: string): void => {
    const select = element<HTMLSelectElement>(id);
    select.replaceChildren(...values.map((value) => make("option", value)));
    if (chosen !== undefined && values.includes(chosen)) select.value = chosen;
  };
  const readColumns = async (): Promise<void> => {
    const columns = await drawer.tableColumns(files, valueOf("pairs-csv"));
    fill("pairs-image", columns, "path");
    fill("pairs-text", columns, "text");
  };
  for (const radio of document.querySelectorAll<HTMLInputElement>('input[name="pairs"]')) {
    radio.addEventListener("change", () => {
      element("pairs-drawn").hidden = kind() !== "drawn";
      element("pairs-table").hidden = kind() !== "table";
    });
  }
  element("pairs-csv").addEventListener("change", () => attempt(readColumns));
  onFiles("pairs-folder", async (given) => {
    const tables = Object.keys(given).filter((path) => /\.(csv|csv\.gz|parquet)$/i.test(path));
    if (tables.length === 0) {
      throw new Error(
        `Cannot adapt to the folder as it must hold a CSV or Parquet table of pairs: none is among its ${
          Object.keys(given).length
        } files`,
      );
    }
    files = given;
    element("pairs-status").textContent = `${Object.keys(given).length} files.`;
    fill("pairs-csv", tables.sort());
    await readColumns();
  });
  return {
    files: () => files,
    request() {
      if (kind() === "drawn") return { kind: "drawn", count: numberOf("count") };
      if (Object.keys(files).length === 0) {
        throw new Error("Cannot adapt as the folder of the pairs must be chosen: none is");
      }
      return { kind: "table", csv: valueOf("pairs-csv"), image: valueOf("pairs-image"), text: valueOf("pairs-text") };
    },
  };
}

/** What the panel holds and works with. */
interface Panel {
  isReady: boolean;
  isRunning: boolean;
  model: () => Client;
  /** Takes what is said of the model once it is adapted. */
  onModel: (facts: ModelFacts) => void;
}

const statusOf = (): HTMLElement => element("run-status");

/** Lets pressed what may be. */
function update({ isReady, isRunning }: Panel): void {
  for (const id of ["run-start", "run-resume"]) element<HTMLButtonElement>(id).disabled = !isReady || isRunning;
  element<HTMLButtonElement>("run-stop").disabled = !isRunning;
}

/** Offers the run that this browser keeps, where there is one. */
async function offerStored({ isReady, isRunning, model }: Panel): Promise<void> {
  const stored = element("run-stored");
  const run = isReady ? await model().storedRun() : null;
  stored.hidden = run === null || isRunning;
  if (run === null) return;
  const { request: { method, epochs, pairs }, isDone } = run;
  const of = pairs.kind === "drawn" ? `${pairs.count} drawn pairs` : `the table ${pairs.csv}`;
  stored.querySelector("span")!.textContent = `This browser keeps a run: ${method}, ${of}, ${epochs} epoch${
    epochs === 1 ? "" : "s"
  }, ${isDone ? "done" : "not at its end"}.${
    pairs.kind === "table" && !isDone ? " Choose its folder above first." : ""
  }`;
  element("run-resume").textContent = isDone ? "Use its adapter" : "Go on";
}

function draw(loss: readonly number[]): void {
  if (loss.length < 2) return; // one point is no line
  const box = element("curve");
  box.innerHTML = figureSvg(lossFigure([{ name: "loss", loss }]), { width: box.clientWidth || 560, height: 320 });
}

/** Runs a training from its beginning, or from where it was, and says how it ended. */
async function run(panel: Panel, begin: () => Promise<RunResult>): Promise<void> {
  panel.isRunning = true;
  update(panel);
  element("run-stored").hidden = true;
  element("run-warnings").replaceChildren();
  say(statusOf(), "Preparing the pairs.");
  try {
    const { facts, interrupted, loss } = await begin();
    draw(loss);
    say(statusOf(), endOf({ interrupted, loss }));
    panel.onModel(facts);
  } catch (error) {
    say(statusOf(), "Nothing is training.");
    throw error;
  } finally {
    panel.isRunning = false;
    update(panel);
    await offerStored(panel);
  }
}

/** The form's settings. */
function runRequest(pairs: PairsRequest): RunRequest {
  return {
    pairs,
    method: valueOf("method") as RunRequest["method"],
    epochs: numberOf("epochs"),
    batchSize: numberOf("batch"),
    learningRate: numberOf("rate"),
    seed: numberOf("seed"),
  };
}

/** The buttons that hand the adapter to the reader, a layout each. */
function setUpDownloads(model: () => Client): void {
  for (const button of document.querySelectorAll<HTMLButtonElement>("#download button")) {
    button.addEventListener("click", () =>
      attempt(async () => {
        const { name, blob } = await model().adapterFiles(button.dataset["format"] as AdapterFormat);
        download(name, blob);
      }));
  }
}

/** Sets up the panel. @param onModel Takes what is said of the model once it is adapted. */
export function setUpAdapt(model: () => Client, drawer: Client, onModel: (facts: ModelFacts) => void): AdaptPanel {
  const panel: Panel = { isReady: false, isRunning: false, model, onModel };
  const stop = element<HTMLButtonElement>("run-stop");
  const pairs = setUpPairs(drawer);
  element("run").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(() => run(panel, async () => await model().adapt(runRequest(pairs.request()), pairs.files())));
  });
  element("run-resume").addEventListener(
    "click",
    () => attempt(() => run(panel, () => model().resume(pairs.files()))),
  );
  stop.addEventListener("click", () =>
    attempt(async () => {
      stop.disabled = true;
      say(statusOf(), "Stopping after this step.");
      await model().stopAdapting();
    }));
  setUpDownloads(model);
  return {
    async setReady(isReady) {
      panel.isReady = isReady;
      update(panel);
      await offerStored(panel);
    },
    take(event) {
      if (event.event === "warning") return element("run-warnings").append(make("li", event.text));
      const { step, steps, loss, seconds } = event;
      const left = seconds > 0 ? `, about ${duration((steps - step) * seconds)} left` : "";
      const last = step > 0 ? `, loss ${loss.at(-1)!.toFixed(4)}` : "";
      if (!stop.disabled) sayProgress(statusOf(), `Step ${step} of ${steps}${last}${left}.`);
      draw(loss);
    },
    show({ adapter }) {
      element("download").hidden = adapter === null;
    },
  };
}
