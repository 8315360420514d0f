/** One film on a canvas: zoom, movement, window and level. @module */
import type { Client } from "./client.ts";
import { attempt, element, make } from "./elements.ts";
import { movable } from "./movable.ts";

/** The viewer of the page. */
export interface Viewer {
  /** Shows a film under a name. */
  open(file: File, name: string): Promise<void>;
  /** Shows nothing. */
  close(): void;
}

interface Window {
  center: number;
  width: number;
}

/** A window as a film has it, and the lowest and highest of its values. */
type FilmWindow = Window & { low: number; high: number };

const within = ({ min, max }: HTMLInputElement, value: number): number =>
  Math.min(Number(max), Math.max(Number(min), value));

/** Makes a drawing one at a time, and of those asked for meanwhile the last. */
function lastOnly<T>(draw: (what: T) => Promise<void>): (what: T) => Promise<void> {
  let asked: { what: T } | undefined;
  let isDrawing = false;
  return async (what) => {
    asked = { what };
    if (isDrawing) return;
    isDrawing = true;
    try {
      while (asked !== undefined) {
        const next: { what: T } = asked;
        asked = undefined;
        await draw(next.what);
      }
    } finally {
      isDrawing = false;
    }
  };
}

/** The sliders of level and width. */
interface Sliders {
  /** Takes a film's own window; without one there are no sliders. */
  begin(own: FilmWindow | null): void;
  /** Moves both, in shares of a drag over the whole film. */
  drag(right: number, down: number): void;
}

/** Sets the sliders up. @param render Draws the film under a window; null: as in the file. */
function setUpSliders(render: (window: Window | null) => Promise<void>): Sliders {
  const level = element<HTMLInputElement>("level"), width = element<HTMLInputElement>("width");
  let own: Window | null = null;
  let dragged: Window = { center: 0, width: 1 }; // as the sliders, without their steps, which would swallow a slow drag
  const chosen = (): Window => ({ center: Number(level.value), width: Number(width.value) });
  const showNumbers = (): void => {
    element("level-value").textContent = level.value;
    element("width-value").textContent = width.value;
  };
  const set = (window: Window): void => {
    level.value = String(window.center);
    width.value = String(window.width);
    dragged = window;
    showNumbers();
  };
  for (const input of [level, width]) {
    input.addEventListener("input", () => {
      showNumbers();
      dragged = chosen();
      attempt(() => render(dragged));
    });
  }
  element("window-reset").addEventListener("click", () => {
    if (own) set(own);
    attempt(() => render(own));
  });
  return {
    begin(window) {
      own = window;
      element("window").hidden = window === null;
      if (!window) return;
      setRanges(level, width, window);
      set(window);
    },
    drag(right, down) {
      if (!own) return;
      const span = Number(width.max) / 2;
      set({ center: within(level, dragged.center + down * span), width: within(width, dragged.width + right * span) });
      attempt(() => render(chosen()));
    },
  };
}

/** Gives the sliders the ranges and steps that a film's values ask for. */
function setRanges(level: HTMLInputElement, width: HTMLInputElement, window: FilmWindow): void {
  const { low, high, center } = window;
  const span = Math.max(1, high - low, window.width);
  const step = String(span > 50 ? 1 : span / 256);
  const [min, max] = [Math.min(low, center - span / 2), Math.max(high, center + span / 2)];
  // In steps of one the file's own half would be rounded away.
  Object.assign(level, { min: String(min), max: String(max), step: Number.isInteger(center - min) ? step : "any" });
  Object.assign(width, { min: step, max: String(2 * span), step });
}

/** Sets up the viewer; films are decoded by a worker of its own, so they are shown while a model trains. */
export function setUpViewer(films: Client): Viewer {
  const canvas = element<HTMLCanvasElement>("film");
  const picture = movable(canvas, (right, down) => sliders.drag(right, down));
  const render = lastOnly<Window | null>(async (window) => picture.show((await films.renderFilm(window)).bitmap));
  const sliders = setUpSliders(render);
  let turns = 0, opening: Promise<unknown> = Promise.resolve();
  return {
    async open(file, name) {
      const turn = ++turns;
      await opening.catch(() => {}); // one is decoded at a time, and of those asked for meanwhile the last
      if (turn !== turns) return;
      const opened = films.openFilm(file);
      opening = opened;
      const view = await opened.catch((error: unknown) => {
        if (turn === turns) throw error;
      });
      if (!view || turn !== turns) return;
      element("viewer").hidden = false;
      element("film-title").textContent = name;
      canvas.setAttribute("aria-label", `${name}, ${view.width} by ${view.height} pixels`);
      element("film-notes").replaceChildren(...view.notes.map((note) => make("li", note)));
      sliders.begin(view.window);
      await render(null);
      picture.zoomBy(0);
    },
    close() {
      turns++;
      picture.show(undefined);
      element("viewer").hidden = true;
      element("film-title").textContent = "No film chosen";
    },
  };
}
