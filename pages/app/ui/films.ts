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

/** The films, and the answers where they were asked for, as a table. */
function filmsTable({ films, answers, labels }: Panel, show: (index: number) => void): HTMLElement {
  const isAsked = labels.length > 0;
  const heads = ["film", ...(isAsked ? ["answer"] : []), ...labels];
  const rows = films.map(({ path }, i) => {
    const button = make("button", path, { type: "button" });
    button.addEventListener("click", () => show(i));
    return make("tr", [make("th", [button], { scope: "row" }), ...(isAsked ? answerCells(answers[i], labels) : [])]);
  });
  const head = make("thead", [make("tr", heads.map((text) => make("th", text, { scope: "col" })))]);
  return make("table", [head, make("tbody", rows)]);
}

/** Shows what the model saw in a film, or nothing. */
function explain(answer: Answer | undefined): void {
  const explained = answer && "overlay" in answer ? answer : undefined;
  element("explanation").hidden = explained === undefined;
  element("overlay").innerHTML = explained?.overlay ?? ""; // an SVG that the library made and escaped
  element("maps").replaceChildren(...(explained?.maps ?? []).map(({ title, svg }) => {
    const figure = make("figure");
    figure.innerHTML = svg;
    figure.append(make("figcaption", title));
    return figure;
  }));
}

/** How a question of all films ended. @param took Milliseconds. */
function endOf(answers: readonly Answer[], took: number): string {
  const refused = answers.filter((answer) => "refused" in answer).length;
  return `${count(answers.length - refused)} answered, ${Math.round(took / answers.length)} ms each${
    refused > 0 ? `; ${count(refused)} not read` : ""
  }. Not a diagnosis.`;
}

/** What the panel holds and works with. */
interface Panel {
  films: Film[];
  answers: Answer[];
  /** Those that were asked for. */
  labels: string[];
  /** Place of the film that is shown; -1: none. */
  current: number;
  isReady: boolean;
  isBusy: boolean;
  model: () => Client;
  viewer: Viewer;
}

const statusOf = (): HTMLElement => element("films-status");

/** Shows what may be pressed, and which film is chosen. */
function update({ films, answers, current, isReady, isBusy }: Panel): void {
  element<HTMLButtonElement>("ask-now").disabled = !isReady || isBusy || films.length === 0;
  element<HTMLButtonElement>("films-clear").disabled = films.length === 0;
  element("films-csv").hidden = answers.length === 0;
  for (const [i, row] of [...element("answers").querySelectorAll("tbody tr")].entries()) {
    row.setAttribute("aria-current", String(i === current));
  }
  explain(answers[current]);
}

/** Lists the films anew. */
function list(panel: Panel): void {
  const table = element("answers");
  table.hidden = panel.films.length === 0;
  table.replaceChildren(filmsTable(panel, (i) =>
    attempt(async () => {
      await show(panel, i);
      element("film").scrollIntoView({ block: "nearest" }); // in a narrow window it stands below the table
    })));
  update(panel);
}

/** Shows a film. */
async function show(panel: Panel, index: number): Promise<void> {
  panel.current = index;
  update(panel);
  const { path, file } = panel.films[index]!;
  await panel.viewer.open(file, path).catch((error: Error) => {
    panel.viewer.close();
    element("film-title").textContent = path;
    throw error;
  });
}

/** Adds films, hidden files left out, and shows the first of them. */
async function add(panel: Panel, given: Files): Promise<void> {
  const added = Object.entries(given).filter(([path]) => !/(^|\/)\./.test(path)).map(([path, file]) => ({
    path,
    file,
  }));
  if (added.length === 0) return;
  const first = panel.films.length;
  panel.films = [...panel.films, ...added];
  say(statusOf(), `${count(panel.films.length)} chosen.`);
  list(panel);
  await show(panel, first);
}

/** Asks the model about all films. */
async function ask(panel: Panel): Promise<void> {
  const { films, model } = panel;
  const labels = linesOf("labels");
  panel.isBusy = true;
  update(panel);
  say(statusOf(), `Asking about ${count(films.length)}.`);
  try {
    const began = performance.now();
    const answers = await model().classify(films.map(({ file }) => file), { labels, templates: linesOf("templates") });
    panel.answers = answers;
    panel.labels = labels;
    say(statusOf(), endOf(answers, performance.now() - began));
  } catch (error) {
    say(statusOf(), "");
    throw error;
  } finally {
    panel.isBusy = false;
    list(panel);
  }
}

/** Draws maps of each label on the film that is shown. */
async function drawMaps(panel: Panel): Promise<void> {
  const { films, labels, current, model } = panel, { path, file } = films[current]!;
  say(statusOf(), `Drawing maps of ${path}.`);
  const [answer] = await model().classify([file], {
    labels,
    templates: linesOf("templates"),
    maps: ["similarity", "gradient", "occlusion"],
  });
  panel.answers[current] = answer!;
  say(statusOf(), `Maps of ${path} are drawn.`);
  update(panel);
}

/** Takes the answers away. */
function forget(panel: Panel): void {
  panel.answers = [];
  panel.labels = [];
  say(statusOf(), panel.films.length === 0 ? "" : `${count(panel.films.length)} chosen.`);
  list(panel);
}

/** Sets up the panel. */
export function setUpFilms(model: () => Client, drawer: Client, viewer: Viewer): FilmsPanel {
  const panel: Panel = {
    films: [],
    answers: [],
    labels: [],
    current: -1,
    isReady: false,
    isBusy: false,
    model,
    viewer,
  };
  const take = (files: Files): Promise<void> => add(panel, files);
  onFiles("film-files", take);
  onFiles("film-folder", take);
  onDrop(element("drop"), take);
  element("film-drawn").addEventListener("click", () =>
    attempt(async () => {
      const drawn = await drawer.drawnFilms(4, 7);
      await take(Object.fromEntries(drawn.map((film) => [film.name, film])));
    }));
  element("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(() => ask(panel));
  });
  element("more-maps").addEventListener("click", () => attempt(() => drawMaps(panel)));
  element("films-csv").addEventListener("click", () => {
    const { films, answers, labels } = panel;
    download("answers.csv", new Blob([answersCsv(films, answers, labels)], { type: "text/csv" }));
  });
  element("films-clear").addEventListener("click", () => {
    panel.films = [];
    panel.current = -1;
    viewer.close();
    forget(panel);
  });
  return {
    setReady(isReady) {
      panel.isReady = isReady;
      update(panel);
    },
    progress(done, of) {
      if (panel.isBusy) sayProgress(statusOf(), `${done} of ${count(of)} answered.`);
    },
    forget: () => forget(panel),
  };
}
