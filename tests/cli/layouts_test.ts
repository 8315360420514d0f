/** The commands on folders of single models' layouts, as a user has them: from training to merged weights. */
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import { dirname, join } from "@std/path";
import { ACE_LORA_CONFIG } from "../../lib/adapters/config.ts";
import { writeAdapter } from "../../lib/adapters/files.ts";
import { COMMAND as CLASSIFY } from "../../lib/cli/classify.ts";
import type { Command } from "../../lib/cli/command.ts";
import { parseCommandLine } from "../../lib/cli/command_line.ts";
import { COMMAND as CONVERT } from "../../lib/cli/convert.ts";
import { COMMAND as DOCTOR } from "../../lib/cli/doctor.ts";
import { COMMAND as ENCODE } from "../../lib/cli/encode.ts";
import { COMMAND as EVALUATE } from "../../lib/cli/evaluate.ts";
import { COMMAND as EXPLAIN } from "../../lib/cli/explain.ts";
import { COMMAND as EXPORT } from "../../lib/cli/export.ts";
import { COMMAND as PROBE } from "../../lib/cli/probe.ts";
import { COMMAND as TRAIN } from "../../lib/cli/train.ts";
import { openCheckpoint } from "../../lib/clip/checkpoint/checkpoint.ts";
import { findModelFiles } from "../../lib/clip/find_model_files.ts";
import { float32Tensor } from "../../lib/io/tensors.ts";
import { caseOf, layoutFiles } from "../clip/layout_cases.ts";
import { inFolder } from "../folder.ts";
import { writeRadiographs } from "./fixtures.ts";

/** What a command prints; its errors are thrown. */
async function run(command: Command, ...line: string[]): Promise<string> {
  const lines: string[] = [];
  const { log, error } = console;
  console.log = (text: string) => void lines.push(text);
  console.error = () => {};
  try {
    const code = await command.run(
      parseCommandLine(command, [...line, ...command === CONVERT ? [] : ["--backend", "wasm"]]),
    );
    assertEquals(code ?? 0, 0, lines.join("\n"));
  } finally {
    Object.assign(console, { log, error });
  }
  return lines.join("\n");
}

/** 64 entries, as many as the fixtures' word tables have rows. */
const WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "pneumonia", "normal", "chest", "of"];
const VOCABULARY = [...WORDS, ...Array.from({ length: 64 - WORDS.length }, (_, i) => `word${i}`)].join("\n");

/** A folder with a fixture's files and a vocabulary, and tables of four radiographs. */
async function withModel(folder: string, body: (model: string, root: string) => Promise<void>): Promise<void> {
  await inFolder(async (root) => {
    const { weights } = layoutFiles(caseOf(folder));
    const model = join(root, "model");
    await Deno.mkdir(model);
    for await (const { name } of Deno.readDir(dirname(weights))) {
      if (!/^(expected|prompts)\./.test(name)) await Deno.copyFile(join(dirname(weights), name), join(model, name));
    }
    if (!folder.startsWith("dinov2")) await Deno.writeTextFile(join(model, "vocab.txt"), VOCABULARY);
    await writeRadiographs(join(root, "films"), 6);
    const rows = Array.from({ length: 6 }, (_, i) => `films/${i}.png,${["pneumonia", "normal"][i % 2]},p${i}`);
    await Deno.writeTextFile(join(root, "films.csv"), ["path,class,patient", ...rows].join("\n"));
    const pairs = rows.map((row, i) => `${row.split(",")[0]},chest of ${["pneumonia", "normal"][i % 2]} word${i}`);
    await Deno.writeTextFile(join(root, "pairs.csv"), ["path,text", ...pairs].join("\n"));
    const boxes = ["path,label,x,y,w,h", "films/0.png,pneumonia,4,4,56,56", "films/1.png,normal,4,4,56,56"];
    await Deno.writeTextFile(join(root, "boxes.csv"), boxes.join("\n"));
    await body(model, root);
  });
}

