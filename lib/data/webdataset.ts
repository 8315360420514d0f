/** WebDataset shards: tar archives in which the files of one sample follow each other under one name. @module */
import { basename, dirname, join } from "@std/path";
import { decodeImage } from "../image/read.ts";
import { byCodePoint } from "../text/code_point_order.ts";
import { listTar, tarBytes, type TarMember } from "./_tar.ts";
import { type ImagePart, locationName, readLocation } from "./pixels/location.ts";
import { drop, makeDataset, type Tally, uniqueIds } from "./dataset.ts";
import type { Case, Dataset } from "./types.ts";
import { isRecord, parseJson } from "../io/fields.ts";
import { defined } from "../platform/defined.ts";
import { checkOptions, checkValue, type Rules, TEXT, TEXT_RECORD } from "../platform/options.ts";

/** Options of {@linkcode loadWebDataset}. */
export interface WebDatasetOptions {
  /** Field of the sample's JSON that names the patient. @default {none} */
  patient?: string;
  /** Field of the JSON that holds the text. @default {the sample's .txt, else the field `caption` or `text`} */
  text?: string;
  /** Keeps the samples in whose JSON these fields hold these values. @default {{}} */
  where?: Readonly<Record<string, string>>;
}

/** What they must be. */
const WEB_DATASET_RULES: Rules<WebDatasetOptions> = {
  patient: TEXT,
  text: TEXT,
  where: TEXT_RECORD,
};

const IMAGES = ["jpg", "jpeg", "png", "webp", "tif", "tiff", "dcm"];

/** Largest text or JSON of a sample, bytes. */
const MOST_TEXT = 1 << 20;

/** Whether a path names shards: it ends in .tar, as a file or as a pattern. */
export function isWebDatasetPath(path: string): boolean {
  return /\.tar$/i.test(path);
}

/**
 * The shards that a path names: a file, `{000..041}` and `{a,b}` as a shell expands them, and `*` within the file's name.
 *
 * @throws {Deno.errors.NotFound} If there is none.
 */
export async function shardPaths(pattern: string): Promise<string[]> {
  checkValue("read shards", "pattern", pattern, TEXT);
  const paths: string[] = [];
  for (const path of expandBraces(pattern)) {
    if (!basename(path).includes("*")) {
      paths.push(path);
      continue;
    }
    const parts = basename(path).split("*").map((part) => part.replaceAll(/[\\^$.|?+()[\]{}]/g, "\\$&"));
    const matches = new RegExp(`^${parts.join(".*")}$`);
    const names: string[] = [];
    for await (const { name } of Deno.readDir(dirname(path))) if (matches.test(name)) names.push(name);
    for (const name of names.sort(byCodePoint)) paths.push(join(dirname(path), name));
  }
  if (paths.length > 0) return paths;
  throw new Deno.errors.NotFound(`Cannot read "${pattern}" as a shard must match it: there is none`);
}

