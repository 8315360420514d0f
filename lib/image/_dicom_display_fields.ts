/** What a DICOM file says of how to show its values: rescale or modality LUT, window or VOI LUT, padding. PS3.3, C.11. @module */
import { type DataSet, decimal, firstItem, text, valueBytes, words } from "./_dicom_elements.ts";
import { defined } from "../platform/defined.ts";

/** The window of PS3.3 C.11.2: `centre` and `width` in output units of the rescale. */
export interface DicomWindow {
  /** Window Centre (0028,1050), the first one. */
  center: number;
  /** Window Width (0028,1051), the first one. */
  width: number;
  /** VOI LUT Function (0028,1056). */
  shape: "LINEAR" | "LINEAR_EXACT" | "SIGMOID";
}

/** A look-up table of PS3.3 C.11.1.1 and C.11.2.1.1. */
export interface DicomLut {
  /** The value that takes the first entry; signed when the pixels are. */
  first: number;
  /** Bits of an entry. */
  bits: number;
  /** What each value becomes; values beyond either end take the end's. */
  entries: readonly number[];
}

/** How the stored values become grey levels. */
export interface DicomDisplay {
  /** Rescale Slope (0028,1053), 1 when absent. */
  rescaleSlope: number;
  /** Rescale Intercept (0028,1052), 0 when absent. */
  rescaleIntercept: number;
  /** Modality LUT, which stands in for the rescale. */
  modalityLut?: DicomLut;
  /** The first window, when there is one. */
  window?: DicomWindow;
  /** The first VOI LUT, when there is one. */
  voiLut?: DicomLut;
  /** Pixel Padding Value (0028,0120), when there is one. */
  padding?: number;
}

const TAGS = {
  padding: 0x00280120,
  center: 0x00281050,
  width: 0x00281051,
  intercept: 0x00281052,
  slope: 0x00281053,
  shape: 0x00281056,
  modalityLut: 0x00283000,
  lutDescriptor: 0x00283002,
  lutData: 0x00283006,
  voiLut: 0x00283010,
} as const;

/** Reads the display fields; `signed` says how look-up tables and padding count, `notes` takes what is read otherwise. */
export function readDisplay(dataSet: DataSet, signed: boolean, notes: string[]): DicomDisplay {
  const center = decimal(dataSet, TAGS.center), width = decimal(dataSet, TAGS.width);
  const stated = text(dataSet, TAGS.shape) || "LINEAR";
  const modalityLut = readLut(dataSet, TAGS.modalityLut, signed);
  const voiLut = narrowed(readLut(dataSet, TAGS.voiLut, signed), notes);
  const padding = words(dataSet, TAGS.padding)?.[0];
  let window: DicomWindow | undefined;
  // A width of 0 is how some writers say that there is no window.
  if (center !== undefined && width !== undefined && width > 0) {
    if (stated !== "LINEAR" && stated !== "LINEAR_EXACT" && stated !== "SIGMOID") {
      throw new Error(`VOI LUT function ${JSON.stringify(stated.slice(0, 16))} is not one of DICOM's`);
    }
    window = { center, width, shape: stated };
  }
  return {
    rescaleSlope: decimal(dataSet, TAGS.slope) ?? 1,
    rescaleIntercept: decimal(dataSet, TAGS.intercept) ?? 0,
    ...defined({ modalityLut, window, voiLut }),
    ...(padding !== undefined ? { padding: signed ? padding << 16 >> 16 : padding } : {}),
  };
}

/**
 * A VOI LUT whose entries need fewer bits than it declares, with the bits that they need: writers declare the 16 bits that an entry
 * takes in the file. Its highest entry would else be a dark grey.
 */
function narrowed(lut: DicomLut | undefined, notes: string[]): DicomLut | undefined {
  if (!lut) return undefined;
  const bits = Math.max(8, 32 - Math.clz32(lut.entries.reduce((most, entry) => Math.max(most, entry), 0)));
  if (bits >= lut.bits) return lut;
  notes.push(`its VOI LUT (0028,3010) declares ${lut.bits} bits and holds ${bits}: it is read as of ${bits}`);
  return { ...lut, bits };
}

function readLut(dataSet: DataSet, tag: number, signed: boolean): DicomLut | undefined {
  const item = firstItem(dataSet, tag);
  if (!item) return undefined;
  const [count = 0, first = 0, bits = 0] = words(item, TAGS.lutDescriptor) ?? [];
  const length = count === 0 ? 65536 : count;
  const narrow = bits === 8 && valueBytes(item, TAGS.lutData)?.length === length;
  const entries = narrow ? [...valueBytes(item, TAGS.lutData)!] : words(item, TAGS.lutData);
  if (!entries || entries.length !== length || bits < 8 || bits > 16) {
    throw new Error(
      `its look-up table must have ${length} entries of 8 to 16 bits: it has ${entries?.length ?? 0} of ${bits}`,
    );
  }
  return { first: signed ? first << 16 >> 16 : first, bits, entries };
}
