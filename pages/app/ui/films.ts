/** The films' panel: what is asked of them, and the answers. @module */
import { csvCell } from "../../../lib/data/csv_cell.ts";
import type { Answer } from "../engine/model.ts";
import type { Client } from "./client.ts";
import {
  attempt,
  download,
  element,
  type Files,
  linesOf,
  make,
  onDrop,
  onFiles,
  say,
  sayProgress,
} from "./elements.ts";
import type { Viewer } from "./viewer.ts";

/** The panel of films. */
export interface FilmsPanel {
  /** Whether a model is there to ask. */
  setReady(isReady: boolean): void;
  /** Says how many are done. */
  progress(done: number, of: number): void;
  /** Takes the answers away, as they are of another model than the present one. */
  forget(): void;
}

/** A film, and its path below the folder that was given: in folders of patients the names alone repeat. */
interface Film {
  path: string;
  file: File;
}

const count = (n: number): string => `${n} film${n === 1 ? "" : "s"}`;

/** Cells of an answer, one a label. */
function answerCells(answer: Answer | undefined, labels: readonly string[]): HTMLElement[] {
  const whole = { colspan: String(labels.length + 1) };
  if (!answer) return [make("td", "", whole)];
  if ("refused" in answer) return [make("td", answer.refused, { ...whole, class: "refused" })];
  const scores = labels.map((label) => {
    const value = answer.scores[label]!;
    const bar = make("meter", "", { min: "0", max: "1", value: String(value), "aria-label": label });
    return make("td", [new Text(value.toFixed(4)), bar]);
  });
  return [make("td", answer.label), ...scores];
}

/** The answers as a table: film, answer, a column for each label, and why a film was not read. */
function answersCsv(films: readonly Film[], answers: readonly Answer[], labels: readonly string[]): string {
  const rows = answers.map((answer, i) => {
    const path = films[i]!.path;
    if ("refused" in answer) return [path, "", ...labels.map(() => ""), answer.refused];
    return [path, answer.label, ...labels.map((label) => answer.scores[label]!), ""];
  });
  return [["film", "answer", ...labels, "refused"], ...rows].map((row) =>
    `${row.map((cell) => csvCell(cell)).join(",")}\n`
  )
    .join("");
}

/** Sets up the panel. */
export function setUpFilms(model: () => Client, drawer: Client, viewer: Viewer): FilmsPanel {
  const status = element("films-status"), table = element("answers"), title = element("film-title");
  const askButton = element<HTMLButtonElement>("ask-now"), clear = element<HTMLButtonElement>("films-clear");
  const csvButton = element<HTMLButtonElement>("films-csv");
  let films: Film[] = [], answers: Answer[] = [], labels: string[] = [];
  let current = -1, isReady = false, isBusy = false;

  const update = (): void => {
    askButton.disabled = !isReady || isBusy || films.length === 0;
    clear.disabled = films.length === 0;
    csvButton.hidden = answers.length === 0;
    for (const [i, row] of [...table.querySelectorAll("tbody tr")].entries()) {
      row.setAttribute("aria-current", String(i === current));
    }
    const answer = answers[current];
    const explained = answer && "overlay" in answer ? answer : undefined;
    element("explanation").hidden = explained === undefined;
    element("overlay").innerHTML = explained?.overlay ?? ""; // an SVG that the library made and escaped
    element("maps").replaceChildren(...(explained?.maps ?? []).map(({ title, svg }) => {
      const figure = make("figure");
      figure.innerHTML = svg;
      figure.append(make("figcaption", title));
      return figure;
    }));
  };
  const list = (): void => {
    table.hidden = films.length === 0;
    const isAsked = labels.length > 0;
    const heads = ["film", ...(isAsked ? ["answer"] : []), ...labels];
    const rows = films.map(({ path }, i) => {
      const button = make("button", path, { type: "button" });
      button.addEventListener("click", () =>
        attempt(async () => {
          await show(i);
          element("film").scrollIntoView({ block: "nearest" }); // in a narrow window it stands below the table
        }));
      return make("tr", [make("th", [button], { scope: "row" }), ...(isAsked ? answerCells(answers[i], labels) : [])]);
    });
    const head = make("thead", [make("tr", heads.map((text) => make("th", text, { scope: "col" })))]);
    table.replaceChildren(make("table", [head, make("tbody", rows)]));
    update();
  };
  const show = async (index: number): Promise<void> => {
    current = index;
    update();
    const { path, file } = films[index]!;
    await viewer.open(file, path).catch((error: Error) => {
      viewer.close();
      title.textContent = path;
      throw error;
    });
  };
  const add = async (given: Files): Promise<void> => {
    const added = Object.entries(given).filter(([path]) => !/(^|\/)\./.test(path))
      .map(([path, file]) => ({ path, file }));
    if (added.length === 0) return;
    const first = films.length;
    films = [...films, ...added];
    say(status, `${count(films.length)} chosen.`);
    list();
    await show(first);
  };
  const ask = async (): Promise<void> => {
    const asked = linesOf("labels");
    isBusy = true;
    update();
    say(status, `Asking about ${count(films.length)}.`);
    try {
      const began = performance.now();
      answers = await model().classify(films.map(({ file }) => file), {
        labels: asked,
        templates: linesOf("templates"),
      });
      labels = asked;
      const refused = answers.filter((answer) => "refused" in answer).length;
      const each = Math.round((performance.now() - began) / films.length);
      say(
        status,
        `${count(films.length - refused)} answered, ${each} ms each${
          refused > 0 ? `; ${count(refused)} not read` : ""
        }. Not a diagnosis.`,
      );
    } catch (error) {
      say(status, "");
      throw error;
    } finally {
      isBusy = false;
      list();
    }
  };
  const drawMaps = async (): Promise<void> => {
    const index = current, { path, file } = films[index]!;
    say(status, `Drawing maps of ${path}.`);
    const [answer] = await model().classify([file], {
      labels,
      templates: linesOf("templates"),
      maps: ["similarity", "gradient", "occlusion"],
    });
    answers[index] = answer!;
    say(status, `Maps of ${path} are drawn.`);
    update();
  };

  onFiles("film-files", add);
  onFiles("film-folder", add);
  onDrop(element("drop"), add);
  element("film-drawn").addEventListener("click", () =>
    attempt(async () => {
      const drawn = await drawer.drawnFilms(4, 7);
      await add(Object.fromEntries(drawn.map((film) => [film.name, film])));
    }));
  element("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(ask);
  });
  element("more-maps").addEventListener("click", () => attempt(drawMaps));
  csvButton.addEventListener(
    "click",
    () => download("answers.csv", new Blob([answersCsv(films, answers, labels)], { type: "text/csv" })),
  );
  const forget = (): void => {
    answers = [];
    labels = [];
    say(status, films.length === 0 ? "" : `${count(films.length)} chosen.`);
    list();
  };
  clear.addEventListener("click", () => {
    films = [];
    current = -1;
    viewer.close();
    forget();
  });
  return {
    setReady(ready) {
      isReady = ready;
      update();
    },
    progress(done, of) {
      if (isBusy) sayProgress(status, `${done} of ${count(of)} answered.`);
    },
    forget,
  };
}
