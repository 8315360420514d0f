/** The worker of decode_pool.ts: one file after another. @module */
import { ImageError } from "../../image/read.ts";
import type { RasterImage } from "../../image/raster.ts";
import { type DecodedFile, decodeFile, decodeWhole, type SquareTransform } from "./decode.ts";
import type { ImageLocation } from "./location.ts";

/** What a worker is asked. */
export interface DecodeTask {
  /** Number of the task. */
  id: number;
  /** Image to decode. */
  location: ImageLocation;
  /** How it is resized. @default {it is not} */
  transform?: SquareTransform;
}

/** What it answers. */
export type DecodeAnswer =
  | { id: number; decoded: DecodedFile | RasterImage }
  | { id: number; error: { name: string; message: string; image?: string } };

interface WorkerScope {
  onmessage: ((event: MessageEvent<DecodeTask>) => void) | null;
  postMessage(answer: DecodeAnswer, transfer?: Transferable[]): void;
}

const scope = self as unknown as WorkerScope;
scope.onmessage = async ({ data: { id, location, transform } }) => {
  try {
    const decoded = transform ? await decodeFile(location, transform) : await decodeWhole(location);
    scope.postMessage({ id, decoded }, [decoded.data.buffer as ArrayBuffer]);
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    const image = error instanceof ImageError ? { image: error.path } : {};
    scope.postMessage({ id, error: { name, message, ...image } });
  }
};
