/** Any CSV of images, with texts, CheXpert labels, classes or patients where it has them. @module */
import { exists } from "../io/files.ts";
import { basename, dirname, isAbsolute, join } from "@std/path";
import { attributeReader } from "./attributes.ts";
import {
  checkCompanions,
  checkOptions,
  checkValue,
  FLAG,
  RECORD,
  type Rules,
  TEXT,
  TEXT_RECORD,
  TEXTS,
} from "../platform/options.ts";
import { BOXES_RULES, type BoxesOptions, readBoxes, readMask } from "./boxes.ts";
import { classesOf } from "./classes.ts";
import { readCsv, rowNumber, type Table } from "./csv.ts";
import {
  drop,
  imageFile,
  makeDataset,
  MISSING,
  MissingImageError,
  type MissingImages,
  type Tally,
  uniqueIds,
} from "./dataset.ts";
import { labelReader } from "./labels.ts";
import { uniteMasks } from "./rle.ts";
import { type Case, CHEXPERT_LABELS, type Dataset } from "./types.ts";

/** Which columns of the CSV mean what. */
export interface PairsOptions {
  /** The CSV, within the root. @default the root itself is the file */
  csv?: string;
  /** Column of the image's path, relative to the folder of images, or absolute. @default {"path"} */
  image?: string;
  /** Folder the images' paths start from. @default the CSV's folder */
  images?: string;
  /** Column of the text. Rows without text are left out. @default none */
  text?: string;
  /** Column of the class. Rows with a blank are left out. @default none */
  label?: string;
  /** The classes, in order; a class outside them is an error. @default those of the column, sorted; a cell of several is refused */
  classes?: readonly string[];
  /** Splits a class cell such as "Mass|Nodule" into several: the set is then multi-label. @default none */
  separator?: string;
  /** Column of a mask image's path, as the image's; a blank is no mask. @default none */
  mask?: string;
  /** Whether an image is one case: of its further rows only the masks are taken, and united. @default {false} */
  uniqueImages?: boolean;
  /** Boxes in a CSV of their own. @default none */
  boxes?: BoxesOptions;
  /** Whether the 14 CheXpert columns are read. @default {true} if all are there */
  chexpert?: boolean;
  /** Column of the patient. @default none */
  patient?: string;
  /** Further columns that are kept with each case. @default {[]} */
  attributes?: readonly string[];
  /** Column of the case's id. @default the image's */
  id?: string;
  /** Keeps the rows where these columns hold these values, such as `{ split: "test" }`. @default {{}} */
  where?: Readonly<Record<string, string>>;
  /** Name of the data set. @default {the table's, without its ending} */
  name?: string;
  /** What to do when an image, or its mask, is not there. @default {"throw"} */
  missing?: MissingImages;
}

/** What they must be. */
const PAIRS_RULES: Rules<PairsOptions> = {
  csv: TEXT,
  image: TEXT,
  images: TEXT,
  text: TEXT,
  label: TEXT,
  classes: TEXTS,
  separator: TEXT,
  mask: TEXT,
  uniqueImages: FLAG,
  boxes: RECORD,
  chexpert: FLAG,
  patient: TEXT,
  attributes: TEXTS,
  id: TEXT,
  where: TEXT_RECORD,
  name: TEXT,
  missing: MISSING,
};

/** The error for a table of which no row is left. */
export class NoRowError extends RangeError {
  /** Name shown in stack traces. */
  override name = "NoRowError";
  /** What was asked of which column, and the values it has. */
  readonly filters: readonly { column: string; value: string; values: readonly string[] }[];

  /**
   * An error about a table's rows.
   *
   * @param message One line that counts the rows by reason.
   * @param filters What was asked of which column, and the values it has.
   */
  constructor(message: string, filters: readonly { column: string; value: string; values: readonly string[] }[]) {
    super(message);
    this.filters = filters;
  }
}

/** A table's name: the file's, without its ending. */
export function tableName(path: string): string {
  return basename(path).replace(TABLE, "");
}

