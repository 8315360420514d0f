/** A canvas that zooms and moves a bitmap: by wheel, pointers and keys. @module */
import { element } from "./elements.ts";

/** A bitmap on a canvas, and what of it is seen. */
interface View {
  /** Shows another bitmap, or none. */
  show(bitmap: ImageBitmap | undefined): void;
  /** Zooms about the middle of what is seen; 0 shows all. */
  zoomBy(factor: number): void;
  /** Moves what is seen, in shares of the canvas's side. */
  moveBy(right: number, down: number): void;
}

const STEP = 1.25;

function openView(canvas: HTMLCanvasElement): View {
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
  const moveBy = (right: number, down: number): void => {
    const most = 0.5 - 0.5 / zoom;
    x = Math.min(most, Math.max(-most, x + right / zoom));
    y = Math.min(most, Math.max(-most, y + down / zoom));
    draw();
  };
  new ResizeObserver(draw).observe(canvas);
  return {
    show(next) {
      bitmap?.close();
      bitmap = next;
      draw();
    },
    zoomBy(factor) {
      zoom = Math.min(32, Math.max(1, zoom * factor));
      moveBy(0, 0);
    },
    moveBy,
  };
}

/** Keys, and the buttons that do the same. */
function listenToKeys(canvas: HTMLCanvasElement, { zoomBy, moveBy }: View): void {
  const actions: Record<string, () => void> = {
    "+": () => zoomBy(STEP),
    "=": () => zoomBy(STEP),
    "-": () => zoomBy(1 / STEP),
    "0": () => zoomBy(0),
    ArrowLeft: () => moveBy(-0.1, 0),
    ArrowRight: () => moveBy(0.1, 0),
    ArrowUp: () => moveBy(0, -0.1),
    ArrowDown: () => moveBy(0, 0.1),
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
}

/** Wheel, mouse and fingers; what is dragged with the right button or Shift goes to `onDrag`. */
function listenToPointers(
  canvas: HTMLCanvasElement,
  { zoomBy, moveBy }: View,
  onDrag: (right: number, down: number) => void,
): void {
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
    const right = (event.clientX - before.clientX) / canvas.clientWidth;
    const down = (event.clientY - before.clientY) / canvas.clientWidth;
    if (event.shiftKey || (event.buttons & 2) !== 0) onDrag(right, down);
    else moveBy(-right, -down);
  });
  for (const type of ["pointerup", "pointercancel"] as const) {
    canvas.addEventListener(type, (event) => pointers.delete(event.pointerId));
  }
  canvas.addEventListener("contextmenu", (event) => event.preventDefault()); // its button is taken
}

/** Sets up a canvas. What is dragged otherwise goes to `onDrag`, in shares of its side. */
export function movable(canvas: HTMLCanvasElement, onDrag: (right: number, down: number) => void): View {
  const view = openView(canvas);
  listenToKeys(canvas, view);
  listenToPointers(canvas, view, onDrag);
  return view;
}
