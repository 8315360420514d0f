/** The page that explains answers about single images. @module */
import { buildReport, factsWithWarnings } from "../display/report.ts";
import type { ReportSection } from "../display/sections.ts";
import { type Classification, classificationTable } from "./classify.ts";
import { meanFaithfulness } from "./maps/faithfulness.ts";
import { faithfulnessFigure, MAP_TEXTS } from "./maps/show.ts";
import { keysOf } from "../platform/known_keys.ts";

/** The page's sections of maps: the kinds one after the other, then how faithful they are. */
function mapSections(answers: readonly Classification[]): ReportSection[] {
  const kinds = keysOf(answers[0]?.maps ?? {});
  if (kinds.length === 0) return [];
  const curves = {
    ...Object.fromEntries(
      kinds.map((kind) => [kind, meanFaithfulness(answers.map(({ maps }) => maps![kind]!.faithfulness))]),
    ),
    "random order": meanFaithfulness(answers.map(({ random }) => random!)),
  };
  return [
    ...kinds.map((kind): ReportSection => ({
      kind: "overlays",
      title: MAP_TEXTS[kind].title,
      overlays: answers.flatMap(({ maps }) => maps![kind]!.overlays),
      caption: `${
        MAP_TEXTS[kind].caption
      } Each map is coloured from its own least to its own greatest value, as its bar says.`,
    })),
    {
      kind: "figure",
      title: "Do the strong parts count?",
      figure: faithfulnessFigure(curves),
      caption:
        "The answer's probability as its strongest patches are covered (dotted: the faster it falls the better), and as " +
        "they are uncovered on an empty picture (the faster it rises the better). A map no better than the random order " +
        "explains nothing.",
    },
  ];
}

/**
 * The answers with CLS attention and hyperedges drawn over each image, as one self-contained page. It contains the images.
 *
 * @param answers From `classifyImages` with `explain`.
 * @param facts Names and values of the run, such as the weights' file.
 */
export async function classificationReport(
  answers: readonly Classification[],
  facts: Readonly<Record<string, string | number>>,
): Promise<string> {
  const labels = Object.keys(answers[0]?.scores ?? {});
  const { warnings, facts: run } = factsWithWarnings(facts);
  return await buildReport({
    title: "Zero-shot classification",
    subtitle: "Probabilities over the labels asked for; not a diagnosis.",
    warnings,
    sections: [
      { kind: "table", title: "Scores", table: classificationTable(answers, labels) },
      {
        kind: "overlays",
        title: "CLS attention and chosen hyperedges",
        overlays: answers.flatMap(({ overlay }) => overlay ?? []),
        caption: "Heat: attention logits of the CLS query. Squares: members of the CLS hyperedge. " +
          "Rings and lines: each member's own hyperedge, by cosine similarity.",
      },
      ...mapSections(answers),
      { kind: "facts", title: "Run", facts: run },
    ],
  });
}
