/** An image with its CLS attention and its hyperedges drawn over it, as SVG. @module */
import { escapeHtml } from "./_escape.ts";
import {
  checkOptions,
  checkRecord,
  checkRecords,
  FLAG,
  LIST,
  needed,
  NUMBERS,
  POSITIVE,
  RECORD,
  type Rules,
  SERIES,
  TEXT,
  WHOLE,
} from "../platform/options.ts";

/** One hyperedge: the patch it belongs to and the patches it gathers. */
export interface OverlayHyperedge {
  /** Index of its patch, row-major from 0; null for the hyperedge of the CLS token, which stands on no patch. */
  source: number | null;
  /** Patches in it. */
  members: readonly number[];
  /**
   * Weight of each member, at least 0.
   * @default {equal weights}
   */
  weights?: readonly number[];
}

/** What {@linkcode overlaySvg} draws. */
export interface Overlay {
  /** `data:` URL of the image, for instance of {@linkcode pngDataUrl}. */
  image: string;
  /** Rows and columns of the grid of patches; the image is stretched over it. */
  grid: { rows: number; columns: number };
  /** Attention of the CLS token to each patch, row-major; logits or probabilities (drawn from least to greatest). */
  attention?: ArrayLike<number>;
  /** What `attention` shows, for readers and switches. @default {"CLS attention"} */
  heat?: string;
  /** Whether a bar under the picture gives the colours with the least and the greatest value. @default {false} */
  bar?: boolean;
  /** Hyperedges; the first few colours are told apart. */
  hyperedges?: readonly OverlayHyperedge[];
  /** One line under the picture. */
  caption?: string;
}

const CELL = 16;
const EDGE_COLOURS = ["#4cc9f0", "#ffd166", "#ff70a6", "#8ef79a", "#ffffff", "#ff9f5a", "#c4a7ff"];

/** What an overlay, its grid and a hyperedge must be. */
const OVERLAY_RULES: Rules<Overlay> = {
  image: needed(TEXT),
  grid: needed(RECORD),
  attention: SERIES,
  heat: TEXT,
  bar: FLAG,
  hyperedges: LIST,
  caption: TEXT,
};
const GRID_RULES: Rules<Overlay["grid"]> = { rows: needed(POSITIVE), columns: needed(POSITIVE) };
const HYPEREDGE_RULES: Rules<OverlayHyperedge> = {
  source: needed({ ...WHOLE, nullable: true }),
  members: needed(NUMBERS),
  weights: SERIES,
};

function checkOverlay(overlay: Overlay): void {
  checkOptions("draw an overlay", overlay, OVERLAY_RULES, "field");
  checkRecord("draw an overlay", "grid", overlay.grid, GRID_RULES);
  checkRecords("draw an overlay", "hyperedges", overlay.hyperedges ?? [], HYPEREDGE_RULES);
}

/**
 * The overlay as one self-contained `<svg>`: image, heat map (class `attention`) and hyperedges (class `hyperedges`). A
 * hyperedge is a ring on its patch with lines to its members, thicker with weight; the CLS token's is squares without
 * lines.
 *
 * @param overlay Image, grid, attention and hyperedges.
 * @returns SVG text.
 * @throws {TypeError} If the attention is not one number a patch, or the image is not a data URL of an image.
 * @throws {RangeError} If a patch is not on the grid.
 */
export function overlaySvg(overlay: Overlay): string {
  checkOverlay(overlay);
  const { image, grid: { rows, columns }, attention, hyperedges = [], caption = "", heat = "CLS attention" } = overlay;
  if (!/^data:image\/(png|jpeg);base64,[A-Za-z0-9+/=]+$/.test(image)) {
    throw new TypeError(
      `Cannot draw an overlay as the image must be a base64 data URL of PNG or JPEG: current value starts with "${
        image.slice(0, 24)
      }"`,
    );
  }
  const width = columns * CELL, height = rows * CELL;
  const label = escapeHtml(
    `${caption === "" ? "Image" : caption}${attention ? `; ${heat} as heat map` : ""}${
      hyperedges.length > 0 ? `; ${hyperedges.length} hyperedges` : ""
    }`,
  );
  const isBarred = overlay.bar === true && attention !== undefined;
  const foot = isBarred ? height * BAR : 0;
  return `<svg class="overlay" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${
    height + foot
  }" role="img" aria-label="${label}">` +
    `<title>${label}</title>` +
    `<image href="${image}" width="${width}" height="${height}" preserveAspectRatio="none"/>` +
    (attention === undefined ? "" : heatMap(attention, rows, columns)) +
    (hyperedges.length === 0 ? "" : edges(hyperedges, rows * columns, columns)) +
    (isBarred ? colourBar(attention, { width, top: height, height: foot }) : "") +
    `</svg>`;
}

