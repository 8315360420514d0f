/** Plotly figures as plain data: nothing here draws. @module */
import { plotText } from "./_escape.ts";

/** A plotly figure: traces and layout as plotly.js takes them. */
export interface Figure {
  /** Traces. */
  data: Record<string, unknown>[];
  /** Layout. */
  layout: Record<string, unknown>;
  /** The figure in one sentence, for those who cannot see it and for plain text. */
  alt: string;
}

/** Colours of the series, told apart by most colour-blind readers (after Okabe and Ito), on light and dark. */
export const SERIES_COLOURS: readonly string[] = [
  "#2f7fc1",
  "#d9662a",
  "#1f9e77",
  "#c2609c",
  "#d19a16",
  "#5bb0de",
  "#8a8f98",
];

/** The colour of series `i`; they repeat after the last. */
export function seriesColour(i: number): string {
  return SERIES_COLOURS[i % SERIES_COLOURS.length]!;
}

/** An axis with its title, grid and room for its labels. */
export function axis(title: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    title: { text: plotText(title), standoff: 12 },
    automargin: true,
    gridcolor: "rgba(128,128,128,0.22)",
    linecolor: "rgba(128,128,128,0.6)",
    zeroline: false,
    ...more,
  };
}

/** The layout all figures share: transparent, neutral ink, legend below. */
export function baseLayout(more: Record<string, unknown>): Record<string, unknown> {
  return {
    margin: { l: 8, r: 12, t: 12, b: 8 },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: "system-ui, sans-serif", size: 13, color: "#6b7280" },
    colorway: SERIES_COLOURS,
    hovermode: "closest",
    modebar: { bgcolor: "rgba(0,0,0,0)", color: "rgba(128,128,128,0.7)", activecolor: "rgba(128,128,128,1)" },
    showlegend: true,
    legend: { orientation: "h", x: 0, y: 1.02, xanchor: "left", yanchor: "bottom" },
    ...more,
  };
}

/** A text broken into lines of about `length` characters at its spaces. */
export function wrapLabel(text: string, length = 14): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.length - 1;
    if (last >= 0 && lines[last]!.length + word.length < length) lines[last] += ` ${word}`;
    else lines.push(word);
  }
  return lines.map(plotText).join("<br>");
}
