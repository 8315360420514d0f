import { assert, assertEquals, assertThrows } from "@std/assert";
import { decode } from "fast-png";
import { type Overlay, overlaySvg } from "../../lib/display/overlay.ts";
import { pngDataUrl } from "../../lib/display/png.ts";

const image = pngDataUrl({ width: 2, height: 1, channels: 1, bitDepth: 8, data: new Uint8Array([0, 255]) });
const base: Overlay = { image, grid: { rows: 2, columns: 3 } };

function decodeUrl(url: string): ReturnType<typeof decode> {
  return decode(Uint8Array.from(atob(url.split(",")[1]!), (c) => c.charCodeAt(0)));
}

Deno.test("pngDataUrl() keeps 8-bit samples and stretches 16-bit ones", () => {
  const grey = decodeUrl(image);
  assertEquals([grey.width, grey.height, grey.channels, [...grey.data]], [2, 1, 1, [0, 255]]);
  const data = new Uint16Array([100, 300, 200]);
  assertEquals([...decodeUrl(pngDataUrl({ width: 3, height: 1, channels: 1, bitDepth: 16, data })).data], [
    0,
    255,
    128,
  ]);
  const flat = pngDataUrl({ width: 1, height: 1, channels: 1, bitDepth: 16, data: new Uint16Array([7]) });
  assertEquals([...decodeUrl(flat).data], [0]);
  assertThrows(
    () => pngDataUrl({ width: 2, height: 2, channels: 3, bitDepth: 8, data: new Uint8Array(4) }),
    TypeError,
    "must be 12 samples: current number is 4",
  );
});

Deno.test("overlaySvg() colours the patches above a quarter of the range, where they stand", () => {
  const svg = overlaySvg({ ...base, attention: [-2, 0, 2, -2, -Infinity, 1] });
  const cells = [...svg.matchAll(/<rect x="(\d+)" y="(\d+)"[^>]*fill-opacity="([\d.]+)"/g)].map((m) =>
    m.slice(1).map(Number)
  );
  assertEquals(cells.map(([x, y]) => [x, y]), [[16, 0], [32, 0], [32, 16]]);
  assertEquals(cells[1]![2], 0.7);
  assert(cells[0]![2]! < cells[2]![2]! && cells[2]![2]! < 0.7);
});

Deno.test("overlaySvg() draws no heat map for equal attention", () => {
  assert(!overlaySvg({ ...base, attention: [1, 1, 1, 1, 1, 1] }).includes("fill-opacity"));
});

Deno.test("overlaySvg() draws a line to each member from the centre of the source, thicker with weight", () => {
  const svg = overlaySvg({ ...base, hyperedges: [{ source: 4, members: [0, 5], weights: [0.5, 0.25] }] });
  const lines = [...svg.matchAll(/<line x1="(\d+)" y1="(\d+)" x2="(\d+)" y2="(\d+)" stroke-width="([\d.]+)"/g)]
    .map((m) => m.slice(1).map(Number));
  assertEquals(lines, [[24, 24, 8, 8, 2.5], [24, 24, 40, 24, 1.6]]);
});

Deno.test("overlaySvg() draws the hyperedge of the CLS token as squares without lines", () => {
  const svg = overlaySvg({ ...base, hyperedges: [{ source: null, members: [0, 1, 2] }] });
  assertEquals([svg.match(/rx="2"/g)?.length, svg.includes("<line")], [3, false]);
});

Deno.test("overlaySvg() escapes its caption and refuses an image that is not a data URL", () => {
  assert(overlaySvg({ ...base, caption: '"><script>' }).includes("&quot;&gt;&lt;script&gt;"));
  for (const url of ["https://example.org/x.png", 'data:image/png;base64,"onload="x', "data:image/svg+xml;base64,AA"]) {
    assertThrows(() => overlaySvg({ ...base, image: url }), TypeError, "base64 data URL of PNG or JPEG");
  }
});

Deno.test("overlaySvg() refuses attention of another length and patches off the grid", () => {
  assertThrows(() => overlaySvg({ ...base, attention: [1, 2] }), TypeError, "each of 6 patches: current number is 2");
  assertThrows(
    () => overlaySvg({ ...base, hyperedges: [{ source: 0, members: [6] }] }),
    RangeError,
    "from 0 to 5: current value is 6",
  );
});

Deno.test("overlaySvg() gives a bar with the ends of the values below the picture when asked, and names what the heat shows", () => {
  const attention = [-0.25, 0, 2, -0.25, 0.0000018, 1];
  const plain = overlaySvg({ ...base, attention });
  assert(!plain.includes('class="bar"') && plain.includes("CLS attention as heat map"));
  const barred = overlaySvg({ ...base, attention, bar: true, heat: "<occlusion>" });
  assert(barred.includes('class="bar"') && barred.includes(">-0.25</text>") && barred.includes(">2</text>"));
  assert(barred.includes("&lt;occlusion&gt; as heat map") && !barred.includes("<occlusion>"));
  assert(overlaySvg({ ...base, attention: attention.map((x) => x * 1e-9), bar: true }).includes(">-3e-10</text>"));
  const side = (svg: string): number => Number(/viewBox="0 0 \S+ (\S+)"/.exec(svg)![1]);
  assert(side(barred) > side(plain));
});
