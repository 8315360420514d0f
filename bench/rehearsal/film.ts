/** A synthetic radiograph as the JPEG that MIMIC-CXR-JPG would hold: its pixels, grey, quality 95, about 1.5 MB. @module */
import encoderModule from "@cornerstonejs/codec-libjpeg-turbo-8bit/wasmjs";
import { drawFilm, syntheticStudy } from "../../lib/data/synthetic/chest.ts";
import { resize } from "../../lib/image/resize.ts";
import { gaussian, mulberry32 } from "../../lib/tensor/random.ts";

/** A film to write. */
export interface FilmTask {
  /** Seed of its study. */
  seed: number;
  /** Columns. */
  width: number;
  /** Rows. */
  height: number;
  /** Where. */
  path: string;
  /** Write it in scans from coarse to fine, as MIMIC-CXR-JPG's are not. @default {false} */
  isProgressive?: boolean;
}

interface Encoder {
  getDecodedBuffer(
    frame: { width: number; height: number; bitsPerSample: number; componentCount: number; isSigned: boolean },
  ): Uint8Array;
  setQuality(quality: number): void;
  setProgressive(progressive: boolean): void;
  encode(): void;
  getEncodedBuffer(): Uint8Array;
  delete(): void;
}

const QUALITY = 95;

/** The chest is drawn at this size and enlarged: drawing takes time by the pixel, and a film's fine grain is noise. */
const DRAWN = 512;

/** Grey levels: with it files are as large as those of MIMIC-CXR-JPG, whose 377,110 films take 558 GB. */
const NOISE = 1.6;

const NOISES = ((): Int8Array => {
  const rng = mulberry32(1);
  return Int8Array.from({ length: 2 ** 16 }, () => Math.round(NOISE * gaussian(rng)));
})();

let loaded: Promise<{ JPEGEncoder: new () => Encoder }> | undefined;

/** The film's file. */
export async function filmJpeg(
  { seed, width, height, isProgressive = false }: Omit<FilmTask, "path">,
): Promise<Uint8Array> {
  const { findings } = syntheticStudy(seed);
  const { image } = drawFilm(seed, { findings, size: DRAWN });
  const { data } = resize(image, { width, height });
  loaded ??= (encoderModule as unknown as () => Promise<{ JPEGEncoder: new () => Encoder }>)();
  const encoder = new (await loaded).JPEGEncoder();
  try {
    const frame = { width, height, bitsPerSample: 8, componentCount: 1, isSigned: false };
    const pixels = new Uint8ClampedArray(data);
    const rng = mulberry32(seed);
    for (let y = 0; y < height; y++) {
      let k = Math.floor(rng() * NOISES.length);
      for (let i = y * width; i < (y + 1) * width; i++) {
        pixels[i] = pixels[i]! + NOISES[k]!;
        k = (k + 1) % NOISES.length;
      }
    }
    encoder.getDecodedBuffer(frame).set(pixels);
    encoder.setQuality(QUALITY);
    encoder.setProgressive(isProgressive); // OpenCV wrote MIMIC-CXR-JPG without, unlike this encoder's default
    encoder.encode();
    return new Uint8Array(encoder.getEncodedBuffer()); // a copy, out of the codec's memory
  } finally {
    encoder.delete();
  }
}