const TABLE = /\.(csv|tsv|txt|parquet|pq)(\.gz)?$|\.gz$/i;

/** Whether a file is a table by its name. */
export function isTablePath(path: string): boolean {
  return TABLE.test(path);
}

/** A path from a folder, unless it is absolute. */
function within(folder: string, path: string): string {
  return isAbsolute(path) ? path : join(folder, path);
}

/** The same of a file that a table names; one written on Windows, `films\\a.png`, is found elsewhere too. */
async function placeOf(folder: string, file: string): Promise<string> {
  const path = within(folder, file);
  if (!file.includes("\\") || await exists(path)) return path;
  const other = within(folder, file.replaceAll("\\", "/"));
  return await exists(other) ? other : path;
}

/**
 * Reads image-text pairs, or classified images, from a CSV or a Parquet table.
 *
 * @param root The table, or the folder that holds `options.csv`.
 * @param options Which columns mean what, see {@linkcode PairsOptions}.
 * @returns Cases in the file's order; `task` is "multiclass" when a class column is named ("multilabel" with a
 * separator), else "pairs".
 * @throws {SyntaxError} If a named column is missing, a label is outside 1, 0, -1 and blank, a class is unknown, or a cell
 * seems to hold several ({@linkcode JointClassError}).
 * @throws {Deno.errors.NotFound} If the file, or with `missing: "throw"` an image, is not there.
 * @throws {RangeError} If no row is left.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 *
 * @example A CSV of images and texts
 * ```ts
 * import { loadPairs } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * const path = await Deno.makeTempFile({ suffix: ".csv" });
 * await Deno.writeTextFile(path, "path,note\ndemo_report.png,No finding.\n");
 * const { cases } = await loadPairs(path, { text: "note", images: `${Deno.cwd()}/data` });
 * assertEquals(cases.map(({ text }) => text), ["No finding."]);
 * await Deno.remove(path);
 * ```
 */
export async function loadPairs(root: string, options: PairsOptions = {}): Promise<Dataset> {
  checkOptions("read pairs", options, PAIRS_RULES);
  checkValue("read pairs", "root", root, TEXT);
  checkCompanions("read pairs", options, { classes: "label", separator: "label" });
  if (options.boxes) checkOptions("read boxes", options.boxes, BOXES_RULES);
  return await pairsOf(await readTable(options.csv === undefined ? root : join(root, options.csv)), options);
}

/** Reads a CSV or a Parquet table, told apart by its name. */
export async function readTable(path: string): Promise<Table> {
  return /\.(parquet|pq)$/i.test(path)
    ? await (await import("./parquet.ts")).readParquet(path) // few need its codecs
    : await readCsv(path);
}

