/** The images that the options name. @module */
import { relative } from "@std/path";
import { loadPairs } from "../data/pairs.ts";
import type { Dataset } from "../data/types.ts";
import { isImage } from "../image/describe.ts";
import { imagesAt, type NamedImage } from "../eval/classify.ts";
import { defined } from "../platform/defined.ts";
import type { Arguments } from "./command.ts";
import { announce, columnsFrom, datasetFrom, isDatasetGiven } from "./data_options.ts";
import { checkPath } from "./paths.ts";
import { listImages } from "../data/dataset.ts";
import { byCodePoint } from "../text/code_point_order.ts";

/** The images that the options name, under their ids. */
export async function namedImagesFrom(args: Arguments): Promise<NamedImage[]> {
  const id = args.text("id-column");
  const columns = { ...columnsFrom(args), chexpert: false, ...defined({ id }) };
  if (isDatasetGiven(args, "images")) return named(await datasetFrom(args, columns));
  const path = args.text("images");
  const paths = [...(path === undefined ? [] : [path]), ...args.positionals];
  if (path !== undefined && args.positionals.length === 0) {
    if ((await checkPath(path)).isDirectory) {
      return (await imagesIn(path)).map((file) => ({
        ...imagesAt([file])[0]!,
        name: relative(path, file).replaceAll("\\", "/"),
      }));
    }
    if (!isImage(await head(path))) return named(await loadPairs(path, columns));
  }
  for (const file of paths) {
    if ((await checkPath(file)).isDirectory) {
      throw new RangeError(
        `Cannot encode "${file}" as an image as it must be a file: it is a folder, to be named alone (--images ${file}) or by its files (${file}/*)`,
      );
    }
  }
  return imagesAt(paths);
}

/** The images of a data set; what was read and dropped is said on stderr. */
function named(dataset: Dataset): NamedImage[] {
  announce(dataset);
  return dataset.cases.map(({ id, image, path }) => ({ name: id, image, ...defined({ path }) }));
}

async function head(path: string): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const bytes = new Uint8Array(512);
  return bytes.subarray(0, await file.read(bytes) ?? 0);
}

/** Every image below a folder, which must hold one. */
export async function imagesIn(folder: string): Promise<string[]> {
  const others: string[] = [];
  const images = await listImages(folder, (path) => others.push(relative(folder, path)));
  if (others.length > 0) {
    console.error(
      `note: pictures that cannot be read are passed over in "${folder}": ${others.length}, such as ${
        others.sort(byCodePoint)[0]
      }; saved as PNG they can be`,
    );
  }
  if (images.length > 0) return images;
  throw new RangeError(
    `Cannot use "${folder}" as a folder of images as it must hold one: it holds none by its ending; files without one are named: ${folder}/*`,
  );
}
