/** What to type after a mistake: the library's errors say what is wrong, and here is the option that mends it. @module */
import { basename, join } from "@std/path";
import { AdapterSizeError } from "../adapters/size_error.ts";
import { NotAnAdapterError } from "../adapters/files.ts";
import { UnreadPeftError } from "../adapters/peft.ts";
import { UnknownLayoutError } from "../clip/checkpoint/find_layout.ts";
import { MissingWeightsError } from "../clip/find_model_files.ts";
import { MissingTokenizerError } from "../clip/load.ts";
import { BoxPlaceError } from "../data/boxes.ts";
import { ColumnError } from "../data/csv.ts";
import { ClassError, MissingFileError, MissingImageError } from "../data/dataset.ts";
import { JointClassError } from "../data/classes.ts";
import { isTablePath, NoRowError } from "../data/pairs.ts";
import { SeenCasesError } from "../data/seen.ts";
import { NotGivenError } from "../dense/data.ts";
import { OtherEncoderError } from "../dense/files.ts";
import { UnlabelledCasesError } from "../dense/segment/data.ts";
import { ClassCountError } from "../eval/assess.ts";
import { HeadClassError } from "../eval/head.ts";
import { ForeignFileError } from "../eval/encode/features_file.ts";
import { ImageError } from "../image/read.ts";
import { FieldError } from "../io/fields.ts";
import { TreeError } from "../io/tree.ts";
import { MemoryLimitError } from "../tensor/memory.ts";
import { NothingToLearnError } from "../train/learnable.ts";
import { StateDifferenceError } from "../train/state.ts";
import { PaperFilesError } from "../reproduction/context.ts";
import { NoResultsError } from "../reproduction/report.ts";
import { listed, nearest } from "../platform/nearest.ts";
import { type Arguments, quotedWord as shellWord } from "./command.ts";
import { namesIn, pathAdvice } from "./paths.ts";

/** Columns that an option names when it is not given. */
const DEFAULT_COLUMNS: Readonly<Record<string, string>> = {
  "text-column": "text",
  "image-column": "path",
  "class-column": "class",
};
/** What such a column is called elsewhere. */
const USUAL_COLUMNS: Readonly<Record<string, readonly string[]>> = {
  "text-column": ["note", "report", "caption", "title", "findings", "impression", "sentence", "notes"],
  "image-column": ["image", "filepath", "file", "filename", "image_path", "img", "images"],
  "class-column": ["label", "finding", "diagnosis", "target", "category", "labels"],
};
/** What else to try when pairs teach nothing. */
const LEARNING_ADVICE: Readonly<Record<NothingToLearnError["reason"], string>> = {
  pairs: "give more rows",
  batch: "give a larger --batch-size",
  texts: "--text-column names the column of the texts",
  labels: "--loss info-nce needs no labels",
  targets: "--class-column names the column of the labels, --separator what stands between them",
};
/** What names an input that is not given. */
const INPUT_OPTIONS: Readonly<Record<NotGivenError["input"], string>> = {
  root: "--root names it",
  boxes: "--boxes names it",
  masks: "--mask-column or --masks names it",
};

/** The option that names the columns of the boxes' numbers. */
const BOX_COLUMNS_ADVICE = "--boxes-columns names the four of left, top, width and height";

/** What to type after an error of one kind; undefined leaves the error to the rules below. */
type Rule = (error: unknown, args: Arguments) => string | undefined | Promise<string | undefined>;

function after<E>(
  kind: abstract new (...given: never[]) => E,
  tell: (error: E, args: Arguments) => string | undefined | Promise<string | undefined>,
): Rule {
  return (error, args) => error instanceof kind ? tell(error, args) : undefined;
}