/** The pairs of a table that is read already; see {@linkcode loadPairs}. */
export async function pairsOf(table: Table, options: PairsOptions = {}): Promise<Dataset> {
  const { where = {}, separator, name = tableName(table.path) } = options;
  const columns = columnsOf(table, options);
  const attributesOf = attributeReader(table, options.attributes);
  const filters = Object.entries(where).map(([column, value]) => ({ column, value, index: table.column(column) }));
  const chexpert = options.chexpert ?? CHEXPERT_LABELS.every((label) => table.columns.includes(label));
  const labels = chexpert ? labelReader(table) : undefined;
  const boxes = options.boxes && await readBoxes(dirname(table.path), options.boxes);
  const tally: Tally = { read: 0, dropped: {} };
  const named = new Set(table.rows.map((cells) => cells[columns.key]!));
  for (const [name, { length }] of boxes ?? []) if (!named.has(name)) drop(tally, "box of an image not listed", length);
  const kept = await keptRows(table, options, { columns, filters, tally });
  if (!kept.length) {
    const reasons = Object.entries(tally.dropped).map(([reason, count]) => `${count} ${reason}`).join(", ");
    throw new NoRowError(
      `Cannot use "${table.path}" as a data set as a row must be left: ${tally.read} read, ${reasons || "none"}`,
      filters.map(({ column, value, index }) => {
        return { column, value, values: [...new Set(table.rows.map((cells) => cells[index]!))] };
      }),
    );
  }
  const { classes, targetOf } = classesOf(table, kept.map(({ row }) => row), options);
  const cases = kept.map(({ row, path, masks }): Case => {
    const cells = table.rows[row]!;
    return {
      id: cells[columns.id ?? columns.image]!,
      ...imageFile(path),
      ...(columns.text !== undefined && { text: cells[columns.text]! }),
      ...targetOf(row),
      ...(columns.patient !== undefined && { patientId: cells[columns.patient]! }),
      ...attributesOf(row),
      ...(labels && { labels: labels(row) }),
      ...(masks.length > 0 && {
        mask: async () => uniteMasks(await Promise.all(masks.map(readMask))),
        maskPaths: masks,
      }),
      ...(boxes && { boxes: boxes.get(cells[columns.key]!) ?? [] }),
    };
  });
  const split = Object.values(where).join(",") || "all";
  const task = columns.label === undefined ? "pairs" : separator === undefined ? "multiclass" : "multilabel";
  return await makeDataset({ name, classes, task, cases: uniqueIds(cases), tally, split });
}

/** Where the columns stand that the options name; undefined for those they do not. */
interface Columns {
  image: number;
  /** Of the name that boxes go by. */
  key: number;
  text: number | undefined;
  label: number | undefined;
  patient: number | undefined;
  id: number | undefined;
  mask: number | undefined;
}

function columnsOf(table: Table, options: PairsOptions): Columns {
  const image = table.column(options.image ?? "path");
  const indexOf = (column: string | undefined): number | undefined =>
    column === undefined ? undefined : table.column(column);
  return {
    image,
    text: indexOf(options.text),
    label: indexOf(options.label),
    patient: indexOf(options.patient),
    id: indexOf(options.id),
    mask: indexOf(options.mask),
    key: indexOf(options.boxes?.key) ?? image,
  };
}

/** The rows that become cases, each with its image and its masks; the others are counted by reason. */
async function keptRows(
  table: Table,
  options: PairsOptions,
  { columns, filters, tally }: {
    columns: Columns;
    filters: readonly { index: number; value: string }[];
    tally: Tally;
  },
): Promise<{ row: number; path: string; masks: string[] }[]> {
  const { missing = "throw", uniqueImages = false, images = dirname(table.path) } = options;
  const isBlank = (cells: readonly string[], column: number | undefined): boolean =>
    column !== undefined && !cells[column]!.trim();
  const kept: { row: number; path: string; masks: string[] }[] = [];
  const known = new Map<string, string[]>();
  for (const [row, cells] of table.rows.entries()) {
    tally.read++;
    const file = cells[columns.image]!;
    const path = await placeOf(images, file);
    if (filters.some(({ index, value }) => cells[index] !== value)) drop(tally, "other split");
    else if (isBlank(cells, columns.text)) drop(tally, "no text");
    else if (isBlank(cells, columns.label)) drop(tally, "no class");
    else if (missing !== "ignore" && (!file || !await exists(path))) {
      if (missing === "throw") throw new MissingImageError(table.path, rowNumber(row), path);
      drop(tally, "image missing");
    } else {
      const mask = columns.mask === undefined ? "" : cells[columns.mask]!;
      const masks = mask === "" ? [] : [await placeOf(images, mask)];
      if (missing !== "ignore" && masks[0] !== undefined && !await exists(masks[0])) {
        if (missing === "throw") throw new MissingImageError(table.path, rowNumber(row), masks[0], "mask");
        drop(tally, "mask missing");
        continue;
      }
      const others = known.get(path);
      if (others) {
        others.push(...masks);
        drop(tally, "further row of an image");
        continue;
      }
      if (uniqueImages) known.set(path, masks);
      kept.push({ row, path, masks });
    }
  }
  return kept;
}
