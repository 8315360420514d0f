/** A figure as a static SVG, for readers of a notebook without plotly. @module */
import { type AxisRecord, type AxisValue, type Scale, scaleOf } from "./_scale.ts";
import { escapeHtml } from "./_escape.ts";
import { type Figure, seriesColour } from "./plot.ts";

/** Options of {@linkcode figureSvg}. */
export interface FigureSvgOptions {
  /**
   * Pixels.
   * @default {640}
   */
  width?: number;
  /**
   * Pixels.
   * @default {360}
   */
  height?: number;
}

/** The traces this package makes, as far as they are drawn here. */
interface Trace {
  type: string;
  mode?: string;
  name?: string;
  x: readonly AxisValue[];
  y: readonly (AxisValue | null)[];
  z?: readonly (readonly number[])[];
  text?: readonly string[] | readonly (readonly string[])[];
  textposition?: readonly string[];
  opacity?: number;
  showlegend?: boolean;
  line?: { color?: string; width?: number; dash?: string };
  marker?: { color?: string | readonly string[] };
  error_y?: { array: readonly number[]; arrayminus: readonly number[] };
}

/** Where things stand: pixels of a value on each axis, and the box inside the axes. */
interface Frame {
  px(value: AxisValue): number;
  py(value: AxisValue): number;
  x: Scale;
  y: Scale;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

const INK = "#6b7280", GRID = "rgba(128,128,128,0.25)";

/**
 * Draws the lines, marks, bars and heat maps of this package's own figures; other plotly traces are left out.
 *
 * @param figure The figure.
 * @param options See {@linkcode FigureSvgOptions}.
 * @returns One `<svg>` element.
 */
export function figureSvg(figure: Figure, options: FigureSvgOptions = {}): string {
  const { width = 640, height = 360 } = options;
  const traces = figure.data as unknown as Trace[];
  const xAxis = (figure.layout.xaxis ?? {}) as AxisRecord, yAxis = (figure.layout.yaxis ?? {}) as AxisRecord;
  const bars = traces.filter((trace) => trace.type === "bar");
  const reach = traces.flatMap((t) =>
    t.y.flatMap((v, i): AxisValue[] =>
      typeof v === "number"
        ? [v, v + (t.error_y?.array[i] ?? 0), v - (t.error_y?.arrayminus[i] ?? 0)]
        : v === null
        ? []
        : [v]
    )
  );
  const x = scaleOf(xAxis, traces.flatMap((t) => [...t.x]), false);
  const y = scaleOf(yAxis, reach, bars.length > 0);
  const labels = y.ticks.flatMap(({ text }) => lines(text));
  const entries = figure.layout.showlegend === false ? [] : traces.filter((t) => t.showlegend !== false);
  const legendRows = entries.length === 0 ? 0 : Math.ceil(entries.length / 3);
  const left = 44 + 6.5 * Math.max(3, ...labels.map((l) => l.length)), right = width - 16;
  const top = 14 + 20 * legendRows, bottom = height - 62;
  const flip = yAxis.autorange === "reversed";
  const frame: Frame = {
    x,
    y,
    left,
    top,
    right,
    bottom,
    px: (v) => left + (right - left) * x.at(v),
    py: (v) => flip ? top + (bottom - top) * y.at(v) : bottom - (bottom - top) * y.at(v),
  };
  const body = traces.map((trace, i) =>
    trace.type === "heatmap"
      ? heatMap(trace, frame)
      : trace.type === "bar"
      ? bar(trace, i, bars.indexOf(trace), bars.length, frame)
      : scatter(trace, i, frame)
  ).join("");
  const shapes = ((figure.layout.shapes ?? []) as { y0: number }[]).map(({ y0 }) =>
    `<line x1="${left}" x2="${right}" y1="${n(frame.py(y0))}" y2="${
      n(frame.py(y0))
    }" stroke="${INK}" stroke-dasharray="6 5"/>`
  ).join("");
  const alt = escapeHtml(figure.alt);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${alt}" font-family="system-ui, sans-serif" font-size="12" fill="${INK}">` +
    `<title>${alt}</title>${axes(xAxis, yAxis, frame)}${body}${shapes}${legend(entries, traces, left, right)}</svg>`;
}

function axes(xAxis: AxisRecord, yAxis: AxisRecord, frame: Frame): string {
  const { left, right, top, bottom, x, y, px, py } = frame;
  const vertical = x.ticks.map(({ value, text }) =>
    (x.band === 0 ? line(px(value), top, px(value), bottom, GRID) : "") +
    label(text, px(value), bottom + 17, "middle", x.band === 0 ? Infinity : x.band * (right - left))
  );
  const horizontal = y.ticks.map(({ value, text }) =>
    (y.band === 0 ? line(left, py(value), right, py(value), GRID) : "") +
    label(text, left - 8, py(value) + 4 - 7 * (lines(text).length - 1), "end")
  );
  const middle = (top + bottom) / 2;
  return vertical.join("") + horizontal.join("") + line(left, top, left, bottom, INK) +
    line(left, bottom, right, bottom, INK) +
    label(xAxis.title?.text ?? "", (left + right) / 2, bottom + 52, "middle") +
    `<text transform="rotate(-90 14 ${n(middle)})" x="14" y="${n(middle)}" text-anchor="middle">${
      plain(yAxis.title?.text ?? "")
    }</text>`;
}

function scatter(trace: Trace, index: number, { px, py }: Frame): string {
  const mode = trace.mode ?? "lines";
  const points = trace.x.map((x, i) => [px(x), py(trace.y[i] ?? NaN)] as const);
  const drawn = points.map((p, i) => [p, i] as const).filter(([[x, y]]) => Number.isFinite(x) && Number.isFinite(y));
  let out = "";
  if (mode.includes("lines")) {
    const { color = seriesColour(index), width = 2, dash } = trace.line ?? {};
    out += `<polyline fill="none" stroke="${escapeHtml(color)}" stroke-width="${width}" opacity="${
      trace.opacity ?? 1
    }"${dash ? ' stroke-dasharray="2 4"' : ""} points="${drawn.map(([[x, y]]) => `${n(x)},${n(y)}`).join(" ")}"/>`;
  }
  if (mode.includes("markers")) {
    for (const [[x, y], i] of drawn) {
      const colour = typeof trace.marker?.color === "string"
        ? trace.marker.color
        : trace.marker?.color?.[i] ?? seriesColour(index);
      out += errorBar(trace, i, x, py) + `<circle cx="${n(x)}" cy="${n(y)}" r="5.5" fill="${escapeHtml(colour)}"/>`;
      const position = trace.textposition?.[i] ?? "top center";
      const side = position.endsWith("right") ? 1 : position.endsWith("left") ? -1 : 0;
      const lift = position.startsWith("top") ? -9 : position.startsWith("bottom") ? 18 : 4;
      const text = trace.text?.[i];
      if (typeof text === "string") {
        out += label(text, x + 9 * side, y + lift, side > 0 ? "start" : side < 0 ? "end" : "middle");
      }
    }
  }
  return out;
}

function bar(
  trace: Trace,
  index: number,
  place: number,
  count: number,
  { px, py, x, left, right, bottom }: Frame,
): string {
  const group = x.band * (right - left) * 0.75, each = group / count;
  return trace.x.map((name, i) => {
    const value = trace.y[i];
    if (typeof value !== "number") return "";
    const from = px(name) - group / 2 + place * each, up = py(value), zero = Math.min(bottom, py(0));
    const colour = typeof trace.marker?.color === "string" ? trace.marker.color : seriesColour(index);
    return `<rect x="${n(from)}" y="${n(Math.min(up, zero))}" width="${n(each)}" height="${
      n(Math.abs(zero - up))
    }" fill="${escapeHtml(colour)}"/>${errorBar(trace, i, from + each / 2, py)}`;
  }).join("");
}

function errorBar(trace: Trace, i: number, x: number, py: (value: AxisValue) => number): string {
  const value = trace.y[i], up = trace.error_y?.array[i] ?? 0, down = trace.error_y?.arrayminus[i] ?? 0;
  return typeof value !== "number" || up + down === 0 ? "" : line(x, py(value + up), x, py(value - down), INK);
}

function heatMap(trace: Trace, { px, py, x, y, left, right, top, bottom }: Frame): string {
  const width = x.band * (right - left), height = y.band * (bottom - top);
  return (trace.z ?? []).flatMap((row, r) =>
    row.map((share, c) => {
      const cx = px(trace.x[c]!), cy = py(trace.y[r]!), text = trace.text?.[r]?.[c] ?? "";
      const mix = (from: number, to: number): number => Math.round(from + (to - from) * share);
      return `<rect x="${n(cx - width / 2 + 1)}" y="${n(cy - height / 2 + 1)}" width="${n(width - 2)}" height="${
        n(height - 2)
      }" fill="rgb(${mix(232, 28)},${mix(238, 90)},${mix(244, 146)})"/><text x="${n(cx)}" y="${
        n(cy + 4)
      }" text-anchor="middle" fill="${share > 0.5 ? "#ffffff" : "#1d2430"}">${plain(text)}</text>`;
    })
  ).join("");
}

function legend(entries: readonly Trace[], all: readonly Trace[], left: number, right: number): string {
  const room = (right - left) / 3;
  return entries.map((trace, k) => {
    const x = left + (k % 3) * room, y = 14 + 20 * Math.floor(k / 3);
    const marker = typeof trace.marker?.color === "string" ? trace.marker.color : undefined;
    const colour = trace.line?.color ?? marker ?? seriesColour(all.indexOf(trace));
    return `<rect x="${n(x)}" y="${y - 6}" width="16" height="4" fill="${escapeHtml(colour)}"/>${
      label(trace.name ?? "", x + 22, y, "start")
    }`;
  }).join("");
}

/** Lines of a plotly label, its entities read back. */
function lines(text: string): string[] {
  return text.split("<br>");
}

/** Plotly text, which is escaped already, with its quotes escaped as well. */
function plain(text: string): string {
  return text.replace(/["']/g, (c) => c === '"' ? "&quot;" : "&#39;");
}

function label(text: string, x: number, y: number, anchor: string, room = Infinity): string {
  const longest = Math.max(0, ...lines(text).map((l) => l.length));
  const size = longest * 6.5 > room ? ` font-size="${n(Math.max(7, 12 * room / (longest * 6.5)))}"` : "";
  const spans = lines(text).map((l, i) => `<tspan x="${n(x)}"${i === 0 ? "" : ' dy="14"'}>${plain(l)}</tspan>`).join(
    "",
  );
  return text === "" ? "" : `<text x="${n(x)}" y="${n(y)}" text-anchor="${anchor}"${size}>${spans}</text>`;
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string): string {
  return `<line x1="${n(x1)}" y1="${n(y1)}" x2="${n(x2)}" y2="${n(y2)}" stroke="${colour}"/>`;
}

function n(value: number): string {
  return String(Number(value.toFixed(1)));
}