/** The first that says something is the one that is told. */
const RULES: readonly Rule[] = [
  after(ColumnError, columnAdvice),
  after(MissingImageError, imageAdvice),
  after(ImageError, unreadableAdvice),
  after(MissingFileError, rootAdvice),
  after(
    BoxPlaceError,
    (_, args) =>
      args.knows("boxes-columns") ? `${BOX_COLUMNS_ADVICE}, in the pixels of the images that are read` : undefined,
  ),
  after(NoRowError, rowAdvice),
  after(ClassCountError, countAdvice),
  after(JointClassError, jointAdvice),
  after(
    ClassError,
    (_, args) =>
      args.knows("classes") ? `--classes lists the data's own names of the classes, with "," between them` : undefined,
  ),
  after(
    HeadClassError,
    (_, args) =>
      args.knows("names")
        ? "--classes lists those asked about, --names what the head calls them, in the same order"
        : undefined,
  ),
  after(NothingToLearnError, ({ reason }) => LEARNING_ADVICE[reason]),
  after(MemoryLimitError, (_, args) => memoryAdvice(args)),
  after(PaperFilesError, () => "--data names it"),
  after(NoResultsError, () => "deno task reproduce makes some"),
  after(ForeignFileError, () => "--force overwrites it, --out names another file"),
  after(StateDifferenceError, resumeAdvice),
  after(TreeError, damagedStateAdvice),
  after(FieldError, damagedStateAdvice),
  after(SeenCasesError, seenAdvice),
  after(
    MissingWeightsError,
    () => "--model names a folder as the hub gives it (docs/weights.md says where to get one), --weights a file",
  ),
  after(MissingTokenizerError, () => "give it with --tokenizer"),
  after(
    NotAnAdapterError,
    ({ format }) =>
      format?.startsWith("ace-lora fine-tuning ") ? undefined : "a model's own file is given with --weights",
  ),
  after(
    UnreadPeftError,
    () => "merged into its model in Python, by merge_and_unload(), it is weights, given with --weights",
  ),
  after(
    UnknownLayoutError,
    ({ path }) =>
      `give the weights of a CLIP from open_clip, transformers or OpenAI: deno task inspect ${
        shellWord(path)
      } lists what this file holds`,
  ),
  after(NotGivenError, ({ input }) => INPUT_OPTIONS[input]),
  after(OtherEncoderError, () => "give the same --weights and --adapter"),
  after(UnlabelledCasesError, () => "--skip-unlabelled leaves out those without"),
  after(AdapterSizeError, (_, args) => otherModelAdvice(args)),
];

/** What to type after an error of the library, or undefined where its message says all. */
export async function advice(error: unknown, args: Arguments): Promise<string | undefined> {
  for (const rule of RULES) {
    const text = await rule(error, args);
    if (text !== undefined) return text;
  }
  return undefined;
}

function unreadableAdvice({ path }: ImageError, args: Arguments): string | undefined {
  if (isTablePath(path)) return "a table is no image: name the images themselves, or their folder";
  if (args.positionals.join() === path || args.text("query-image") === path) return undefined; // nothing would be left
  const canDrop = args.knows("unreadable") && args.text("unreadable") !== "drop";
  return canDrop ? "--unreadable drop leaves such ones out" : undefined;
}

function countAdvice({ classes }: ClassCountError, args: Arguments): string | undefined {
  if (!args.knows("classes")) return undefined;
  return classes.length > 0
    ? `--classes ${shellWord(`${classes[0]},OTHER`)} names those that no image is of, too`
    : "--class-column names the column of the classes";
}

function jointAdvice({ separator }: JointClassError, args: Arguments): string | undefined {
  if (args.knows("separator")) {
    const word = shellWord(separator);
    return `--separator ${word} makes each of them a label of its image; --classes keeps them as they are`;
  }
  return args.knows("classes") ? "--classes lists the classes, this one among them, and keeps it as it is" : undefined;
}

/** After a state that cannot be read. */
function damagedStateAdvice(_: unknown, args: Arguments): string | undefined {
  return args.knows("resume") && args.flag("resume") ? "start anew with --overwrite or another --out" : undefined;
}

function seenAdvice(_: SeenCasesError, args: Arguments): string {
  if (args.knows("validate")) {
    return "validate on cases it was not trained on: --validate names them, or the share of patients that was held out before, " +
      "with the same --split-seed";
  }
  if (args.knows("held-out")) {
    return "evaluate cases it was not trained on: --held-out SHARE takes the patients that training left out by " +
      "--held-out SHARE, with the same --split-seed; those left out by --validate SHARE, likewise, may have chosen its weights";
  }
  return args.knows("fraction") ? "give the --split-seed it was trained with" : "give cases it was not trained on";
}

/** After an adapter of another model. */
function otherModelAdvice(args: Arguments): string {
  const isShipped = args.knows("weights") && args.text("weights") === undefined && args.text("model") === undefined;
  return isShipped
    ? "the model here is the shipped mini model: --model names the folder of the one the adapter was made for"
    : "give the weights that the adapter was made for";
}

