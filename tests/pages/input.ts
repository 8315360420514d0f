/** The browser's own input events: what is dropped, touched, dragged and typed, as from devices. */
import type { Page } from "../browser/chromium.ts";

type Point = readonly [x: number, y: number];

/** The middle of an element, scrolled into view. */
async function middleOf(page: Page, id: string): Promise<Point> {
  return await page.evaluate(`(() => {
    const element = document.getElementById("${id}");
    element.scrollIntoView({ block: "center" });
    const { x, y, width, height } = element.getBoundingClientRect();
    return [x + width / 2, y + height / 2];
  })()`);
}

/** Drops files and folders on an element. */
export async function drop(page: Page, id: string, paths: readonly string[]): Promise<void> {
  const [x, y] = await middleOf(page, id);
  const data = { items: [], files: paths, dragOperationsMask: 1 };
  for (const type of ["dragEnter", "dragOver", "drop"]) {
    await page.send("Input.dispatchDragEvent", { type, x, y, data });
  }
}

/** Drags over an element with a button of the mouse, from its middle. */
export async function drag(page: Page, id: string, [right, down]: Point, button: "left" | "right"): Promise<void> {
  const [x, y] = await middleOf(page, id);
  const buttons = button === "left" ? 1 : 2;
  const mouse = (type: string, x: number, y: number, buttons: number): Promise<unknown> =>
    page.send("Input.dispatchMouseEvent", { type, x, y, button, buttons, clickCount: 1 });
  await mouse("mousePressed", x, y, buttons);
  for (const share of [0.5, 1]) await mouse("mouseMoved", x + right * share, y + down * share, buttons);
  await mouse("mouseReleased", x + right, y + down, 0);
}

/** Turns the wheel over an element. */
export async function wheel(page: Page, id: string, deltaY: number): Promise<void> {
  const [x, y] = await middleOf(page, id);
  await page.send("Input.dispatchMouseEvent", { type: "mouseWheel", x, y, deltaX: 0, deltaY });
}

/** Moves fingers over an element: each from one place to another, from its middle. */
export async function touch(page: Page, id: string, fingers: readonly (readonly [Point, Point])[]): Promise<void> {
  const [x, y] = await middleOf(page, id);
  const points = (share: number): unknown[] =>
    fingers.map(([[fromX, fromY], [toX, toY]], i) => ({
      x: x + fromX + share * (toX - fromX),
      y: y + fromY + share * (toY - fromY),
      id: i,
    }));
  await page.send("Input.dispatchTouchEvent", { type: "touchStart", touchPoints: points(0) });
  for (const share of [0.5, 1]) {
    await page.send("Input.dispatchTouchEvent", { type: "touchMove", touchPoints: points(share) });
  }
  await page.send("Input.dispatchTouchEvent", { type: "touchEnd", touchPoints: [] });
}

const CODES: Readonly<Record<string, number>> = {
  Tab: 9,
  Enter: 13,
  Escape: 27,
  " ": 32,
  Home: 36,
  ArrowLeft: 37,
  ArrowUp: 38,
  ArrowRight: 39,
  ArrowDown: 40,
};

/** Presses a key. */
export async function press(page: Page, key: string): Promise<void> {
  const text = key === "Enter" ? "\r" : key.length === 1 ? key : undefined;
  const event = { key, windowsVirtualKeyCode: CODES[key] ?? 0, ...(text ? { text } : {}) };
  await page.send("Input.dispatchKeyEvent", { type: text ? "keyDown" : "rawKeyDown", ...event });
  await page.send("Input.dispatchKeyEvent", { type: "keyUp", ...event });
}

/** Goes with Tab to where an expression holds of the element in focus, `active`. */
export async function tabTo(page: Page, condition: string): Promise<void> {
  for (let turn = 0; turn < 60; turn++) {
    await press(page, "Tab");
    if (await page.evaluate(`((active) => ${condition})(document.activeElement)`)) return;
  }
  throw new Error(`Tab never came to ${condition}`);
}
