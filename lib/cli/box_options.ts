/** Options of a CSV of boxes. @module */
import { dirname, isAbsolute, join } from "@std/path";
import type { BoxesOptions } from "../data/boxes.ts";
import { readCsv } from "../data/csv.ts";
import { boxColumns } from "../dense/detect/data.ts";
import { exists } from "../io/files.ts";
import { defined } from "../platform/defined.ts";
import { type Arguments, type OptionSpec, UsageError } from "./command.ts";
import { checkPath } from "./paths.ts";

/** Options that say which columns of a CSV of boxes mean what. */
export const BOX_COLUMN_OPTIONS: Record<string, OptionSpec> = {
  "boxes-key": { value: "NAME", help: "Column of the images' CSV that the boxes name (default: the path)" },
  "boxes-image": { value: "NAME", help: "Column of the boxes' CSV that names the image (default: as --boxes-key)" },
  "boxes-label": { value: "NAME", help: "Column of what a box holds (default: label)" },
  "boxes-columns": { value: "LIST", help: "Columns of left, top, width, height (default: x,y,w,h)" },
};

/** The CSV of boxes, from the working folder as any path that is typed, else beside that of the images, and its columns. */
export async function boxesFrom(args: Arguments, dataset: string): Promise<{ boxes?: BoxesOptions }> {
  const path = args.text("boxes"), columns = args.text("boxes-columns");
  if (path === undefined) return {};
  const named = args.list("boxes-columns");
  const isCorner = named?.slice(2).some((name) => /max|right|bottom|[xy]_?[12]$/i.test(name));
  if (named && (named.length !== 4 || isCorner)) {
    throw new UsageError(
      `--boxes-columns must name four columns, left,top,width,height${isCorner ? ", not a second corner" : ""}: ` +
        `current value is "${columns}"`,
    );
  }
  const beside = isAbsolute(path) ? path : join(dirname(dataset), path);
  const isBeside = !await exists(path) && await exists(beside);
  if (!isBeside) await checkPath(path);
  return {
    boxes: {
      csv: await readCsv(isBeside ? beside : path), // read here, so that messages name it as it was typed
      image: args.text("boxes-image") ?? args.text("boxes-key") ?? "path",
      label: args.text("boxes-label") ?? "label",
      ...defined({ key: args.text("boxes-key"), columns: columns === undefined ? undefined : boxColumns(columns) }),
    },
  };
}
