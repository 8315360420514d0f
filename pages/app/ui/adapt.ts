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

/** Sets up the panel. @param onModel Takes what is said of the model once it is adapted. */
export function setUpAdapt(model: () => Client, drawer: Client, onModel: (facts: ModelFacts) => void): AdaptPanel {
  const status = element("run-status"), stored = element("run-stored"), warnings = element("run-warnings");
  const start = element<HTMLButtonElement>("run-start"), stop = element<HTMLButtonElement>("run-stop");
  const goOn = element<HTMLButtonElement>("run-resume");
  const pairs = setUpPairs(drawer);
  let isReady = false, isRunning = false;
  const update = (): void => {
    start.disabled = goOn.disabled = !isReady || isRunning;
    stop.disabled = !isRunning;
  };
  const offerStored = async (): Promise<void> => {
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
    goOn.textContent = isDone ? "Use its adapter" : "Go on";
  };
  const draw = (loss: readonly number[]): void => {
    if (loss.length < 2) return; // one point is no line
    const box = element("curve");
    box.innerHTML = figureSvg(lossFigure([{ name: "loss", loss }]), { width: box.clientWidth || 560, height: 320 });
  };
  const run = async (begin: () => Promise<RunResult>): Promise<void> => {
    isRunning = true;
    update();
    stored.hidden = true;
    warnings.replaceChildren();
    say(status, "Preparing the pairs.");
    try {
      const { facts, interrupted, loss } = await begin();
      draw(loss);
      say(status, endOf({ interrupted, loss }));
      onModel(facts);
    } catch (error) {
      say(status, "Nothing is training.");
      throw error;
    } finally {
      isRunning = false;
      update();
      await offerStored();
    }
  };
  element("run").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(() =>
      run(async () => {
        const request: RunRequest = {
          pairs: pairs.request(),
          method: valueOf("method") as RunRequest["method"],
          epochs: numberOf("epochs"),
          batchSize: numberOf("batch"),
          learningRate: numberOf("rate"),
          seed: numberOf("seed"),
        };
        return await model().adapt(request, pairs.files());
      })
    );
  });
  goOn.addEventListener("click", () => attempt(() => run(() => model().resume(pairs.files()))));
  stop.addEventListener("click", () =>
    attempt(async () => {
      stop.disabled = true;
      say(status, "Stopping after this step.");
      await model().stopAdapting();
    }));
  for (const button of document.querySelectorAll<HTMLButtonElement>("#download button")) {
    button.addEventListener("click", () =>
      attempt(async () => {
        const { name, blob } = await model().adapterFiles(button.dataset["format"] as AdapterFormat);
        download(name, blob);
      }));
  }
  return {
    async setReady(ready) {
      isReady = ready;
      update();
      await offerStored();
    },
    take(event) {
      if (event.event === "warning") return warnings.append(make("li", event.text));
      const { step, steps, loss, seconds } = event;
      const left = seconds > 0 ? `, about ${duration((steps - step) * seconds)} left` : "";
      if (!stop.disabled) {
        sayProgress(status, `Step ${step} of ${steps}${step > 0 ? `, loss ${loss.at(-1)!.toFixed(4)}` : ""}${left}.`);
      }
      draw(loss);
    },
    show({ adapter }) {
      element("download").hidden = adapter === null;
    },
  };
}
