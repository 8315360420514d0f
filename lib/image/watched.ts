/** Pictures on their way to a model, with what their readers noted said aloud. @module */
import { oriented } from "./orientation.ts";
import type { RasterImage } from "./raster.ts";

/** Options of {@linkcode imageNotes}. */
export interface ImageNotesOptions {
  /** Takes a line about a picture. */
  note(line: string): void;
  /** Most lines of one kind; further pictures of that kind are counted as seen. @default {3} */
  most?: number;
}

/** Tells what readers noted of pictures, by name, a few lines of each kind and none twice. */
export function imageNotes(options: ImageNotesOptions): (name: string, notes?: readonly string[]) => void {
  const { note, most = 3 } = options;
  const said = new Map<string, number>();
  const seen = new Set<string>(); // an image is read once an epoch
  const say = (name: string, text: string): void => {
    const line = `"${name}": ${text}`;
    if (seen.has(line)) return;
    const kind = text.replaceAll(/\d+/g, "#");
    const count = (said.get(kind) ?? 0) + 1;
    if (count > most + 1) return;
    said.set(kind, count);
    if (count > most) return note(`more images are so noted (${text}); they are not named`);
    seen.add(line);
    note(line);
  };
  return (name, notes = []) => {
    for (const text of notes) say(name, text);
  };
}

/** The picture turned as its EXIF orientation says, which then is no longer noted. */
export function upright(image: RasterImage): RasterImage {
  if (image.orientation === undefined) return image;
  const notes = (image.notes ?? []).filter((text) => !text.startsWith("its EXIF orientation"));
  return { ...oriented(image, image.orientation), notes };
}

/** Options of {@linkcode watchedImages}. */
export interface WatchedImagesOptions extends ImageNotesOptions {
  /** What a line calls the item. @default {its `path`, else its `id` or `name`} */
  nameOf?: (item: { path?: string; id?: string; name?: string }) => string;
  /** Turn pictures as their EXIF orientation says. @default {false} */
  exif?: boolean;
}

/**
 * The items, whose `image()` tells `note` what the reader noted, a few lines of each kind, and turns the picture where that is asked.
 *
 * @param items Cases, or images by name; not changed.
 */
export function watchedImages<T extends { image(): Promise<RasterImage>; path?: string; id?: string; name?: string }>(
  items: readonly T[],
  options: WatchedImagesOptions,
): T[] {
  const { nameOf = ({ path, id, name }) => path ?? id ?? name ?? "an image", exif = false } = options;
  const say = imageNotes(options);
  return items.map((item) => ({
    ...item,
    image: async () => {
      const read = await item.image();
      const image = exif ? upright(read) : read;
      say(nameOf(item), image.notes);
      return image;
    },
  }));
}
