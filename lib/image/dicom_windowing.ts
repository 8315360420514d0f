/** Windowing: from the stored values of a DICOM image to grey levels of 0 to 255. PS3.3, C.11; PS3.4, N.2. @module */
import type { DicomImage, DicomLut, DicomWindow } from "./dicom.ts";

/** The value a word stands for: its stored bits, sign-extended. */
function storedValue(word: number, { bitsStored, signed }: DicomImage): number {
  return signed ? word << (32 - bitsStored) >> (32 - bitsStored) : word & (1 << bitsStored) - 1;
}

/** What each stored word becomes: modality transform, window or VOI LUT, polarity. */
export function displayTable(dicom: DicomImage): Uint8Array {
  const { bitsAllocated, signed, rescaleSlope, rescaleIntercept, modalityLut } = dicom;
  const modality = (word: number): number => {
    const value = storedValue(word, dicom);
    return modalityLut ? lookUp(modalityLut, value) : value * rescaleSlope + rescaleIntercept;
  };
  const show = voi(dicom, modality);
  const invert = dicom.photometric === "MONOCHROME1";
  const offset = signed ? 1 << (bitsAllocated - 1) : 0;
  return Uint8Array.from({ length: 1 << bitsAllocated }, (_, i) => {
    const grey = Math.min(Math.max(Math.floor(show(modality(i - offset)) + 0.5), 0), 255);
    return invert ? 255 - grey : grey;
  });
}

/** The step from modality values to 0..255. */
function voi(dicom: DicomImage, modality: (word: number) => number): (value: number) => number {
  const { voiLut, window } = dicom;
  if (window) return windowed(window);
  if (voiLut) {
    const most = (1 << voiLut.bits) - 1;
    return (value) => lookUp(voiLut, Math.floor(value + 0.5)) / most * 255;
  }
  const plain = dicom.bitsAllocated === 8 && !dicom.signed && !dicom.modalityLut && dicom.rescaleSlope === 1 &&
    dicom.rescaleIntercept === 0 && dicom.bitsStored === 8;
  if (plain) return (value) => value;
  let low = Infinity, high = -Infinity;
  const seen = new Uint8Array(1 << dicom.bitsAllocated);
  const offset = dicom.signed ? 1 << (dicom.bitsAllocated - 1) : 0;
  for (const word of dicom.pixels) seen[word + offset] = 1;
  for (let i = 0; i < seen.length; i++) {
    if (seen[i] === 0 || storedValue(i - offset, dicom) === dicom.padding) continue;
    const value = modality(i - offset);
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return high > low ? (value) => (value - low) / (high - low) * 255 : () => 0;
}

/** PS3.3 C.11.2.1.2 and C.11.2.1.3. */
function windowed({ center, width, shape }: DicomWindow): (value: number) => number {
  if (shape === "SIGMOID") return (x) => 255 / (1 + Math.exp(-4 * (x - center) / width));
  if (shape === "LINEAR_EXACT") return (x) => ((x - center) / width + 0.5) * 255;
  if (width <= 1) return (x) => x <= center - 0.5 ? 0 : 255;
  return (x) => ((x - (center - 0.5)) / (width - 1) + 0.5) * 255;
}

function lookUp({ first, entries }: DicomLut, value: number): number {
  const index = Math.min(Math.max(Math.trunc(value) - first, 0), entries.length - 1);
  return entries[index]!;
}
