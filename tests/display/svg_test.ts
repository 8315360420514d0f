import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { barFigure } from "../../lib/display/bars.ts";
import { confusionFigure } from "../../lib/display/confusion.ts";
import { lossFigure, rocFigure } from "../../lib/display/curves.ts";
import { scatterFigure } from "../../lib/display/scatter.ts";
import { figureSvg } from "../../lib/display/svg.ts";

/** The numbers of attribute after attribute in every tag of a kind. */
function numbers(svg: string, tag: string, ...attributes: string[]): number[][] {
  return [...svg.matchAll(new RegExp(`<${tag} [^>]*>`, "g"))].map(([text]) =>
    attributes.map((name) => Number(new RegExp(` ${name}="([^"]*)"`).exec(text)?.[1]))
  );
}

Deno.test("figureSvg() draws each curve from corner to corner and its name", () => {
  const svg = figureSvg(
    rocFigure([{ name: "A<B", falsePositiveRate: [0, 0, 1], truePositiveRate: [0, 1, 1], auroc: 1 }]),
  );
  const [curve, chance] = [...svg.matchAll(/points="([^"]*)"/g)].map((m) =>
    m[1]!.split(" ").map((p) => p.split(",").map(Number))
  );
  assertEquals([curve![0], curve![2]], [chance![0], chance![1]]);
  assertEquals(curve![1]![0], curve![0]![0]);
  assert(curve![1]![1]! < curve![0]![1]!);
  assert(svg.includes("A&lt;B (1.000)") && svg.includes(">chance<"));
});

Deno.test("figureSvg() draws bars as high as their values, from zero", () => {
  const svg = figureSvg(barFigure(["a", "b"], [{ name: "m", values: [0.5, 1] }, { name: "n", values: [0.25, null] }]));
  const bars = numbers(svg, "rect", "height").map(([h]) => h!).filter((h) => h > 4);
  assertEquals(bars.length, 3);
  assert(Math.abs(bars[0]! / bars[1]! - 0.5) < 0.01 && Math.abs(bars[2]! / bars[1]! - 0.25) < 0.01);
});

Deno.test("figureSvg() draws a confusion matrix with the first class on top", () => {
  const svg = figureSvg(confusionFigure([[7, 1], [2, 6]], ["first", "second"]));
  const cells = numbers(svg, "rect", "x", "y");
  assertEquals(cells.length, 4);
  assert(cells[0]![1]! < cells[2]![1]! && cells[0]![0]! < cells[1]![0]!);
  assertEquals([...svg.matchAll(/fill="#(?:ffffff|1d2430)">(\d)</g)].map((m) => m[1]), ["7", "1", "2", "6"]);
});

Deno.test("figureSvg() keeps every number finite and every text escaped, also for empty and constant figures", () => {
  const figures = [
    lossFigure([]),
    lossFigure([{ name: '"><script>', loss: [1, 1, 1] }]),
    rocFigure([]),
    scatterFigure([]),
    scatterFigure([{ name: "</svg>", x: 0, y: 0 }]),
    barFigure([], []),
    confusionFigure([], []),
  ];
  for (const figure of figures) {
    const svg = figureSvg(figure);
    assert(!/NaN|Infinity|undefined|<script|<\/svg>./.test(svg), svg);
  }
});

Deno.test("figureSvg() puts points where their values are, on a linear and on a logarithmic axis", () => {
  const points = [1, 10, 1000].map((x, i) => ({ name: `p${i}`, x, y: i, interval: [i - 0.5, i + 0.25] as const }));
  const svg = figureSvg(scatterFigure(points));
  const [a, b, c] = numbers(svg, "circle", "cx", "cy") as [number[], number[], number[]];
  assertAlmostEquals((c[0]! - a[0]!) / (b[0]! - a[0]!), 3, 0.01); // decades
  assertAlmostEquals((c[1]! - a[1]!) / (b[1]! - a[1]!), 2, 0.01);
  const whiskers = numbers(svg, "line", "x1", "y1", "y2").filter(([x]) => [a, b, c].some(([cx]) => cx === x));
  const unit = a[1]! - b[1]!; // pixels of 1
  for (const [i, [, top, bottom]] of whiskers.slice(-3).entries()) {
    const centre = [a, b, c][i]![1]!;
    assertAlmostEquals((centre - top!) / unit, 0.25, 0.01);
    assertAlmostEquals((bottom! - centre) / unit, 0.5, 0.01);
  }
});

