/** The kernel's icon: a hyperedge's members around the CLS node, as SVG and as pixels. @module */
import { encodePng } from "../image/png.ts";

const SIZE = 64, CENTRE = [32, 36] as const;
const MEMBERS = [[14, 14], [32, 9], [51, 15], [10, 38], [54, 40]] as const;
const INK = [28, 90, 146] as const, LIGHT = [232, 238, 244] as const, WARM = [217, 119, 6] as const;

/** Scalable. */
export function iconSvg(): string {
  const colour = (rgb: readonly number[]): string => `rgb(${rgb.join()})`;
  const dot = ([x, y]: readonly number[], r: number, rgb: readonly number[]): string =>
    `<circle cx="${x}" cy="${y}" r="${r}" fill="${colour(rgb)}"/>`;
  const lines = MEMBERS.map(([x, y]) => `<path d="M${CENTRE} L${x} ${y}" stroke="${colour(LIGHT)}" stroke-width="3"/>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${SIZE} ${SIZE}">` +
    `<rect width="${SIZE}" height="${SIZE}" rx="10" fill="${colour(INK)}"/>${lines.join("")}` +
    `${MEMBERS.map((member) => dot(member, 6, LIGHT)).join("")}${dot(CENTRE, 9, WARM)}</svg>\n`;
}

/** A PNG of `size` pixels a side. */
export function iconPng(size: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(size * size * 3);
  const fine = 4; // samples a pixel and side
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const sum = [0, 0, 0];
      for (let i = 0; i < fine * fine; i++) {
        const coordinate = (pixel: number, k: number): number => (pixel + (k + 0.5) / fine) * SIZE / size;
        colourAt(coordinate(column, i % fine), coordinate(row, Math.floor(i / fine))).forEach((value, c) =>
          sum[c]! += value
        );
      }
      data.set(sum.map((value) => Math.round(value / fine ** 2)), 3 * (row * size + column));
    }
  }
  return encodePng({ width: size, height: size, channels: 3, bitDepth: 8, data }) as Uint8Array<ArrayBuffer>;
}

function colourAt(x: number, y: number): readonly number[] {
  const [cx, cy] = CENTRE;
  if (Math.hypot(x - cx, y - cy) < 9) return WARM;
  for (const [mx, my] of MEMBERS) {
    if (Math.hypot(x - mx, y - my) < 6) return LIGHT;
    const [dx, dy] = [mx - cx, my - cy];
    const along = Math.min(1, Math.max(0, ((x - cx) * dx + (y - cy) * dy) / (dx * dx + dy * dy)));
    if (Math.hypot(x - cx - along * dx, y - cy - along * dy) < 1.5) return LIGHT;
  }
  return INK;
}
