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

gpuTest(
  "bench/gpu/main.ts times a training step, takes PyTorch's rows in and says whether the aim is met",
  async () => {
    const folder = await Deno.makeTempDir();
    const [out, peer, summary] = [`${folder}/gpu.json`, `${folder}/torch.json`, `${folder}/summary.json`];
    const op = "training step", shape = "tiny, 2 pairs, 1 at a time";
    const ms = { median: 1e6, min: 9e5, max: 2e6 }; // slower than anything
    const rows = [{ op, shape, implementation: "pytorch-float32", ms, floor: { ms: 0, ratio: 0 }, error: null }];
    await Deno.writeTextFile(peer, JSON.stringify({ rows }));
    await Deno.writeTextFile(summary, JSON.stringify({ adapter: "a CPU", aims: [{ name: "another" }] }));
    const flags = ["--tiny", "--only", op, "--merge", peer, "--summary", summary, "--out", out];
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", `--allow-read=${folder}`, `--allow-write=${folder}`, "bench/gpu/main.ts", ...flags],
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    const result = JSON.parse(await Deno.readTextFile(out));
    const merged = JSON.parse(await Deno.readTextFile(summary));
    await Deno.remove(folder, { recursive: true });
    assertEquals(result.rows.length, 2);
    assertEquals([result.rows[0].shape, result.rows[0].error, result.rows[0].gpuMs], [shape, null, null]);
    assert(result.rows[0].ms.median > 0 && result.rows[0].dispatches > 100);
    assertEquals(merged.adapter, "a CPU");
    assertEquals(merged.aims.map((aim: { name: string }) => aim.name), ["another", result.aims[0].name]);
    const [aim] = result.aims;
    assert(aim.met && aim.low <= aim.measured && aim.measured <= aim.high && aim.measured < 1, JSON.stringify(aim));
  },
);
