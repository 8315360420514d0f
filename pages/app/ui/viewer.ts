/** One film on a canvas: zoom, movement, window and level. @module */
import type { Client } from "./client.ts";
import { attempt, element, make } from "./elements.ts";

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

const STEP = 1.25;

const within = ({ min, max }: HTMLInputElement, value: number): number =>
  Math.min(Number(max), Math.max(Number(min), value));

/** A canvas that zooms and moves a bitmap: by wheel, pointers and keys. What is dragged otherwise goes to `onDrag`, in shares of its side. */
function movable(
  canvas: HTMLCanvasElement,
  onDrag: (right: number, down: number) => void,
): { show(bitmap: ImageBitmap | undefined): void; all(): void } {
  const context = canvas.getContext("2d")!;
  let bitmap: ImageBitmap | undefined;
  let zoom = 1, x = 0, y = 0; // the middle of what is seen, from the film's middle, in shares of its longer side
  const draw = (): void => {
    const side = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
    if (canvas.width !== side) canvas.width = canvas.height = side;
    context.fillStyle = "#000";
    context.fillRect(0, 0, side, side);
    if (!bitmap) return;
    const scale = side / Math.max(bitmap.width, bitmap.height) * zoom;
    context.imageSmoothingEnabled = scale < 2;
    const [w, h] = [bitmap.width * scale, bitmap.height * scale];
    context.drawImage(bitmap, side / 2 - w / 2 - x * side * zoom, side / 2 - h / 2 - y * side * zoom, w, h);
  };
  const moveTo = (nextX: number, nextY: number): void => {
    const most = 0.5 - 0.5 / zoom;
    x = Math.min(most, Math.max(-most, nextX));
    y = Math.min(most, Math.max(-most, nextY));
    draw();
  };
  const zoomBy = (factor: number): void => {
    zoom = Math.min(32, Math.max(1, zoom * factor));
    moveTo(x, y);
  };
  const all = (): void => zoomBy(0);
  const actions: Record<string, () => void> = {
    "+": () => zoomBy(STEP),
    "=": () => zoomBy(STEP),
    "-": () => zoomBy(1 / STEP),
    "0": all,
    ArrowLeft: () => moveTo(x - 0.1 / zoom, y),
    ArrowRight: () => moveTo(x + 0.1 / zoom, y),
    ArrowUp: () => moveTo(x, y - 0.1 / zoom),
    ArrowDown: () => moveTo(x, y + 0.1 / zoom),
  };
  for (const [id, key] of [["zoom-in", "+"], ["zoom-out", "-"], ["zoom-all", "0"]] as const) {
    element(id).addEventListener("click", actions[key]!);
  }
  canvas.addEventListener("keydown", (event) => {
    const action = actions[event.key];
    if (!action || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    action();
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    zoomBy(event.deltaY < 0 ? STEP : 1 / STEP);
  }, { passive: false });
  const pointers = new Map<number, PointerEvent>();
  const spread = (): number => {
    const [a, b] = [...pointers.values()];
    return Math.hypot(a!.clientX - b!.clientX, a!.clientY - b!.clientY);
  };
  canvas.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, event);
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const apart = pointers.size === 2 ? spread() : 0;
    pointers.set(event.pointerId, event);
    if (pointers.size === 2) return zoomBy(spread() / Math.max(1, apart));
    const [right, down] = [event.clientX - before.clientX, event.clientY - before.clientY];
    if (event.shiftKey || (event.buttons & 2) !== 0) {
      return onDrag(right / canvas.clientWidth, down / canvas.clientWidth);
    }
    const size = canvas.clientWidth * zoom;
    moveTo(x - right / size, y - down / size);
  });
  for (const type of ["pointerup", "pointercancel"] as const) {
    canvas.addEventListener(type, (event) => pointers.delete(event.pointerId));
  }
  canvas.addEventListener("contextmenu", (event) => event.preventDefault()); // its button sets the window
  new ResizeObserver(draw).observe(canvas);
  return {
    show(next) {
      bitmap?.close();
      bitmap = next;
      draw();
    },
    all,
  };
}

/** Sets up the viewer; films are decoded by a worker of its own, so they are shown while a model trains. */
export function setUpViewer(films: Client): Viewer {
  const canvas = element<HTMLCanvasElement>("film");
  const level = element<HTMLInputElement>("level"), width = element<HTMLInputElement>("width");
  const picture = movable(canvas, (right, down) => {
    if (!own) return;
    const span = Number(width.max) / 2;
    dragged = {
      center: within(level, dragged.center + down * span),
      width: within(width, dragged.width + right * span),
    };
    level.value = String(dragged.center);
    width.value = String(dragged.width);
    showNumbers();
    attempt(() => render(chosen()));
  });
  let own: Window | null = null;
  let turns = 0, opening: Promise<unknown> = Promise.resolve();
  let dragged: Window = { center: 0, width: 1 }; // as the sliders, without their steps, which would swallow a slow drag

  // One window is drawn at a time, and of those asked for meanwhile the last.
  let asked: Window | null | undefined;
  let isRendering = false;
  const render = async (window: Window | null): Promise<void> => {
    asked = window;
    if (isRendering) return;
    isRendering = true;
    try {
      while (asked !== undefined) {
        const next: Window | null = asked;
        asked = undefined;
        picture.show((await films.renderFilm(next)).bitmap);
      }
    } finally {
      isRendering = false;
    }
  };
  const chosen = (): Window => ({ center: Number(level.value), width: Number(width.value) });
  const showNumbers = (): void => {
    element("level-value").textContent = level.value;
    element("width-value").textContent = width.value;
  };
  const setSliders = (window: Window): void => {
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
    if (own) setSliders(own);
    attempt(() => render(own));
  });

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
      own = view.window;
      element("viewer").hidden = false;
      element("film-title").textContent = name;
      canvas.setAttribute("aria-label", `${name}, ${view.width} by ${view.height} pixels`);
      element("window").hidden = own === null;
      element("film-notes").replaceChildren(...view.notes.map((note) => make("li", note)));
      if (view.window) {
        const { low, high, center } = view.window;
        const span = Math.max(1, high - low, view.window.width);
        const step = String(span > 50 ? 1 : span / 256);
        const [min, max] = [Math.min(low, center - span / 2), Math.max(high, center + span / 2)];
        // In steps of one the file's own half would be rounded away.
        Object.assign(level, {
          min: String(min),
          max: String(max),
          step: Number.isInteger(center - min) ? step : "any",
        });
        Object.assign(width, { min: step, max: String(2 * span), step });
        setSliders(view.window);
      }
      await render(null);
      picture.all();
    },
    close() {
      turns++;
      picture.show(undefined);
      element("viewer").hidden = true;
      element("film-title").textContent = "No film chosen";
    },
  };
}
