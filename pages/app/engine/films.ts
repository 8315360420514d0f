/** Films on the screen: decoded once, shown under any window. @module */
import { readCsv } from "../../../lib/data/csv.ts";
import { rsnaLike } from "../../../lib/data/synthetic/sets.ts";
import { decodeDicom, type DicomImage, type DicomWindow, isDicom } from "../../../lib/image/dicom.ts";
import { dicomToRaster } from "../../../lib/image/dicom_raster.ts";
import { encodePng } from "../../../lib/image/png.ts";
import { toRgb } from "../../../lib/image/preprocess.ts";
import type { RasterImage } from "../../../lib/image/raster.ts";
import { decodeImage } from "../../../lib/image/read.ts";
import { type Files, mounted } from "./model.ts";

/** A film's size and the window it asks for. */
export interface FilmView {
  /** Columns. */
  width: number;
  /** Rows. */
  height: number;
  /** The window at first and the values there are; null for colour, which has no window. */
  window: { center: number; width: number; low: number; high: number } | null;
  /** What its reader found worth saying. */
  notes: readonly string[];
}

/** The film that is shown: with a window to be chosen, or as it is. */
let shown: { grey: DicomImage; window: DicomWindow } | { colour: RasterImage } | undefined;

/** A picture's grey values as a film's, so that one window serves all. */
function greyFilm(image: RasterImage): DicomImage {
  const { width: columns, height: rows, channels, bitDepth, data } = image;
  const pixels = channels === 1 ? data : data.filter((_, i) => i % channels === 0);
  return {
    columns,
    rows,
    samples: 1,
    bitsAllocated: bitDepth,
    bitsStored: bitDepth,
    signed: false,
    photometric: "MONOCHROME2",
    transferSyntax: "",
    lossy: false,
    rescaleSlope: 1,
    rescaleIntercept: 0,
    pixels,
    notes: image.notes ?? [],
  };
}

/** Least and greatest value after the rescale, as the file's bits allow. */
function valuesOf({ pixels, rescaleSlope, rescaleIntercept, padding }: DicomImage): [number, number] {
  let low = Infinity, high = -Infinity;
  for (const value of pixels) {
    if (value === padding) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const ends = [low, high].map((value) => value * rescaleSlope + rescaleIntercept).sort((a, b) => a - b);
  return ends as [number, number];
}

/** Decodes a film and keeps it. */
export async function openFilm(file: File): Promise<FilmView> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const dicom = isDicom(bytes) ? await decodeDicom(bytes, file.name) : undefined;
  const image = dicom ? undefined : await decodeImage(bytes, file.name);
  const grey = dicom?.samples === 1 ? dicom : image && image.channels <= 2 ? greyFilm(image) : undefined;
  if (!grey) {
    const colour = image ?? dicomToRaster(dicom!);
    shown = { colour };
    return { width: colour.width, height: colour.height, window: null, notes: colour.notes ?? [] };
  }
  const [low, high] = valuesOf(grey);
  const whole = grey.bitsAllocated === 8 && !dicom; // a picture of 8 bits is shown as it is
  const window: DicomWindow = grey.window ?? {
    center: whole ? 127.5 : (low + high) / 2,
    width: whole ? 255 : Math.max(1, high - low),
    shape: "LINEAR_EXACT",
  };
  shown = { grey, window };
  const { notes = [] } = dicom ? dicomToRaster(dicom) : grey;
  const { columns: width, rows: height } = grey;
  return { width, height, window: { center: window.center, width: window.width, low, high }, notes };
}

/** The film under a window, as a bitmap whose longer side has at most `most` pixels. */
export async function renderFilm(
  window: { center: number; width: number } | null,
  most = 4096,
): Promise<{ bitmap: ImageBitmap }> {
  if (!shown) throw new Error("Cannot draw a film as one must be open: there is none");
  const raster = "colour" in shown
    ? toRgb(shown.colour)
    : dicomToRaster({ ...shown.grey, window: { ...shown.window, ...window } });
  const { width, height, channels, data } = raster;
  const rgba = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let i = 0, from = 0; i < rgba.length; i += 4, from += channels) {
    rgba[i] = data[from]!;
    rgba[i + 1] = data[channels === 1 ? from : from + 1]!;
    rgba[i + 2] = data[channels === 1 ? from : from + 2]!;
  }
  const scale = Math.min(1, most / Math.max(width, height));
  const bitmap = await createImageBitmap(
    new ImageData(rgba, width, height),
    scale < 1 ? { resizeWidth: Math.round(width * scale), resizeHeight: Math.round(height * scale) } : {},
  );
  return { bitmap };
}

/** Drawn films, as files: something to try where there is no film at hand. */
export async function drawnFilms(count: number, seed: number): Promise<File[]> {
  const { cases } = rsnaLike(count, seed);
  return await Promise.all(
    cases.map(async ({ image }, i) =>
      new File([encodePng(await image()) as Uint8Array<ArrayBuffer>], `drawn_${i + 1}.png`, { type: "image/png" })
    ),
  );
}

/** Names of a table's columns. */
export async function tableColumns(files: Files, csv: string): Promise<readonly string[]> {
  mounted("pairs", files);
  return (await readCsv(`pairs/${csv}`)).columns;
}