function columnAdvice({ path, column, columns }: ColumnError, args: Arguments): string | undefined {
  const boxes = args.knows("boxes") ? args.text("boxes") : undefined;
  if (boxes !== undefined && basename(path) === basename(boxes)) return boxColumnAdvice(column, args);
  const filter = args.knows("where") ? args.all("where").find((pair) => pair.startsWith(`${column}=`)) : undefined;
  if (filter !== undefined) {
    return `type --where ${shellWord(`${nearest(column, columns) ?? "COLUMN"}${filter.slice(column.length)}`)}`;
  }
  const flag = args.namesOf(column).find((name) => name.endsWith("-column") || name === "boxes-key") ??
    Object.keys(DEFAULT_COLUMNS).find((name) =>
      args.knows(name) && args.text(name) === undefined && DEFAULT_COLUMNS[name] === column
    );
  if (flag === undefined && args.knows("by") && args.list("by")?.some((item) => item.split(":")[0] === column)) {
    return `--by names some of them, such as --by ${shellWord(nearest(column, columns) ?? columns.at(-1)!)}`;
  }
  if (flag === undefined && args.knows("scores") && args.text("scores") === path) return scoresAdvice(column);
  const usual = columns.find((name) => USUAL_COLUMNS[flag ?? ""]?.includes(name.toLowerCase()));
  const meant = nearest(column, columns) ?? usual ?? "NAME";
  return flag && `name the right one with --${flag} ${shellWord(meant)}`;
}

/** The option that names a column of a list of scores. */
function scoresAdvice(column: string): string {
  if (/^score(:|$)/.test(column)) return "--score-columns names the columns of the scores, in the order of --classes";
  return "--id-column names the column of the case, --truth-column that of its class";
}

/** The option that bounds what is held at a time. */
function memoryAdvice(args: Arguments): string | undefined {
  const option = ["micro-batch", "batch-size"].find((name) => args.knows(name));
  const value = option === undefined ? undefined : args.numberUsed(option);
  if (args.list("methods")?.includes("lora") ?? false) return "--methods without lora trains no model";
  if (option !== undefined && value !== undefined && Math.floor(value / 2) >= args.least(option)) {
    return `--${option} ${Math.floor(value / 2)} holds half as much at a time`;
  }
  return args.knows("backend") ? "--backend cpu has no such limit, and --backend webgpu another" : undefined;
}

/** The option that names a column of the CSV of boxes. */
function boxColumnAdvice(column: string, args: Arguments): string {
  if ((args.text("boxes-columns") ?? "x,y,w,h").split(",").includes(column)) {
    return BOX_COLUMNS_ADVICE;
  }
  const isLabel = column === (args.text("boxes-label") ?? "label");
  return isLabel ? "--boxes-label names the column of what a box holds" : "--boxes-image names the column of the image";
}

async function imageAdvice({ image }: MissingImageError, args: Arguments): Promise<string> {
  const near = await pathAdvice(image);
  const ways = [
    ...(args.knows("image-root") ? ["--image-root DIR says where the images' paths start"] : []),
    ...(args.knows("missing") ? ["--missing drop leaves such rows out"] : []),
  ];
  return [near, ...ways].filter((text) => text !== "").join("; ");
}

/** Where a data set's file lies, if it is in a folder next to the one that was named. */
async function rootAdvice({ root, names }: MissingFileError): Promise<string | undefined> {
  const folders = [join(root, ".."), ...(await namesIn(root)).map((name) => join(root, name))];
  for (const folder of folders) {
    const held = await namesIn(folder);
    if (names.some((name) => held.includes(name) || held.includes(`${name}.gz`))) {
      return `type --root ${shellWord(folder)}`;
    }
  }
  return "--root names the folder that holds it";
}

function resumeAdvice({ field, was }: StateDifferenceError, args: Arguments): string {
  const name = field.split(".").at(-1)!.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const isOption = args.knows(name) && ["string", "number"].includes(typeof (Array.isArray(was) ? was.join() : was));
  const same = isOption && !["weights", "tokenizer"].includes(name)
    ? `give --${name} ${shellWord(String(was))}, or `
    : "";
  return `${same}start anew with --overwrite or another --out`;
}

function rowAdvice({ filters }: NoRowError): string | undefined {
  const wrong = filters.find(({ value, values }) => !values.includes(value));
  if (!wrong) return undefined;
  const { column, value, values } = wrong;
  const meant = nearest(value, values);
  if (meant !== undefined) return `did you mean --where ${shellWord(`${column}=${meant}`)}?`;
  return `no row has ${column}=${value}: the column holds ${listed(values.map((value) => JSON.stringify(value)), 8)}`;
}
