/** Whole images decoded in workers, those that come next before they are asked for. @module */
import type { RasterImage } from "../../image/raster.ts";
import type { DecodePool } from "./decode_pool.ts";
import type { ImagePart } from "./location.ts";

/** What has an image, in a file of its own or in an archive. */
export interface WithImage {
  /** Reads and decodes it. */
  image(): Promise<RasterImage>;
  /** Its file. */
  path?: string;
  /** Its place in an archive. */
  part?: ImagePart;
}

/**
 * The items, whose `image()` decodes in workers. While they are asked for one after the other, as many as there are workers are
 * decoded ahead; an image that lies ahead and is passed over is dropped, so no more are held than that.
 *
 * @param items Cases, or images by name; not changed. Those without a file are as they are, and so are all without workers.
 */
export function imagesAhead<T extends WithImage>(items: readonly T[], pool: DecodePool): T[] {
  if (pool.workers === 0 || items.length < 2) return [...items]; // one image is decoded sooner than a worker starts
  const ahead = new Map<number, Promise<RasterImage>>();
  let last = -1;
  const decode = (index: number): Promise<RasterImage> | undefined => {
    const { part, path } = items[index]!;
    const location = part ?? path;
    return location === undefined ? undefined : pool.decodeWhole(location);
  };
  const take = (index: number): Promise<RasterImage> => {
    const own = ahead.get(index) ?? decode(index)!;
    const isInOrder = index === last + 1 && index > 0;
    last = index;
    for (const other of [...ahead.keys()]) if (other <= index || other > index + pool.workers) ahead.delete(other);
    for (let next = index + 1; isInOrder && next <= index + pool.workers && next < items.length; next++) {
      const coming = ahead.has(next) ? undefined : decode(next);
      coming?.catch(() => {}); // whoever asks for it is told
      if (coming) ahead.set(next, coming);
    }
    return own;
  };
  return items.map((item, index) =>
    (item.part ?? item.path) === undefined ? item : { ...item, image: () => take(index) }
  );
}