/** `a{08..10}b` as `a08b`, `a09b`, `a10b`; `a{x,y}` as `ax`, `ay`. */
function expandBraces(text: string): string[] {
  const [, before, inner, after] = /^([^{]*)\{([^{}]*)\}(.*)$/s.exec(text) ?? [];
  if (before === undefined || inner === undefined || after === undefined) return [text];
  const range = /^(\d+)\.\.(\d+)$/.exec(inner);
  const values = range
    ? Array.from(
      { length: Math.max(0, Number(range[2]) - Number(range[1]) + 1) },
      (_, i) => String(Number(range[1]) + i).padStart(range[1]!.length, "0"),
    )
    : inner.split(",");
  return values.flatMap((value) => expandBraces(after).map((rest) => `${before}${value}${rest}`));
}

/**
 * Reads image-text pairs from WebDataset shards, as open_clip names their parts: `KEY.jpg` (or another image), `KEY.txt` and
 * `KEY.json`. Texts are read at once, images by their place in the archive when they are asked for.
 *
 * @param pattern Shards, see {@linkcode shardPaths}.
 * @returns Cases in the order of the archives; ids are the keys.
 * @throws {SyntaxError} If an archive is damaged, or a sample's JSON is; the message names them.
 * @throws {Deno.errors.NotFound} If a shard is not there.
 * @throws {RangeError} If no sample has both image and text.
 * @throws {TypeError | RangeError} If an option is unknown or of another kind.
 */
export async function loadWebDataset(pattern: string, options: WebDatasetOptions = {}): Promise<Dataset> {
  checkOptions("read shards", options, WEB_DATASET_RULES);
  checkValue("read shards", "pattern", pattern, TEXT);
  const { where = {} } = options;
  const tally: Tally = { read: 0, dropped: {} };
  const cases: Case[] = [];
  for (const path of await shardPaths(pattern)) {
    using file = await Deno.open(path);
    for (const sample of samplesOf(await listTar(path))) {
      tally.read++;
      const item = await caseOf(sample, { path, file }, tally, options);
      if (item) cases.push(item);
    }
  }
  if (cases.length === 0) {
    const reasons = Object.entries(tally.dropped).map(([reason, count]) => `${count} ${reason}`).join(", ");
    throw new RangeError(
      `Cannot use "${pattern}" as a data set as a sample must be left: ${tally.read} read, ${reasons || "none"}`,
    );
  }
  const split = Object.values(where).join(",") || "all";
  return await makeDataset({ name: "pairs", classes: [], task: "pairs", cases: uniqueIds(cases), tally, split });
}

/** An archive that is read. */
interface OpenArchive {
  path: string;
  file: Deno.FsFile;
}

/** A sample as a case; undefined if it is dropped, which `tally` counts. */
async function caseOf(
  [key, parts]: Sample,
  archive: OpenArchive,
  tally: Tally,
  options: WebDatasetOptions,
): Promise<Case | undefined> {
  const { path } = archive;
  const json = parts.get("json");
  const fields = json ? parseFields(await textAt(archive, json), `${path}:${json.name}`) : {};
  const image = IMAGES.map((extension) => parts.get(extension)).find((member) => member !== undefined);
  const txt = parts.get("txt");
  const text = options.text !== undefined
    ? fieldText(fields, options.text)
    : txt
    ? await textAt(archive, txt)
    : fieldText(fields, "caption") || fieldText(fields, "text");
  if (!image) return void drop(tally, "no image");
  if (!text.trim()) return void drop(tally, "no text");
  if (Object.entries(options.where ?? {}).some(([name, value]) => fieldText(fields, name) !== value)) {
    return void drop(tally, "other split");
  }
  const patientId = options.patient === undefined ? undefined : fieldText(fields, options.patient);
  if (patientId === "") {
    throw new SyntaxError(
      `Cannot read "${path}" as each sample's JSON must have a field "${options.patient}": that of "${key}" has none`,
    );
  }
  return { id: key, text: text.trim(), ...imagePart({ archive: path, ...image }), ...defined({ patientId }) };
}

async function textAt({ path, file }: OpenArchive, { name, offset, size }: TarMember): Promise<string> {
  if (size > MOST_TEXT) {
    throw new SyntaxError(
      `Cannot read "${path}" as the text "${name}" must have at most ${MOST_TEXT} bytes: it has ${size}`,
    );
  }
  return new TextDecoder().decode(await tarBytes(file, offset, size));
}

/** Parts of one name, by their extensions. */
type Sample = [key: string, parts: Map<string, TarMember>];

/** The samples of an archive: files that follow each other and have one name up to the first dot. */
function samplesOf(members: readonly TarMember[]): Sample[] {
  const samples: Sample[] = [];
  for (const member of members) {
    const [, key, extension] = /^((?:.*\/)?[^./]+)\.([^/]*)$/.exec(member.name) ?? [];
    if (key === undefined || extension === undefined || /(^|\/)__[^/]*__($|\/)/.test(member.name)) continue;
    if (samples.at(-1)?.[0] !== key) samples.push([key, new Map()]);
    samples.at(-1)![1].set(extension.toLowerCase(), member);
  }
  return samples;
}

function parseFields(text: string, name: string): Record<string, unknown> {
  const value = parseJson(text, name);
  if (isRecord(value)) return value;
  throw new SyntaxError(`Cannot read "${name}" as a sample's fields as it must be a JSON object: it is none`);
}

function fieldText(fields: Record<string, unknown>, name: string): string {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return value === undefined || value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
}

function imagePart(part: ImagePart): Required<Pick<Case, "image" | "part">> {
  return { part, image: async () => await decodeImage(await readLocation(part), locationName(part)) };
}
