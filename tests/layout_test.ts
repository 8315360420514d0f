/** What the tree promises a reader: no file is longer than can be read at once. */
import { assertEquals } from "@std/assert";
import { fromFileUrl, relative } from "@std/path";

const ROOT = fromFileUrl(new URL("..", import.meta.url));
/** Most lines of a file. */
const MOST = 300;

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* sources(path);
    else if (/\.(ts|c)$/.test(name)) yield path;
  }
}

Deno.test(`no file of lib has more than ${MOST} lines`, async () => {
  const long: string[] = [];
  for await (const path of sources(`${ROOT}lib`)) {
    const lines = (await Deno.readTextFile(path)).trimEnd().split("\n").length;
    if (lines > MOST) long.push(`${relative(ROOT, path)}: ${lines}`);
  }
  assertEquals(long, []);
});
