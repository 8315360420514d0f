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