for (const folder of ["pair_swin", "medclip_swin_5", "cxr_clip_mlp", "mgca_vit", "convirt"]) {
  Deno.test(`every command takes the folder of ${folder}, and merges what was trained on it`, async () => {
    await withModel(folder, async (model, root) => {
      const path = (...names: string[]): string => join(root, ...names);
      const { weights } = layoutFiles(caseOf(folder));
      const labels = ["--labels", "pneumonia,normal"];
      const asked = async (...options: string[]): Promise<number[]> => {
        const { images } = JSON.parse(await run(CLASSIFY, path("films", "0.png"), ...labels, "--json", ...options));
        return Object.values(images[0].scores as Record<string, number>);
      };
      const doctor = JSON.parse(await run(DOCTOR, "--model", model, "--json"));
      assert(doctor.model.images.includes("; read "), JSON.stringify(doctor));
      const plain = await asked("--model", model);
      await run(
        TRAIN,
        "--model",
        model,
        "--pairs",
        path("pairs.csv"),
        "--epochs",
        "1",
        "--batch-size",
        "3",
        "--out",
        path("t"),
      );
      const adapter = path("t", "adapter.safetensors");
      const adapted = await asked("--model", model, "--adapter", adapter);
      assert(adapted.every((score) => score > 0 && score < 1) && adapted[0] !== plain[0], `${adapted} ${plain}`);
      await run(EVALUATE, "--model", model, "--images", path("films.csv"), "--out", path("e"));
      await run(ENCODE, "--model", model, "--images", path("films.csv"), "--out", path("f.safetensors"));
      await run(
        PROBE,
        "--model",
        model,
        "--images",
        path("films.csv"),
        "--methods",
        "linear",
        "--shots",
        "1",
        "--seeds",
        "1",
        "--out",
        path("p"),
      );
      await run(
        EXPLAIN,
        "--model",
        model,
        "--images",
        path("films.csv"),
        "--boxes",
        path("boxes.csv"),
        "--out",
        path("x"),
      );
      const source = join(model, weights.slice(dirname(weights).length + 1));
      const refusal = await assertRejects(() => run(EXPORT, "--model", model, "--onnx", path("o")), RangeError);
      assert(/as ONNX as its/.test(refusal.message) && !refusal.message.includes("\n"), refusal.message);
      await run(CONVERT, source, "--merge", adapter, "--drop-hgnn", "--out", path("merged.safetensors"));
      assertAlmostEquals(plain.reduce((a, b) => a + b, 0), 1, 1e-5);
    });
  });
}

/** An adapter of a text tower, with a scale that none of the layouts has. */
async function writeTextAdapter(path: string, model: string): Promise<void> {
  const { weights } = await findModelFiles(model);
  const { sizes: { text: { depth, width = 0 } }, file } = await openCheckpoint(weights);
  file.close();
  const values = (step: number) => Float32Array.from({ length: width }, (_, i) => Math.sin(i * step));
  const lora = Array.from({ length: depth }, (_, layer) => ({
    ...{ encoder: "text", layer, target: "v" } as const,
    a: float32Tensor([1, width], values(0.7)),
    b: float32Tensor([width, 1], values(1.3)),
  }));
  const config = { ...ACE_LORA_CONFIG, rank: 1, targets: ["v" as const], topK: null, hidden: null };
  await writeAdapter(path, { lora, hgnn: {}, logitScale: 33, config }, { format: "ace" });
}

for (const folder of ["gloria", "mgca_vit", "cxr_clip", "convirt", "medclip_resnet", "pmc_clip", "pmc_clip_parts"]) {
  Deno.test(`merged weights of ${folder} answer as the model with its adapter: what is beside tensors counts, too`, async () => {
    await withModel(folder, async (model, root) => {
      const [adapter, merged] = [join(root, "adapter.safetensors"), join(root, "merged")];
      const asked = async (...options: string[]): Promise<number> => {
        const film = join(root, "films", "0.png");
        const answer = await run(CLASSIFY, film, "--labels", "pneumonia,normal", "--json", ...options);
        return JSON.parse(answer).images[0].scores.pneumonia;
      };
      assert(!(await run(DOCTOR, "--model", model)).includes("\\u000a"), "a table of unused tensors has lines");
      await writeTextAdapter(adapter, model);
      await Deno.mkdir(merged);
      await Deno.copyFile(join(model, "vocab.txt"), join(merged, "vocab.txt"));
      await run(CONVERT, model, "--merge", adapter, "--out", join(merged, "merged.safetensors"));
      const wanted = await asked("--model", model, "--adapter", adapter);
      assert(Math.abs(wanted - await asked("--model", model)) > 1e-4, `the adapter changes ${wanted}`);
      assertAlmostEquals(await asked("--model", merged), wanted, 1e-5);
    });
  });
}

Deno.test("an image tower alone is encoded by its folder, and refuses to be asked", async () => {
  await withModel("dinov2_hub", async (model, root) => {
    assert((await run(DOCTOR, "--model", model)).includes("an image tower alone"));
    await run(ENCODE, "--model", model, "--images", join(root, "films.csv"), "--out", join(root, "f.safetensors"));
    const films = ["--images", join(root, "films.csv"), "--shots", "1", "--seeds", "1", "--out", join(root, "p")];
    const probed = JSON.parse(await run(PROBE, "--model", model, ...films, "--json"));
    assertEquals(probed.rows.map(({ method }: { method: string }) => method), ["linear", "knn"]);
    assertEquals(probed.zero_shot, null);
    const tip = () => run(PROBE, "--model", model, ...films, "--methods", "tip-adapter", "--overwrite");
    await assertRejects(tip, Error, "must be among linear, knn");
    const asking = () => run(CLASSIFY, join(root, "films", "0.png"), "--labels", "pneumonia,normal", "--model", model);
    await assertRejects(asking, Error, "an image tower alone");
  });
});