function heatMap(attention: ArrayLike<number>, rows: number, columns: number): string {
  const n = rows * columns;
  if (attention.length !== n) {
    throw new TypeError(
      `Cannot draw an overlay as there must be one attention for each of ${n} patches: current number is ${attention.length}`,
    );
  }
  const [low, high] = ends(attention);
  let cells = "";
  for (let i = 0; i < n; i++) {
    if (!Number.isFinite(attention[i]!) || high <= low) continue;
    const t = (attention[i]! - low) / (high - low);
    // Below a quarter of the range the image stays untouched.
    if (t < 0.25) continue;
    const x = (i % columns) * CELL, y = Math.floor(i / columns) * CELL;
    cells += `<rect x="${x}" y="${y}" width="${CELL}" height="${CELL}" fill="${heatColour(t)}" fill-opacity="${
      (0.7 * t ** 1.5).toFixed(2)
    }"/>`;
  }
  return `<g class="attention" shape-rendering="crispEdges">${cells}</g>`;
}

/** Least and greatest finite value. */
function ends(values: ArrayLike<number>): [number, number] {
  const finite = Array.from(values).filter(Number.isFinite);
  return [Math.min(...finite), Math.max(...finite)];
}

/** Share of the picture's height that the bar takes. */
const BAR = 0.1;

/** The colours from the least to the greatest value, which stand at the ends. */
function colourBar(values: ArrayLike<number>, place: { width: number; top: number; height: number }): string {
  const { width, top, height } = place;
  const [low, high] = ends(values);
  const steps = 32, y = top + 0.25 * height, size = 0.5 * height;
  const [start, length] = [0.24 * width, 0.52 * width];
  const cells = Array.from({ length: steps }, (_, i) => {
    const t = (i + 0.5) / steps;
    const fill = t < 0.25 ? "#333" : heatColour(t); // the image stays untouched there
    return `<rect x="${(start + i * length / steps).toFixed(2)}" y="${y.toFixed(2)}" width="${
      (length / steps + 0.05).toFixed(2)
    }" height="${size.toFixed(2)}" fill="${fill}"/>`;
  }).join("");
  const text = (value: number, x: number, anchor: string): string =>
    `<text x="${x.toFixed(2)}" y="${(top + 0.68 * height).toFixed(2)}" text-anchor="${anchor}" font-size="${
      (0.5 * height).toFixed(2)
    }" font-family="system-ui, sans-serif" fill="#fff">${shortNumber(value)}</text>`;
  return `<g class="bar"><rect x="0" y="${top}" width="${width}" height="${height.toFixed(2)}" fill="#000"/>${cells}${
    text(low, start - 0.02 * width, "end")
  }${text(high, start + length + 0.02 * width, "start")}</g>`;
}

/** Two digits, in at most seven characters. */
function shortNumber(value: number): string {
  const plain = String(Number(value.toPrecision(2)));
  return plain.length > 7 ? value.toExponential(0) : plain;
}

/** Dark red over orange to yellow. */
function heatColour(t: number): string {
  const r = Math.round(150 + 105 * Math.min(1, t * 1.4)),
    g = Math.round(20 + 200 * t ** 1.5),
    b = Math.round(40 * (1 - t));
  return `rgb(${r},${g},${b})`;
}

function edges(hyperedges: readonly OverlayHyperedge[], n: number, columns: number): string {
  const centre = (patch: number): [number, number] => {
    if (!Number.isInteger(patch) || patch < 0 || patch >= n) {
      throw new RangeError(`Cannot draw an overlay as patches must be from 0 to ${n - 1}: current value is ${patch}`);
    }
    return [(patch % columns + 0.5) * CELL, (Math.floor(patch / columns) + 0.5) * CELL];
  };
  const drawn = hyperedges.map(({ source, members, weights }, i) => {
    const colour = EDGE_COLOURS[i % EDGE_COLOURS.length]!;
    const most = Math.max(...members.map((_, k) => weights?.[k] ?? 1), 1e-12);
    const share = (k: number): number => Math.max(0, weights?.[k] ?? 1) / most;
    if (source === null) {
      return `<g stroke="${colour}" fill="none">${
        members.map((member, k) => {
          const [x, y] = centre(member);
          return `<rect x="${x - 7}" y="${y - 7}" width="14" height="14" rx="2" stroke-width="${
            (1 + 1.4 * share(k)).toFixed(2)
          }"/>`;
        }).join("")
      }</g>`;
    }
    const [x0, y0] = centre(source);
    const lines = members.map((member, k) => {
      const [x, y] = centre(member);
      const thick = (0.7 + 1.8 * share(k)).toFixed(2);
      return `<line x1="${x0}" y1="${y0}" x2="${x}" y2="${y}" stroke-width="${thick}"/><circle cx="${x}" cy="${y}" r="2.2" fill="${colour}" stroke="none"/>`;
    }).join("");
    return `<g stroke="${colour}" stroke-linecap="round" stroke-opacity="0.9">${lines}` +
      `<circle cx="${x0}" cy="${y0}" r="4.6" fill="rgba(0,0,0,0.45)" stroke-width="1.8"/></g>`;
  });
  return `<g class="hyperedges">${drawn.join("")}</g>`;
}
