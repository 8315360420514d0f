/**
 * `deno task pack DIR`: what would be published, as a folder that another project can use without JSR.
 *
 * In that project's deno.json: `"imports": { "@ace-lora/ace-lora": "jsr:@ace-lora/ace-lora@^0.1.0" }` and `"links"` to DIR and
 * to DIR/links/std/{assert,path,csv}.
 *
 * @module
 */
import { dirname, fromFileUrl, join, resolve } from "@std/path";
import { UsageError } from "../../lib/cli/command.ts";
import { runStandalone } from "../../lib/cli/standalone.ts";
import { lockFile } from "../../lib/io/lock.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

interface Configuration {
  publish: { include: string[]; exclude: string[] };
  links?: string[];
  tasks?: unknown;
  allowScripts?: unknown;
}

/** Copies a file, or a folder with all in it but what is excluded. */
async function copy(path: string, target: string, excluded: readonly string[]): Promise<number> {
  if (excluded.includes(path)) return 0;
  const from = join(ROOT, path);
  if ((await Deno.stat(from)).isFile) {
    await Deno.mkdir(dirname(join(target, path)), { recursive: true });
    await Deno.copyFile(from, join(target, path));
    return 1;
  }
  let count = 0;
  for await (const { name } of Deno.readDir(from)) count += await copy(`${path}/${name}`, target, excluded);
  return count;
}

/**
 * Writes the package to a folder.
 *
 * @param target A folder that is empty, or not there.
 * @returns The number of files.
 * @throws {Error} If something is there already, or is being written there.
 */
export async function pack(target: string): Promise<number> {
  await Deno.mkdir(dirname(target), { recursive: true });
  const lock = await lockFile(`${target}.lock`); // two at once would both find it empty
  try {
    return await fill(target);
  } finally {
    await lock.release();
  }
}

async function fill(target: string): Promise<number> {
  const there = await Array.fromAsync(Deno.readDir(target)).catch(() => []);
  if (there.length > 0) throw new Error(`Cannot write the package to "${target}" as it must be empty: it is not`);
  const { links: _links, tasks: _tasks, allowScripts: _allowScripts, ...configuration } = JSON.parse(
    await Deno.readTextFile(join(ROOT, "deno.json")),
  ) as Configuration;
  let count = 0;
  const { include, exclude } = configuration.publish;
  for (const path of include) count += await copy(path, target, [...exclude, "deno.json"]);
  // Links, tasks and allowed scripts are the root project's: Deno warns of those in a linked package.
  await Deno.writeTextFile(join(target, "deno.json"), `${JSON.stringify(configuration, null, 2)}\n`);
  return count + 1;
}

if (import.meta.main) {
  await runStandalone({
    name: "pack",
    summary: "Copy what would be published to a folder, for a project without JSR",
    positionals: "DIR",
    options: {},
    example: "deno task pack vendor/ace-lora",
    async run({ positionals: [target, ...more] }) {
      if (target === undefined || more.length > 0) throw new UsageError("name one folder to write, empty or not there");
      console.log(`${await pack(resolve(Deno.env.get("INIT_CWD") ?? "", target))} files in ${target}`);
    },
  });
}
