/**
 * `deno task full-size`: a BiomedCLIP of real size and format with the released adapter against PyTorch, and what it costs.
 *
 *     ACE_PYTHON=python deno task full-size [--layers 12] [--vocabulary 30522] [--backend wasm] [--keep]
 */
import { join } from "@std/path";
import { type Arguments, COUNT } from "../../lib/cli/command.ts";
import { runStandalone } from "../../lib/cli/standalone.ts";
import { type BackendName, selectBackend } from "../../lib/tensor/backend.ts";
import { writeFileAtomic } from "../../lib/io/files.ts";
import { versions } from "../../lib/io/run_facts.ts";
import { compare, exists, makeFiles, makeReference } from "./compare.ts";

const TOLERANCE = 2e-4;

/** Highest resident memory of this process so far, MiB; read by another program, as Deno keeps /proc to itself. */
async function peakMemory(): Promise<number> {
  const { stdout } = await new Deno.Command("grep", { args: ["VmHWM", `/proc/${Deno.pid}/status`] }).output();
  return Number(/\d+/.exec(new TextDecoder().decode(stdout))?.[0]) / 1024;
}

async function main(args: Arguments): Promise<number> {
  const name = args.text("backend") === undefined
    ? undefined
    : args.choice<BackendName>("backend", ["webgpu", "wasm", "cpu"], "wasm");
  const python = Deno.env.get("ACE_PYTHON") ?? "python3";
  const OUT = "results/full_size";
  const folder = join(OUT, "files");
  const settings = {
    folder,
    layers: args.number("layers", 12),
    vocabulary: args.number("vocabulary", 30522),
    python,
  };
  await Deno.mkdir(folder, { recursive: true });
  console.error("writing the checkpoint");
  const parameters = await makeFiles(settings);
  console.error("computing the reference in PyTorch, float64");
  const reference = await makeReference(settings);
  const before = { rss: Deno.memoryUsage().rss / 2 ** 20, peak: await peakMemory() };
  const backend = await selectBackend(name ? { backend: name } : {});
  console.error(`computing the same here: ${backend.name} (${backend.adapter})`);
  const comparison = await compare(folder);
  const { heapUsed, external, rss } = Deno.memoryUsage();
  const largest = Math.max(...Object.values(comparison.differences));
  const figures = {
    parameters,
    layers: settings.layers,
    backend: backend.name,
    adapter: backend.adapter,
    releasedAdapter: await exists(join(Deno.env.get("ACE_REAL_DATA") ?? "../shared/data", "ace_lora/ACE_LoRA.pt")),
    largest,
    tolerance: TOLERANCE,
    ...comparison,
    checkpointBytes: (await Deno.stat(join(folder, "open_clip_pytorch_model.bin"))).size,
    memoryMiB: {
      before,
      peak: await peakMemory(),
      rss: rss / 2 ** 20,
      heapUsed: heapUsed / 2 ** 20,
      external: external / 2 ** 20,
    },
    reference,
    versions: versions(),
  };
  const json = JSON.stringify(figures, null, 2);
  await writeFileAtomic(join(OUT, "figures.json"), `${json}\n`);
  console.log(json);
  if (!args.flag("keep")) await Deno.remove(folder, { recursive: true });
  return largest <= TOLERANCE && comparison.sameMembers ? 0 : 1;
}

await runStandalone({
  name: "full-size",
  summary:
    "Check a seeded random BiomedCLIP with the released adapter against PyTorch (ACE_PYTHON names a Python with torch)",
  options: {
    layers: { value: "N", number: COUNT, help: "Layers of each tower (default: 12)" },
    vocabulary: { value: "N", number: COUNT, help: "Word embeddings (default: 30522)" },
    backend: { value: "NAME", help: "webgpu, wasm or cpu (default: the fastest there is)" },
    keep: { help: "Leave the files, some 800 MB" },
  },
  example: "ACE_PYTHON=python3 deno task full-size",
  run: main,
});
