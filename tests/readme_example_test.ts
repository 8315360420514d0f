/** The README's code example runs as printed. */
import { assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { syntheticChest } from "../lib/data/synthetic/chest.ts";
import { encodePng } from "../lib/image/png.ts";

const ROOT = fromFileUrl(new URL("../", import.meta.url));

Deno.test("the README's example answers about film.dcm, trains on pairs.csv and writes adapter.safetensors, without a network", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const example = /```ts\n([\s\S]*?)```/.exec(await Deno.readTextFile(join(ROOT, "README.md")))![1]!;
    const rows = await Promise.all([1, 2, 3, 4].map(async (seed) => {
      const { image, report } = syntheticChest(seed);
      await Deno.writeFile(join(folder, `${seed}.png`), encodePng(image));
      return `${seed}.png,"${report.replaceAll('"', '""')}"`;
    }));
    await Deno.writeTextFile(join(folder, "pairs.csv"), ["path,text", ...rows].join("\n") + "\n");
    await Deno.copyFile(join(ROOT, "tests/image/dicom_fixtures/mono1_12_window.dcm"), join(folder, "film.dcm"));
    await Deno.writeTextFile(join(folder, "example.ts"), example);
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--check", "--no-prompt", "--config", join(ROOT, "deno.json"), "--no-lock", "--allow-read"]
        .concat([`--allow-write=${folder}`, "--deny-net", "example.ts"]),
      cwd: folder,
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    assertEquals((await Deno.stat(join(folder, "adapter.safetensors"))).isFile, true);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
