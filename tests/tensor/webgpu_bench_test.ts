import { assert, assertEquals } from "@std/assert";
import { gpuTest } from "./webgpu_support.ts";

gpuTest("bench/gpu/main.ts checks and times a kernel and writes its rows", async () => {
  const folder = await Deno.makeTempDir();
  const out = `${folder}/gpu.json`;
  const flags = ["--tiny", "--only", "gelu", "--seed", "1", "--out", out];
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", `--allow-read=${folder}`, `--allow-write=${folder}`, "bench/gpu/main.ts", ...flags],
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  const result = JSON.parse(await Deno.readTextFile(out));
  await Deno.remove(folder, { recursive: true });
  assertEquals(result.rows.map((row: { op: string }) => row.op), ["AceGelu", "AceGeluGrad"]);
  for (const row of result.rows) {
    assertEquals(row.dispatches, 1);
    assert(row.error <= 1e-6 && row.ms.median > 0 && row.floor.ms > 0, JSON.stringify(row));
  }
  assert(result.floors.bandwidth > 0 && result.floors.float32 > 0);
  assertEquals(result.seed, 1);
});
