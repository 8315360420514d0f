/**
 * Every code block of the README and of docs/ is run as it is printed, on drawn files of the names it uses: shell blocks by
 * bash, TypeScript blocks type-checked and under no network. A comment before a block excuses it:
 * `<!-- needs: JSR -->` (a hub, a cluster), or `<!-- run by: FILE -->` for one that another test or CI runs.
 */
import { assert, assertEquals } from "@std/assert";
import { dirname, fromFileUrl, join } from "@std/path";
import { writeWorld } from "./world.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));
const CONFIG = join(ROOT, "deno.json");
const NEEDS = ["JSR", "a hub", "a cluster", "your data", "open_clip", "PyPI"];
const RUN = ["sh", "ts"];
/** Run by tests of their own, which are named, or need what `NEEDS` says. */
const EXCUSED = ["dockerfile", "html", "json", "yaml", "python"];
/** No code. */
const TEXT = ["text", ""];
/** Followed word by word by tests/docs/pages_test.ts and tests/peft/add_a_method_test.ts. */
const isFollowed = (page: string): boolean => page.startsWith("docs/add_a_");

interface Block {
  page: string;
  line: number;
  language: string;
  code: string;
  excuse: { kind: string; value: string } | undefined;
}

async function blocksOf(page: string): Promise<Block[]> {
  const text = await Deno.readTextFile(join(ROOT, page));
  const pattern = /(?:<!-- (needs|run by): ([^>]+?) -->\n+)?^```(\w*)\n([\s\S]*?)^```$/gm;
  return [...text.matchAll(pattern)].map(({ index, 1: kind, 2: value, 3: language, 4: code }) => ({
    ...{ page, language: language!, code: code! },
    line: text.slice(0, index).split("\n").length,
    excuse: kind === undefined ? undefined : { kind, value: value! },
  }));
}

const pages = [
  "README.md",
  "CONTRIBUTING.md",
  ...[...Deno.readDirSync(join(ROOT, "docs"))].map(({ name }) => `docs/${name}`).filter((name) => name.endsWith(".md"))
    .sort(),
];
const blocks = (await Promise.all(pages.map(blocksOf))).flat();

async function run(command: string, args: string[], folder: string): Promise<void> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    cwd: folder,
    stdin: "null",
    env: {
      ...{ PATH: `${join(folder, "bin")}:${Deno.env.get("PATH")}`, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
      ...{ ACE_BACKEND: "wasm", ACE_THREADS: "1", INIT_CWD: folder },
    },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stdout).slice(-2000) + new TextDecoder().decode(stderr).slice(-4000));
}

/** `deno` as it would be in a clone: its tasks are the package's, paths start where one stands. */
async function writeDeno(folder: string): Promise<void> {
  const [deno, file] = [Deno.execPath(), join(folder, "bin/deno")];
  await Deno.mkdir(dirname(file));
  const task = `if [ "$1" = task ]; then shift; exec "${deno}" task --quiet --config "${CONFIG}" "$@"; fi`;
  await Deno.writeTextFile(file, `#!/bin/sh\n${task}\nexec "${deno}" "$@"\n`, { mode: 0o755 });
}

Deno.test("every code block is of a language that is run, or is excused in a known way", async () => {
  for (const { page, line, language, excuse } of blocks) {
    assert(
      [...RUN, ...TEXT].includes(language) || isFollowed(page) || (EXCUSED.includes(language) && excuse !== undefined),
      `${page}:${line} is of language "${language}" and neither run nor excused`,
    );
    if (excuse?.kind === "needs") assert(NEEDS.includes(excuse.value), `${page}:${line} needs "${excuse.value}"`);
    if (excuse?.kind === "run by") assert((await Deno.stat(join(ROOT, excuse.value))).isFile, `${page}:${line}`);
  }
  for (const page of pages) {
    const text = await Deno.readTextFile(join(ROOT, page));
    const own = blocks.filter((block) => block.page === page);
    assertEquals(text.match(/^[ \t]*(```|~~~)/gm)?.length ?? 0, 2 * own.length, `${page} has a block that is indented`);
    const excused = own.filter(({ excuse }) => excuse?.kind === "needs");
    assert(excused.length <= 3, `${page} has ${excused.length} blocks that no test runs`);
  }
});

for (const page of pages.filter((name) => !isFollowed(name))) {
  const own = blocks.filter((block) => block.page === page && RUN.includes(block.language) && !block.excuse);
  if (own.length === 0) continue;
  Deno.test({
    name: `${page}: its ${own.length} code blocks run as they are printed${
      Deno.build.os === "windows" ? " [skipped: bash]" : ""
    }`,
    ignore: Deno.build.os === "windows",
    fn: async (t) => {
      const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "ace-docs-" }));
      try {
        await writeWorld(folder);
        await writeDeno(folder);
        for (const { line, language, code } of own) {
          await t.step(`line ${line}`, async () => {
            if (language === "sh") return await run("bash", ["-euc", code], folder);
            await Deno.writeTextFile(join(folder, "block.ts"), code);
            const permissions = ["--allow-read", "--allow-env", `--allow-write=${folder}`, "--deny-net", "--no-prompt"];
            await run(
              Deno.execPath(),
              ["run", "--check", "--no-lock", "--config", CONFIG, ...permissions, "block.ts"],
              folder,
            );
          });
        }
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
