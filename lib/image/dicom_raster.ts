/** A DICOM image as a viewer shows it: windowed, 8 bits a channel. @module */
import type { DicomImage } from "./dicom.ts";
import { displayTable } from "./dicom_windowing.ts";
import type { RasterImage } from "./raster.ts";

/** How {@linkcode dicomToRaster} turns stored values into grey. */
export interface DicomRasterOptions {
  /**
   * `display`: rescale, then the first window (or VOI LUT; without either, 8 unsigned bits as they are and anything else
   * from its minimum to its maximum), MONOCHROME1 inverted. `stored`: the stored values as they are, 8 or 16 bits, neither
   * windowed nor inverted, as `Image.fromarray(pydicom.dcmread(path).pixel_array)` in ACE-LoRA's RSNA script; signed values
   * are refused there.
   *
   * @default {"display"}
   */
  values?: "display" | "stored";
}

/**
 * The raster that a radiograph viewer would show.
 *
 * @param dicom As `decodeDicom` returns it; not changed.
 * @param options What the values mean.
 * @returns 1 channel of 8 bits, or 3 for colour; with `stored`, 16 bits when the file has them.
 * @throws {TypeError} If `stored` is asked of signed values.
 */
export function dicomToRaster(dicom: DicomImage, options: DicomRasterOptions = {}): RasterImage {
  const { columns: width, rows: height, samples } = dicom;
  if (samples === 3) {
    const shift = dicom.bitsAllocated === 16 ? Math.max(0, dicom.bitsStored - 8) : 0;
    const data = Uint8Array.from(dicom.pixels, (value) => value >> shift);
    if (dicom.photometric === "YBR_FULL") ybrToRgb(data);
    return { width, height, channels: 3, bitDepth: 8, data, ...notesOf(dicom) };
  }
  if (options.values === "stored") {
    if (dicom.signed) throw new TypeError("Cannot keep stored values as unsigned: current pixels are signed");
    const data = dicom.bitsAllocated === 8 ? Uint8Array.from(dicom.pixels) : Uint16Array.from(dicom.pixels);
    return { width, height, channels: 1, bitDepth: dicom.bitsAllocated, data, ...notesOf(dicom) };
  }
  // Every stored word takes one of at most 65,536 values: the whole chain is a table.
  const table = displayTable(dicom);
  const offset = dicom.signed ? 1 << (dicom.bitsAllocated - 1) : 0;
  const { pixels } = dicom;
  const data = new Uint8Array(pixels.length);
  let shades = 0; // bits in which pixels differ from the first
  for (let i = 0; i < data.length; i++) {
    data[i] = table[pixels[i]! + offset]!;
    shades |= data[i]! ^ data[0]!;
  }
  return { width, height, channels: 1, bitDepth: 8, data, ...notesOf(dicom, shades === 0 ? [whyOneGrey(dicom)] : []) };
}

function notesOf({ notes = [] }: DicomImage, more: readonly string[] = []): { notes?: readonly string[] } {
  return notes.length + more.length > 0 ? { notes: [...notes, ...more] } : {};
}

/** Why nothing is seen in the picture. */
function whyOneGrey({ pixels, rescaleSlope, modalityLut, window, voiLut }: DicomImage): string {
  const isFlat = pixels.every((value) => value === pixels[0]);
  const reason = isFlat
    ? "all its stored values are equal"
    : !modalityLut && rescaleSlope === 0
    ? "its rescale slope (0028,1053) is 0; correct that element, or save the picture as PNG"
    : window
    ? `its window (centre ${window.center}, width ${window.width}) lies off its values; correct it, or save the picture as PNG`
    : `its ${modalityLut && !voiLut ? "modality" : "VOI"} LUT gives all its values one shade`;
  return `its picture is one grey: ${reason}`;
}

/** PS3.3 C.7.6.3.1.2, full range. */
function ybrToRgb(data: Uint8Array): void {
  const clip = (value: number): number => Math.min(Math.max(Math.round(value), 0), 255);
  for (let i = 0; i < data.length; i += 3) {
    const y = data[i]!, cb = data[i + 1]! - 128, cr = data[i + 2]! - 128;
    data[i] = clip(y + 1.402 * cr);
    data[i + 1] = clip(y - 0.344136 * cb - 0.714136 * cr);
    data[i + 2] = clip(y + 1.772 * cb);
  }
}
