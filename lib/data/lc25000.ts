/** LC25000: lung and colon histopathology. @module */
import { exists } from "../io/files.ts";
import { join } from "@std/path";
import { loadFolder } from "./folder.ts";
import type { Case, Dataset } from "./types.ts";
import { hashIds } from "./dataset.ts";
import { checkOptions, checkValue, oneOf, type Rules, TEXT } from "../platform/options.ts";

/** Folder of each class, and what the class is called in words. */
const LC25000_FOLDERS: Readonly<Record<string, string>> = {
  lung_n: "benign lung tissue",
  lung_aca: "lung adenocarcinoma",
  lung_scc: "lung squamous cell carcinoma",
  colon_aca: "colon adenocarcinoma",
  colon_n: "benign colonic tissue",
};

/** Classes in words, in the order of {@linkcode LC25000_FOLDERS}. */
export const LC25000_CLASSES: readonly string[] = Object.values(LC25000_FOLDERS);

/** Options of {@linkcode loadLc25000}. */
export interface Lc25000Options {
  /** Which organ's classes are read. @default {"both"} */
  organ?: "lung" | "colon" | "both";
}

/** What they must be. */
const LC25000_RULES: Rules<Lc25000Options> = {
  organ: oneOf(["lung", "colon", "both"]),
};

/**
 * Reads LC25000: the folders lung_n, lung_aca, lung_scc, colon_aca and colon_n, side by side or as published within
 * `lung_colon_image_set/lung_image_sets` and `colon_image_sets`. The whole set is used, 25,000 tiles.
 *
 * @param root Folder of the data set.
 * @returns Cases class by class, sorted by name; an id is `lung_n/lungn1.jpeg`.
 * @throws {Deno.errors.NotFound} If the folder of a class is not there.
 * @throws {RangeError} If one holds no image.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function loadLc25000(root: string, options: Lc25000Options = {}): Promise<Dataset> {
  checkOptions("read LC25000", options, LC25000_RULES);
  checkValue("read LC25000", "root", root, TEXT);
  const { organ = "both" } = options;
  const names = Object.keys(LC25000_FOLDERS).filter((name) => organ === "both" || name.startsWith(organ));
  const cases: Case[] = [];
  for (const [target, name] of names.entries()) {
    const nested = `${name.split("_")[0]}_image_sets`;
    const tried = ["", nested, `lung_colon_image_set/${nested}`].map((folder) => join(root, folder));
    let parent: string | undefined;
    for (const folder of tried) if (parent === undefined && await exists(join(folder, name))) parent = folder;
    if (parent === undefined) {
      throw new Deno.errors.NotFound(
        `Cannot read "${root}" as LC25000 as it must hold a folder ${name}: none in ${tried.join(", ")}`,
      );
    }
    for (const item of (await loadFolder(parent, { classes: [name] })).cases) cases.push({ ...item, target });
  }
  return {
    name: "lc25000",
    classes: names.map((name) => LC25000_FOLDERS[name]!),
    cases,
    task: "multiclass",
    summary: { read: cases.length, kept: cases.length, dropped: {} },
    split: { name: organ === "both" ? "all" : organ, size: cases.length, hash: await hashIds(cases.map((c) => c.id)) },
  };
}
