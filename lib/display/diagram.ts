/** Boxes and arrows: how blocks stand together. @module */
import {
  AMOUNT,
  checkItems,
  checkName,
  checkOptions,
  checkRecord,
  LIST,
  needed,
  oneOf,
  RECORD,
  type Rule,
  type Rules,
  TEXT,
  TEXTS,
} from "../platform/options.ts";
import { escapeHtml } from "./_escape.ts";
import { seriesColour, wrapLines } from "./figure.ts";

/** A box. */
export interface DiagramBox {
  /** What stands in it, broken at spaces. */
  text: string;
  /** Column, from 0 at the left; halves stand between. */
  column: number;
  /** Row, from 0 at the top; halves stand between. */
  row: number;
  /** `frozen`: as it came; `trained`: what training changes; `data`: what goes through. @default {"data"} */
  kind?: "frozen" | "trained" | "data";
}

/** Blocks and what goes from one to another. */
export interface Diagram {
  /** Boxes by name. */
  boxes: Readonly<Record<string, DiagramBox>>;
  /** Names of a box and the next, and what goes there. */
  arrows: readonly (readonly [from: string, to: string, label?: string])[];
  /** The diagram in one sentence. */
  alt: string;
}

/** What a diagram must be. */
const RULES: Rules<Diagram> = { boxes: needed(RECORD), arrows: needed(LIST), alt: needed(TEXT) };

const ARROW: Rule = {
  must: "the names of two boxes, and a text where there is one",
  type: "object",
  allows: (arrow) => TEXTS.allows!(arrow) && [2, 3].includes((arrow as unknown[]).length),
};
const BOX_RULES: Rules<DiagramBox> = {
  text: needed(TEXT),
  column: needed(AMOUNT),
  row: needed(AMOUNT),
  kind: oneOf(["frozen", "trained", "data"]),
};

const BOX = { width: 128, height: 54 }, STEP = { x: 200, y: 92 }, INK = "#6b7280";
const FILL = { frozen: "#8a8f98", trained: seriesColour(1), data: seriesColour(0) } as const;

/**
 * The diagram as one `<svg>`: frozen grey, trained orange, data blue.
 *
 * @throws {TypeError} If it is no diagram, or an arrow names a box that is not there.
 */
export function diagramSvg(diagram: Diagram): string {
  checkOptions("draw a diagram", diagram, RULES);
  const { boxes, arrows, alt } = diagram;
  for (const [name, box] of Object.entries(boxes)) checkRecord("draw a diagram", `boxes.${name}`, box, BOX_RULES);
  checkItems("draw a diagram", "arrows", arrows, ARROW);
  for (const name of arrows.flatMap(([from, to]) => [from, to])) {
    checkName("draw a diagram", "box", name, Object.keys(boxes));
  }
  const all = Object.values(boxes);
  const width = 16 + BOX.width + STEP.x * Math.max(...all.map(({ column }) => column));
  const height = 16 + BOX.height + STEP.y * Math.max(...all.map(({ row }) => row));
  const centre = (name: string): [number, number] => {
    const { column, row } = boxes[name]!;
    return [8 + BOX.width / 2 + STEP.x * column, 8 + BOX.height / 2 + STEP.y * row];
  };
  const drawnArrows = arrows.map(([from, to, label]) => {
    const [x0, y0] = edge(centre(from), centre(to)), [x1, y1] = edge(centre(to), centre(from));
    const [x, y] = [(x0 + x1) / 2, (y0 + y1) / 2];
    const isUpright = Math.abs(x1 - x0) < 1;
    const word = label === undefined ? "" : `<text x="${isUpright ? x + 6 : x}" y="${isUpright ? y + 4 : y - 6}" ` +
      `text-anchor="${isUpright ? "start" : "middle"}" fill="${INK}" font-size="11">${escapeHtml(label)}</text>`;
    return `<line x1="${x0}" y1="${y0}" x2="${x1}" y2="${y1}" stroke="${INK}" stroke-width="1.4" marker-end="url(#tip)"/>${word}`;
  });
  const drawnBoxes = Object.entries(boxes).map(([name, { text, kind = "data" }]) => {
    const [x, y] = centre(name);
    const lines = wrapLines(text, 19);
    const words = lines.map((line, i) =>
      `<text x="${x}" y="${y + 4 + 14 * (i - (lines.length - 1) / 2)}" text-anchor="middle">${escapeHtml(line)}</text>`
    ).join("");
    return `<rect x="${x - BOX.width / 2}" y="${
      y - BOX.height / 2
    }" width="${BOX.width}" height="${BOX.height}" rx="7" ` +
      `fill="${FILL[kind]}" fill-opacity="0.18" stroke="${FILL[kind]}" stroke-width="1.6"/>${words}`;
  });
  const title = escapeHtml(alt);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" ` +
    `aria-label="${title}" font-family="system-ui, sans-serif" font-size="12" fill="${INK}"><title>${title}</title>` +
    `<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">` +
    `<path d="M0 0 8 4 0 8z" fill="${INK}"/></marker></defs>${drawnArrows.join("")}${drawnBoxes.join("")}</svg>`;
}

/** Where the way from a box's centre to another's leaves it. */
function edge([x0, y0]: [number, number], [x1, y1]: [number, number]): [number, number] {
  const [dx, dy] = [x1 - x0, y1 - y0];
  const share = Math.min((BOX.width / 2 + 3) / (Math.abs(dx) || 1e-9), (BOX.height / 2 + 3) / (Math.abs(dy) || 1e-9));
  return [Math.round(x0 + dx * share), Math.round(y0 + dy * share)];
}
