/** Maps as drawings with one plain sentence each, and faithfulness as a figure. @module */
import { type Figure, type LineMark, seriesColour } from "../../display/figure.ts";
import type { Overlay } from "../../display/overlay.ts";
import type { Faithfulness } from "./faithfulness.ts";
import type { MapKind } from "./maps.ts";

/** Headings and explanations of each kind, for a page. */
export const MAP_TEXTS: Readonly<Record<MapKind, { title: string; caption: string; heat: string }>> = {
  similarity: {
    title: "Similarity of each part to each label",
    caption: "How near each patch is to the label's text, by cosine, after ACE-HGNN where the model has one.",
    heat: "similarity",
  },
  gradient: {
    title: "Attention weighted by its gradient",
    caption: "The last layer's attention to each patch, counted where more of it would raise the label's cosine.",
    heat: "weighted attention",
  },
  occlusion: {
    title: "Occlusion",
    caption: "How much the label's cosine falls when a patch and its neighbours are covered with the mean colour.",
    heat: "fall when covered",
  },
};

/** One plain sentence about a map: what is strongest, and where in the picture. */
export function mapSentence(kind: MapKind, label: string, map: ArrayLike<number>): string {
  let strongest = 0;
  for (let i = 1; i < map.length; i++) if (map[i]! > map[strongest]!) strongest = i;
  const place = placeOf(strongest, Math.round(Math.sqrt(map.length)));
  const most = map[strongest]!;
  if (Array.from(map).every((value) => value === most)) return `No part stands out for "${label}".`;
  switch (kind) {
    case "similarity":
      return `The part nearest to "${label}" is in the ${place} of the picture.`;
    case "gradient":
      return `The attention that speaks most for "${label}" is in the ${place} of the picture.`;
    case "occlusion":
      return most > 0
        ? `Covering the ${place} of the picture takes most from "${label}".`
        : `Covering any part of the picture adds to "${label}".`;
  }
}

function placeOf(patch: number, side: number): string {
  const third = (place: number): number => Math.min(2, Math.floor(3 * (place + 0.5) / side));
  const [row, column] = [third(Math.floor(patch / side)), third(patch % side)];
  if (row === 1 && column === 1) return "middle";
  return [["upper", "middle", "lower"][row], ["left", "centre", "right"][column]].join(" ");
}

/** A map over its image, with a colour bar and its sentence. */
export function mapOverlay(
  image: string,
  map: Float32Array,
  { kind, label, name }: { kind: MapKind; label: string; name: string },
): Overlay {
  const side = Math.round(Math.sqrt(map.length));
  return {
    image,
    grid: { rows: side, columns: side },
    attention: map,
    heat: MAP_TEXTS[kind].heat,
    bar: true,
    caption: `${mapSentence(kind, label, map)} (${name.split(/[/\\]/).at(-1)})`,
  };
}

/** Deletion (dotted) and insertion curves, a colour each kind; the areas stand in the legend. */
export function faithfulnessFigure(curves: Readonly<Record<string, Faithfulness>>): Figure {
  const names = Object.keys(curves);
  const marks = names.flatMap((name, i): LineMark[] => {
    const { shares, deletion, insertion, deletionArea, insertionArea } = curves[name]!;
    const colour = seriesColour(i);
    const line = { kind: "line" as const, x: shares, colour, width: 2, group: name };
    return [
      { ...line, name: `${name}, covered (${deletionArea.toFixed(3)})`, y: deletion, style: "dotted" },
      { ...line, name: `${name}, uncovered (${insertionArea.toFixed(3)})`, y: insertion },
    ];
  });
  const areas = names.map((name) => {
    const { deletionArea, insertionArea } = curves[name]!;
    return `${name} deletion ${deletionArea.toFixed(3)}, insertion ${insertionArea.toFixed(3)}`;
  });
  return {
    marks,
    x: { title: "share of the patches, strongest first", range: [-0.01, 1.01] },
    y: { title: "probability of the label" },
    alt: `Deletion and insertion, area in brackets: ${areas.join("; ")}`,
  };
}
