/** cache, end to end: shards, going on, unreadable and missing images, a place that cannot be written, and training from it. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { inFolder } from "../folder.ts";
import { writePairs, writeRadiographs } from "./fixtures.ts";
import { command, fail, MINI_FILES, run, succeed } from "./run.ts";

const permissions = (folder: string) => ({
  read: [...MINI_FILES, folder],
  write: [join(folder, "cache"), join(folder, "out")],
});

/** Rows of all shards below a cache. */
async function rowsIn(cache: string): Promise<number> {
  let rows = 0;
  for await (const { name } of Deno.readDir(cache)) {
    for await (const file of Deno.readDir(join(cache, name))) {
      if (!file.name.endsWith(".json")) continue;
      rows += JSON.parse(await Deno.readTextFile(join(cache, name, file.name))).rows;
    }
  }
  return rows;
}

Deno.test("cache fills its shares, decodes nothing twice, and train finds all it needs there", async () => {
  await inFolder(async (folder) => {
    await Deno.mkdir(join(folder, "out"));
    const pairs = await writePairs(join(folder, "pairs"), 5);
    const cache = join(folder, "cache");
    const args = ["cache", "--pairs", pairs, "--cache", cache];
    assertEquals(await succeed([...args, "--shard", "1/2"], permissions(folder)), "2 decoded, 0 were there\n");
    assertEquals(await succeed([...args, "--shard", "0/2"], permissions(folder)), "3 decoded, 0 were there\n");
    assertEquals(await succeed(args, permissions(folder)), "0 decoded, 5 were there\n");
    assertEquals(await rowsIn(cache), 5);
    // The images themselves are not needed any more: what train would decode is empty, of the same size and time.
    for (let i = 0; i < 5; i++) {
      const path = join(folder, "pairs", `${i}.png`);
      const { size, mtime } = await Deno.stat(path);
      const bytes = await Deno.readFile(path);
      bytes.fill(0, 60, size - 60);
      await Deno.writeFile(path, bytes);
      await Deno.utime(path, mtime!, mtime!);
    }
    const train = ["train", "--pairs", pairs, "--out", join(folder, "out"), "--epochs", "1", "--batch-size", "2"];
    await fail(train, [".png", "wrong CRC"], permissions(folder));
    await succeed([...train, "--cache", cache], permissions(folder));
  });
});

Deno.test("cache names an image that cannot be read, or lists such images and keeps the others", async () => {
  await inFolder(async (folder) => {
    const cache = join(folder, "cache");
    await writeRadiographs(join(folder, "films"), 4);
    await Deno.writeTextFile(join(folder, "films", "2.png"), "no image");
    const args = ["cache", "--images", join(folder, "films"), "--cache", cache];
    await fail(args, ["2.png"], permissions(folder));
    const { code, stdout, stderr } = await run([...args, "--unreadable", "drop"], permissions(folder));
    assertEquals(code, 0, stderr);
    assert(/^\d decoded, \d were there, 1 cannot be read\n$/.test(stdout), stdout);
    assert(stderr.includes("unreadable: ") && stderr.includes("2.png"), stderr);
    assertEquals(await rowsIn(cache), 3);
  });
});

Deno.test("cache says in one line what is missing, or that it cannot write", async () => {
  await inFolder(async (folder) => {
    await writeRadiographs(join(folder, "films"), 1);
    const films = ["--images", join(folder, "films")];
    await fail(["cache", ...films], ["--cache"], permissions(folder));
    await fail(["cache", "--cache", join(folder, "cache")], ["--pairs, --images and --dataset"], permissions(folder));
    await Deno.writeTextFile(join(folder, "cache"), "a file");
    await fail(
      ["cache", ...films, "--cache", join(folder, "cache")],
      ["Cannot keep images in", "cache"],
      permissions(folder),
    );
  });
});

for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test({
    name: `cache stopped by ${signal} keeps what is decoded, ends with ${status}, and goes on`,
    ignore: Deno.build.os === "windows",
    fn: async () => {
      await inFolder(async (folder) => {
        const [first] = await writeRadiographs(join(folder, "films"), 1);
        for (let i = 1; i < 400; i++) {
          const bytes = await Deno.readFile(first!);
          await Deno.writeFile(join(folder, "films", `${i}.png`), bytes); // one content: a square is kept once
        }
        const args = ["cache", "--images", join(folder, "films"), "--cache", join(folder, "cache")];
        const child = command(args, permissions(folder)).spawn();
        let stderr = "";
        for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
          if (stderr === "") child.kill(signal); // the bar's first line
          stderr += text;
        }
        assertEquals((await child.status).code, status, stderr);
        assert(stderr.includes("interrupted: what is decoded is kept"), stderr);
        const count = Number(/^(\d+) decoded/.exec(await new Response(child.stdout).text())![1]);
        assert(count < 400, String(count));
        const rest = await succeed(args, permissions(folder));
        assertEquals(/(\d+) decoded, (\d+) were/.exec(rest)!.slice(1).map(Number).reduce((a, b) => a + b), 400);
      });
    },
  });
}

const hasTmpfs = Deno.build.os === "linux" && await new Deno.Command("unshare", {
  args: ["-m", "mount", "-t", "tmpfs", "-o", "size=64k", "none", "/mnt"],
  stdout: "null",
  stderr: "null",
}).output().then(({ success }) => success, () => false);

Deno.test({
  name: `cache on a full disk ends with one line and leaves no half file${
    hasTmpfs ? "" : ` (skipped: no tmpfs of its own)`
  }`,
  ignore: !hasTmpfs,
  fn: async () => {
    await inFolder(async (folder) => {
      await writeRadiographs(join(folder, "films"), 20); // 4 KiB each at 64 pixels
      const line =
        `mount -t tmpfs -o size=64k none ${folder}/cache && "$@"; code=$?; find ${folder}/cache -type f; exit $code`;
      await Deno.mkdir(join(folder, "cache"));
      const { code, stdout, stderr } = await new Deno.Command("unshare", {
        args: [
          ...["-m", "sh", "-c", line, "sh", Deno.execPath(), "run", "--allow-read", "--allow-write", "--no-prompt"],
          ...[join(import.meta.dirname!, "../../cli.ts"), "cache", "--images", join(folder, "films")],
          ...["--cache", join(folder, "cache")],
        ],
        env: { NO_COLOR: "1" },
      }).output();
      const text = new TextDecoder().decode(stderr);
      assertEquals(code, 1, text);
      const errors = text.split("\n").filter((one) => one.startsWith("error:"));
      assertEquals(errors.length, 1, text);
      assert(/Cannot write ".*\.npy": No space left on device/.test(errors[0]!), errors[0]);
      assertEquals(new TextDecoder().decode(stdout), "");
    });
  },
});
