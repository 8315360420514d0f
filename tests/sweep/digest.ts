/** What a file holds as one hash, as reference.py makes it with other readers. @module */
import { createHash } from "node:crypto";
import { parseCsv } from "../../lib/data/_csv_parse.ts";
import { readCsvText } from "../../lib/data/_csv_text.ts";
import { describeCsv } from "../../lib/data/csv.ts";
import { type NpyArray, readNpy, readNpz } from "../../lib/data/npy.ts";
import { decodeDicom } from "../../lib/image/dicom.ts";
import { decodeImage, readImageBytes } from "../../lib/image/read.ts";
import { openTensorFile } from "../../lib/io/open.ts";
import { readAllTensors } from "../../lib/io/tensor_file.ts";

/** A format, or a way to read it. */
export type Kind = "png" | "jpeg" | "tiff" | "webp" | "dicom" | "safetensors" | "torch" | "npy" | "npz" | "csv";

const raw = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);

function hash(label: string, ...data: Uint8Array[]): string {
  const hash = createHash("sha256").update(`${label}\n`);
  for (const bytes of data) hash.update(bytes);
  return hash.digest("hex");
}

const array = ({ shape, data }: NpyArray): string => hash(JSON.stringify(shape), raw(Float64Array.from(data)));

async function image(path: string): Promise<string> {
  const { width, height, channels, data } = await decodeImage(await readImageBytes(path), path);
  return hash(`${width} ${height} ${channels}`, raw(data));
}

async function tensors(path: string): Promise<string> {
  const file = await openTensorFile(path);
  try {
    const entries = [...await readAllTensors(file)].sort(([a], [b]) => a < b ? -1 : 1);
    return hash(
      entries.map(([name, { shape }]) => `${name}${JSON.stringify(shape)}`.replaceAll(" ", "")).join("\n"),
      ...entries.map(([, { data }]) => data),
    );
  } finally {
    file.close();
  }
}

/** Name of the array that an .npz of the sweep holds. */
export const NPZ_NAME = "x";

/** What each kind is read with, and what the reference must be told. */
export const READERS: Readonly<Record<Kind, (path: string) => Promise<{ digest: string; separator?: string }>>> = {
  png: async (path) => ({ digest: await image(path) }),
  jpeg: async (path) => ({ digest: await image(path) }),
  tiff: async (path) => ({ digest: await image(path) }),
  webp: async (path) => ({ digest: await image(path) }),
  dicom: async (path) => {
    const { columns, rows, pixels, bitsStored, signed } = await decodeDicom(await readImageBytes(path), path);
    const spare = 32 - bitsStored; // pydicom fills the bits above those stored with the sign
    const values = pixels.map((word) => signed ? word << spare >> spare : word << spare >>> spare);
    return { digest: hash(`${columns} ${rows}`, raw(values)) };
  },
  safetensors: async (path) => ({ digest: await tensors(path) }),
  torch: async (path) => ({ digest: await tensors(path) }),
  npy: async (path) => ({ digest: array(readNpy(await Deno.readFile(path), path)) }),
  npz: async (path) => ({ digest: array((await readNpz(path, [NPZ_NAME]))[NPZ_NAME]!) }),
  csv: async (path) => {
    const { separator } = await describeCsv(path);
    const rows = parseCsv(await readCsvText(path), separator);
    return { digest: hash("csv", new TextEncoder().encode(JSON.stringify(rows))), separator };
  },
};
