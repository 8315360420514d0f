/** A folder for each class, images within. @module */
import { basename, join, relative } from "@std/path";
import { listed } from "../platform/nearest.ts";
import { byCodePoint } from "../text/code_point_order.ts";
import { ClassError, imageFile, listImages, makeDataset } from "./dataset.ts";
import type { Case, Dataset } from "./types.ts";
import { checkOptions, checkValue, type Rules, TEXT, TEXTS } from "../platform/options.ts";
import { notThere, system } from "../platform/system.ts";

/** Options of {@linkcode loadFolder}. */
export interface FolderOptions {
  /** The classes, in order; each must be a folder. @default every folder of the root, sorted */
  classes?: readonly string[];
  /** Name of the data set. @default the root's own name */
  name?: string;
}

/** What they must be. */
const FOLDER_RULES: Rules<FolderOptions> = { classes: TEXTS, name: TEXT };

/**
 * Reads a folder whose folders are classes; their images may lie at any depth.
 *
 * @param root The folder.
 * @returns Cases class by class, sorted by path; an id is the path from the root, with `/`.
 * @throws {ClassError} If a class has no folder.
 * @throws {RangeError} If there is no folder, or one without an image.
 * @throws {TypeError} If an option is unknown or of another kind.
 *
 * @example A folder for each class
 * ```ts
 * import { loadFolder } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * const root = await Deno.makeTempDir();
 * for (const name of ["normal", "pneumonia"]) {
 *   await Deno.mkdir(`${root}/${name}`);
 *   await Deno.copyFile("data/demo_report.png", `${root}/${name}/film.png`);
 * }
 * const { classes, cases } = await loadFolder(root);
 * assertEquals([classes.length, cases.length], [2, 2]);
 * await Deno.remove(root, { recursive: true });
 * ```
 */
export async function loadFolder(root: string, options: FolderOptions = {}): Promise<Dataset> {
  checkOptions("read a folder of classes", options, FOLDER_RULES);
  checkValue("read a folder of classes", "root", root, TEXT);
  await system.stat(root).catch(notThere(root));
  const paths: string[] = [];
  for await (const entry of system.readDir(root)) {
    if (!entry.name.startsWith(".") && (entry.isDirectory || entry.isSymlink)) paths.push(entry.name);
  }
  paths.sort(byCodePoint);
  const classes = options.classes ?? paths;
  if (!classes.length) {
    throw new RangeError(
      `Cannot use "${root}" as a data set as it must hold a folder for each class, such as "${
        join(root, "pneumonia", "film.png")
      }", or be a table of images with a column of classes: it is a folder without folders`,
    );
  }
  const unknown = classes.find((name) => !paths.includes(name));
  if (unknown !== undefined) {
    throw new ClassError(
      `Cannot use "${root}" as a data set as each class must be a folder: ${JSON.stringify(unknown)} is not among ${
        listed(paths) || "none"
      }`,
      unknown,
      paths,
    );
  }
  const cases: Case[] = [];
  for (const [target, name] of classes.entries()) {
    const images = await listImages(join(root, name));
    if (!images.length) {
      throw new RangeError(`Cannot use "${join(root, name)}" as a class as it must hold an image: it holds none`);
    }
    for (const path of images) {
      cases.push({ id: relative(root, path).replaceAll("\\", "/"), target, ...imageFile(path) });
    }
  }
  const tally = { read: cases.length, dropped: {} };
  return await makeDataset({
    name: options.name ?? basename(root),
    classes,
    task: "multiclass",
    cases,
    tally,
    split: "all",
  });
}
