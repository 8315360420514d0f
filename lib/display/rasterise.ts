/** SVG to PNG, for viewers that draw no SVG: JupyterLab in a notebook that is not trusted, GitHub, mail. @module */
import { mapTuple } from "../platform/map_tuple.ts";
import { checkOptions, checkValue, POSITIVE, type Rules, TEXT } from "../platform/options.ts";

/** Options of {@linkcode rasterise}. */
export interface RasteriseOptions {
  /** Pixels for each unit of the drawing. @default {1.5} */
  zoom?: number;
}

/** What they must be. */
const RASTERISE_RULES: Rules<RasteriseOptions> = {
  zoom: POSITIVE,
};

/** resvg and a font: nothing of the machine's own is read, so that the same drawing gives the same picture anywhere. */
interface Rasteriser {
  Resvg: typeof import("@resvg/resvg-wasm").Resvg;
  font: Uint8Array;
}

/** As deno.json names them: what `import.meta.resolve()` is given is not rewritten when the package is published. */
const FILES = ["npm:@resvg/resvg-wasm@2.6.2/index_bg.wasm", "npm:dejavu-fonts-ttf@2.37.3/ttf/DejaVuSans.ttf"] as const;

let rasteriser: Promise<Rasteriser> | undefined;

/** Loaded at the first picture: most programs draw none. */
async function loadRasteriser(): Promise<Rasteriser> {
  const { initWasm, Resvg } = await import("@resvg/resvg-wasm");
  // Names the package of the font in the module graph, so that it is fetched with the others and not at run time.
  await import("dejavu-fonts-ttf/package.json", { with: { type: "json" } });
  const [wasm, font] = await Promise.all(
    mapTuple(FILES, (file) => Deno.readFile(new URL(import.meta.resolve(file)))),
  );
  await initWasm(wasm);
  return { Resvg, font };
}

/**
 * Draws an SVG as a PNG by resvg, with DejaVu Sans for every text. Needs leave to read Deno's cache, and no other.
 *
 * @param svg One `<svg>` element with a size or a view box.
 * @param options See {@linkcode RasteriseOptions}.
 * @returns The PNG file's bytes; where the drawing leaves the ground free it is transparent.
 * @throws {SyntaxError} If the text is no SVG.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function rasterise(svg: string, options: RasteriseOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
  checkOptions("rasterise", options, RASTERISE_RULES);
  checkValue("rasterise", "svg", svg, TEXT);
  const { zoom = 1.5 } = options;
  const { Resvg, font } = await (rasteriser ??= loadRasteriser());
  const name = "DejaVu Sans";
  try {
    const drawing = new Resvg(svg, {
      font: { fontBuffers: [font], defaultFontFamily: name, sansSerifFamily: name, monospaceFamily: name },
      fitTo: { mode: "zoom", value: zoom },
    });
    const picture = drawing.render();
    const bytes = Uint8Array.from(picture.asPng());
    picture.free();
    drawing.free();
    return bytes;
  } catch (error) {
    throw new SyntaxError(`Cannot draw an SVG as a PNG as it must be readable: ${error}`, { cause: error });
  }
}
