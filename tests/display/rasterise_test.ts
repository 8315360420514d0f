import { assert, assertEquals, assertRejects } from "@std/assert";
import { rasterise } from "../../lib/display/rasterise.ts";
import { decodePng } from "../../lib/image/png.ts";

const SQUARE = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="4">' +
  '<rect x="2" width="2" height="4" fill="#ff0000" shape-rendering="crispEdges"/></svg>';

Deno.test("rasterise() paints what the drawing says, and nothing where it says nothing", async () => {
  const { width, height, channels, data } = decodePng(await rasterise(SQUARE, { zoom: 1 }), "drawing.png");
  assertEquals([width, height, channels], [8, 4, 4]);
  const row = [...data.subarray(0, 8 * 4)];
  assertEquals(row, [0, 1, 2, 3, 4, 5, 6, 7].flatMap((x) => x === 2 || x === 3 ? [255, 0, 0, 255] : [0, 0, 0, 0]));
});

Deno.test("rasterise() draws text, Greek and arrows too, in the font it brings", async () => {
  const ink = async (text: string): Promise<number> => {
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><text x="5" y="22" font-size="20" ` +
      `font-family="system-ui, sans-serif">${text}</text></svg>`;
    const { data } = decodePng(await rasterise(svg, { zoom: 1 }), "drawing.png");
    return Array.from(data).reduce((sum, value, i) => i % 4 === 3 ? sum + value : sum, 0);
  };
  for (const text of ["a", "α", "Σ", "→", "ᵀ"]) assert(await ink(text) > 2000, text);
});

Deno.test("rasterise() refuses what is no SVG", async () => {
  await assertRejects(() => rasterise("words"), SyntaxError, "Cannot draw an SVG as a PNG as it must be readable");
});

Deno.test("rasterise() reads the versions that deno.json names", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("../../deno.json", import.meta.url)));
  const source = await Deno.readTextFile(new URL("../../lib/display/rasterise.ts", import.meta.url));
  for (const name of ["@resvg/resvg-wasm", "dejavu-fonts-ttf"]) assert(source.includes(`"${imports[name]}/`), name);
});
