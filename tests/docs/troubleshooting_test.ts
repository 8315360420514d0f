/** docs/troubleshooting.md quotes messages as the library words them. */
import { assert } from "@std/assert";
import { fromFileUrl, join } from "@std/path";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
/** Messages that Deno says, not this package. */
const DENOS = [
  "Task not found:",
  "deno task couldn't find",
  "NotCapable: Requires",
  "JSR package manifest",
  "Failed caching npm package",
  "invalid peer certificate",
  'Import "@ace-lora/ace-lora" not a dependency',
];

/** The source of a folder as one text: pieces of a message that are joined by `+` stand together, and so do its lines. */
async function sourceOf(folder: string): Promise<string> {
  let text = "";
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = join(folder, name);
    if (isDirectory) text += await sourceOf(path);
    else if (name.endsWith(".ts")) text += `${await Deno.readTextFile(path)}\n`;
  }
  return text.replaceAll(/["'`]\s*\+\s*["'`]/g, "").replaceAll("\\`", "`").replaceAll(/\s+/g, " ");
}

/** What stands in the first column of the tables between backticks, with what varies taken out. */
function quoted(page: string): { message: string; parts: string[] }[] {
  return page.split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("| message")).flatMap((line) =>
    [...line.split(/(?<!\\)\|/)[1]!.matchAll(/`([^`]+)`/g)].map(([, message]) => ({
      message: message!,
      parts: message!.split("...").map((part) => part.replaceAll(/^[\s\]["]+|[\s[\]"]+$/g, "")).filter((part) =>
        part.length > 3
      ),
    }))
  );
}

Deno.test("docs/troubleshooting.md quotes only messages that the library or Deno says", async () => {
  const source = await sourceOf(join(ROOT, "lib"));
  const messages = quoted(await Deno.readTextFile(join(ROOT, "docs/troubleshooting.md")));
  assert(messages.length >= 20, `${messages.length} messages`);
  const unsaid = messages.filter(({ message, parts }) =>
    !DENOS.some((start) => message.startsWith(start)) && !parts.every((part) => source.includes(part))
  );
  assert(unsaid.length === 0, unsaid.map(({ message }) => message).join("\n"));
});

/** Messages as they were printed to a new user, on real files. */
const PRINTED = [
  'Cannot read "broken.jpg" as an image: it must be a JPEG, PNG, TIFF, WebP or DICOM (save it as PNG), found text',
  'Cannot read "cut.jpg" as JPEG: the file ends at byte 3000 inside a scan\'s data',
  'a list with blanks must stand in quotes: type --labels "pneumonia, no finding"',
  'Cannot read "nowhere" as it must be a file or a folder: there is none; name one that is there: "study" holds film.dcm',
  '"ACE_LoRA.pt" is an adapter, not a model: give it with --adapter, and the model it was made for with --weights',
  'Cannot apply "ACE_LoRA.pt" as its position "all" names 8 layers of towers of 4 (text) and 4 (image), the model\'s: it ' +
  "has LoRA in 24; the model here is the shipped mini model: --model names the folder of the one the adapter was made for",
  '"results/train" holds a finished run: --out names another folder, --overwrite gives that run up',
  'Cannot read "pairs.csv" as it must have a column "nothing": its columns are "path", "note", "patientid"',
  'Cannot read "films" as it must hold stage_2_train_labels.csv (or the same with .gz): it has none',
  'Cannot use "notebooks" as a data set as it must hold a folder for each class, such as "notebooks/pneumonia/film.png"',
  "Task not found: trian\nAvailable tasks:",
  'Import "@ace-lora/ace-lora" not a dependency',
];

Deno.test("docs/troubleshooting.md is found by what a new user's mistakes print", async () => {
  const messages = quoted(await Deno.readTextFile(join(ROOT, "docs/troubleshooting.md")));
  const unfound = PRINTED.filter((printed) =>
    !messages.some(({ parts }) => parts.length > 0 && parts.every((part) => printed.includes(part)))
  );
  assert(unfound.length === 0, unfound.join("\n"));
});