Deno.test("figureSvg() gives long names of the legend fewer columns, so that none runs into the next", () => {
  const places = (names: string[]): number[][] => {
    const svg = figureSvg(barFigure(["a"], names.map((name) => ({ name, values: [1] }))));
    return numbers(svg, "rect", "x", "y", "height").filter(([, , height]) => height === 4);
  };
  const rows = (names: string[]): number => new Set(places(names).map(([, y]) => y)).size;
  assertEquals(rows(["GAT", "GATv2", "cosine"]), 1);
  assertEquals(rows(["encoder attention, as the paper", "GAT", "GATv2"]), 2);
  assertEquals(rows(["n".repeat(60), "GAT", "GATv2"]), 3);
  const [first, second] = places(["encoder attention, as the paper", "GAT", "GATv2"]) as [number[], number[]];
  assert(second[0]! - first[0]! > 22 + 6.5 * "encoder attention, as the paper".length);
});

Deno.test("figureSvg() names every other narrow column by its number, and each by its name", () => {
  const names = (groups: string[]): string[] => {
    const svg = figureSvg(barFigure(groups, [{ name: "m", values: groups.map(() => 1) }]), { width: 400 });
    return groups.filter((name) => svg.includes(`>${name}</tspan>`));
  };
  const numbers = Array.from({ length: 12 }, (_, i) => (0.04 + 0.05 * i).toFixed(2));
  assertEquals(names(numbers), numbers.filter((_, i) => i % 2 === 0));
  const words = numbers.map((_, i) => `c${i}`);
  assertEquals(names(words), words);
});

Deno.test("figureSvg() writes the names of marks that stand close beside one another, not over one another", () => {
  const svg = figureSvg(scatterFigure([
    { name: "Zero-shot", x: 0, y: 0.5015 },
    { name: "Full fine-tuning", x: 992865, y: 0.636 },
    { name: "Projection heads", x: 18945, y: 0.5126 },
    { name: "BitFit", x: 8737, y: 0.5072 },
    { name: "Adapters", x: 10033, y: 0.6478 },
    { name: "(IA)^3", x: 4609, y: 0.5037 },
    { name: "VPT-Deep", x: 1921, y: 0.6317 },
    { name: "CoOp", x: 1153, y: 0.4934 },
    { name: "CLIP-Adapter", x: 2049, y: 0.5008 },
    { name: "LoRA", x: 18433, y: 0.6208 },
    { name: "rsLoRA", x: 18433, y: 0.6278 },
    { name: "DoRA", x: 20737, y: 0.6231 },
    { name: "ACE-LoRA", x: 26945, y: 0.6676 },
  ]));
  const boxes = [...svg.matchAll(/<text x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)"><tspan[^>]*>([A-Zr(][^<]*)</g)]
    .map(([, x, y, anchor, text]) => {
      const width = 6 * text!.length;
      const left = Number(x) - (anchor === "end" ? width : anchor === "middle" ? width / 2 : 0);
      return { text: text!, left, right: left + width, top: Number(y) - 10, bottom: Number(y) };
    }).filter(({ text }) => text !== "AUROC");
  assertEquals(boxes.length, 13);
  const meet = boxes.flatMap((a, i) =>
    boxes.slice(i + 1).filter((b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
      .map((b) => `${a.text} over ${b.text}`)
  );
  assertEquals(meet, []);
});
