/** --decode-workers and --cache: what the commands write is the same to the byte with and without them. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { inFolder } from "../folder.ts";
import { writeClasses, writePairs, writeRadiographs } from "./fixtures.ts";
import { fail, MINI_FILES, run, succeed } from "./run.ts";

const ALL = "/";

const permissions = (folder: string, more: readonly string[] = []) => ({
  read: [...MINI_FILES, folder, ...more],
  write: [join(folder, "out"), join(folder, "cache")],
});

/** By name: what else a command is given, and whether it may start workers unasked. */
const WAYS: Record<string, (folder: string) => { options: string[]; read: string[] }> = {
  "no workers": () => ({ options: [], read: [] }), // they are started unasked only where every file may be read
  "workers unasked": () => ({ options: [], read: [ALL] }),
  "two workers, an empty cache": (folder) => ({
    options: ["--decode-workers", "2", "--cache", join(folder, "cache")],
    read: [ALL],
  }),
  "no workers, a full cache": (folder) => ({
    options: ["--decode-workers", "0", "--cache", join(folder, "cache")],
    read: [],
  }),
};

async function sameByEveryWay(
  body: (folder: string, out: string, options: string[], read: string[]) => Promise<unknown>,
  prepare: (folder: string) => Promise<unknown>,
): Promise<void> {
  await inFolder(async (folder) => {
    await prepare(folder);
    const actual = new Map<string, unknown>();
    for (const [name, way] of Object.entries(WAYS)) {
      const { options, read } = way(folder);
      const out = join(folder, "out", String(actual.size));
      await Deno.mkdir(out, { recursive: true });
      await Deno.mkdir(join(folder, "cache"), { recursive: true });
      actual.set(name, await body(folder, out, options, read));
    }
    const [[, first], ...others] = [...actual] as [[string, unknown], ...[string, unknown][]];
    for (const [name, result] of others) assertEquals(result, first, name);
    const squares = [...Deno.readDirSync(join(folder, "cache"))];
    assertEquals(squares.length, 1);
    for (const { name } of Deno.readDirSync(join(folder, "cache", squares[0]!.name))) {
      const { mode } = await Deno.stat(join(folder, "cache", squares[0]!.name, name));
      if (Deno.build.os !== "windows") assertEquals(mode! & 0o777, 0o600, name); // they hold patients' images
    }
  });
}

Deno.test("train writes the same adapter and history in micro-batches, with workers and a cache or without", async () => {
  await sameByEveryWay(async (folder, out, options, read) => {
    const args = [
      "train",
      "--pairs",
      join(folder, "pairs/pairs.csv"),
      "--out",
      out,
      "--epochs",
      "2",
      "--batch-size",
      "4",
    ];
    await succeed([...args, "--micro-batch", "2", ...options], permissions(folder, read));
    const { history } = JSON.parse(await Deno.readTextFile(join(out, "training.json")));
    return [history, await Deno.readFile(join(out, "adapter.safetensors"))];
  }, (folder) => writePairs(join(folder, "pairs"), 6));
});

Deno.test("evaluate and encode write the same figures and features with workers and a cache or without", async () => {
  const prepare = (folder: string) => writeClasses(join(folder, "set"), ["normal", "pneumonia"], 3);
  await sameByEveryWay(async (folder, out, options, read) => {
    const args = ["--images", join(folder, "set"), ...options, "--batch-size", "2"];
    await succeed(["evaluate", ...args, "--out", out], permissions(folder, read));
    await succeed(["encode", ...args, "--out", join(out, "f.safetensors")], permissions(folder, read));
    const { sets } = JSON.parse(await Deno.readTextFile(join(out, "metrics.json")));
    return [sets, await Deno.readFile(join(out, "f.safetensors"))];
  }, prepare);
});

Deno.test("classify --explain and explain write the same pages with workers or without, and name an image they cannot read", async () => {
  await inFolder(async (folder) => {
    const films = await writeRadiographs(join(folder, "films"), 4);
    const [images, boxes] = [join(folder, "films/images.csv"), join(folder, "boxes.csv")];
    await Deno.writeTextFile(images, `path\n${[0, 1, 2, 3].map((i) => `${i}.png`).join("\n")}\n`);
    const rows = [0, 2, 3].map((i) => `${i}.png,${i % 2 ? "Mass" : "Nodule"},5,5,30,40`);
    await Deno.writeTextFile(boxes, `path,label,x,y,w,h\n${rows.join("\n")}\n`);
    const pages: Record<string, unknown[]> = {};
    for (const [workers, read] of [["0", []], ["2", [ALL]]] as const) {
      const out = join(folder, "out", workers);
      const more = ["--decode-workers", workers];
      const page = join(out, "page.html");
      const classify = [
        "classify",
        ...films,
        "--labels",
        "mass,normal",
        "--explain",
        page,
        "--batch-size",
        "3",
        ...more,
      ];
      const explain = ["explain", "--images", images, "--boxes", boxes, "--curves", "2", "--out", out, ...more];
      const answers = await succeed([...classify, "--json"], permissions(folder, read));
      const report = await succeed(explain, permissions(folder, read));
      pages[workers] = [answers, await Deno.readTextFile(page), report];
      if (workers === "0") continue;
      const whole = await Deno.readFile(films[3]!);
      await Deno.writeFile(films[3]!, whole.subarray(0, whole.length - 400)); // its header can be read
      for (const args of [classify, explain]) {
        await fail([...args, "--overwrite"], [films[3]!], permissions(folder, read));
      }
    }
    assertEquals(pages["2"], pages["0"]);
  });
});

Deno.test("evaluate warns once when the cache cannot be written, and names a damaged one", async () => {
  await inFolder(async (folder) => {
    await writeClasses(join(folder, "set"), ["normal", "pneumonia"], 1);
    const cache = join(folder, "cache");
    const args = ["evaluate", "--images", join(folder, "set"), "--out", join(folder, "out"), "--cache", cache];
    await succeed(args, permissions(folder));
    const [own] = [...Deno.readDirSync(cache)];
    const [index] = [...Deno.readDirSync(join(cache, own!.name))].filter(({ name }) => name.endsWith(".json"));
    const path = join(cache, own!.name, index!.name);
    const text = await Deno.readTextFile(path);
    await Deno.writeTextFile(path, text.slice(0, 20));
    args.push("--overwrite");
    await fail(args, [path, "remove it"], permissions(folder));
    await Deno.remove(path);
    const readOnly = { ...permissions(folder), write: [join(folder, "out")] };
    const { code, stderr } = await run(args, readOnly);
    assertEquals(code, 0, stderr);
    assertEquals(stderr.split("\n").filter((line) => line.startsWith("warning:")).length, 1, stderr);
    assert(stderr.includes("not kept"), stderr);
  });
});
