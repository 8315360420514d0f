/** The panel of evaluation. @module */
import type { Client } from "./client.ts";
import { attempt, download, element, linesOf, make, onFiles, say, sayProgress } from "./elements.ts";

/** The panel of evaluation. */
export interface EvaluatePanel {
  /** Whether a model is there to judge. */
  setReady(isReady: boolean): void;
  /** Says how many images are done. */
  progress(done: number, of: number): void;
}

/** An element that holds HTML which the library made and escaped. */
function holding(tag: string, html: string, attributes: Record<string, string> = {}): HTMLElement {
  const made = make(tag, "", attributes);
  made.innerHTML = html;
  return made;
}

/** Sets up the panel. */
export function setUpEvaluate(model: () => Client): EvaluatePanel {
  const status = element("eval-status"), csvButton = element<HTMLButtonElement>("eval-csv");
  const inputs = [element<HTMLInputElement>("eval-folder"), element<HTMLButtonElement>("eval-drawn")];
  let csv = "", isReady = false, isBusy = false;
  const update = (): void => inputs.forEach((input) => input.disabled = !isReady || isBusy);
  const evaluate = async (from: Parameters<Client["evaluate"]>[0]): Promise<void> => {
    isBusy = true;
    update();
    say(status, "Reading the images.");
    try {
      const found = await model().evaluate(from, linesOf("templates"));
      csv = found.csv;
      csvButton.hidden = false;
      const judged = "drawn" in from
        ? `${found.cases} drawn films judged: synthetic data, nothing about patients.`
        : `${found.cases} images judged; not for clinical use.`;
      say(status, [judged, ...found.warnings.map((text) => `Warning: ${text}.`)].join(" "));
      element("eval-tables").replaceChildren(...found.tables.flatMap(({ title, html }) => [
        make("h3", title),
        holding("div", html),
      ]));
      element("eval-figures").replaceChildren(...found.figures.map(({ title, caption, svg }) => {
        const figure = holding("figure", svg);
        figure.prepend(make("h3", title));
        figure.append(make("figcaption", caption));
        return figure;
      }));
    } catch (error) {
      say(status, "");
      throw error;
    } finally {
      isBusy = false;
      update();
    }
  };
  onFiles("eval-folder", evaluate);
  element("eval-drawn").addEventListener("click", () => attempt(() => evaluate({ drawn: 60, seed: 1 })));
  csvButton.addEventListener("click", () => download("predictions.csv", new Blob([csv], { type: "text/csv" })));
  return {
    setReady(ready) {
      isReady = ready;
      update();
    },
    progress(done, of) {
      if (isBusy) sayProgress(status, `${done} of ${of} images.`);
    },
  };
}
