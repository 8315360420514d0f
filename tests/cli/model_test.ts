/** `--model DIR` in every command that loads a model. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { classifyImages, imagesAt } from "../../lib/eval/classify.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { disposeParams } from "../../lib/tensor/params.ts";
import { writeHubFolder } from "../clip/hub_folder.ts";
import { inFolder } from "../folder.ts";
import { writeClasses, writePairs, writeRadiographs } from "./fixtures.ts";
import { fail, MINI_FILES, succeed } from "./run.ts";

const LABELS = ["pneumonia", "no finding"];

Deno.test("--model DIR serves classify, encode, evaluate, train, segment and detect", async () => {
  await selectBackend({ backend: "wasm" });
  await inFolder(async (folder) => {
    const model = join(folder, "clip");
    await Deno.mkdir(model);
    await writeHubFolder(model);
    const images = await writeRadiographs(join(folder, "images"), 2);
    const own = { read: [folder, ...MINI_FILES], write: [folder] };
    const ask = ["classify", ...images, "--labels", LABELS.join(","), "--json", "--model", model];
    const plain = JSON.parse(await succeed(ask, own));
    const { params, config, tokenizer } = await loadClip(model);
    const expected = await classifyImages(
      { params, config: { encoders: config, learnScale: false }, tokenizer },
      imagesAt(images),
      LABELS,
    );
    disposeParams(params);
    for (const [i, { scores }] of expected.entries()) {
      for (const name of LABELS) assert(Math.abs(plain.images[i].scores[name] - scores[name]!) < 1e-5, name);
    }
    await succeed(["encode", "--images", images[0]!, "--out", join(folder, "features"), "--model", model], own);

    await writeClasses(join(folder, "classes"), LABELS, 2);
    const out = join(folder, "evaluation");
    await succeed(["evaluate", "--images", join(folder, "classes"), "--out", out, "--model", model], own);

    const pairs = await writePairs(join(folder, "pairs"), 4);
    const run = join(folder, "run");
    const short = ["--epochs", "1", "--batch-size", "4", "--hidden", "3", "--top-k", "2"];
    await succeed(["train", "--pairs", pairs, "--out", run, "--model", model, ...short], own);
    const adapter = join(run, "adapter.safetensors");
    const adapted = JSON.parse(await succeed([...ask, "--adapter", adapter], own));
    assert(LABELS.some((name) => adapted.images[0].scores[name] !== plain.images[0].scores[name]));

    for (const task of ["segment", "detect"]) {
      const head = join(folder, task);
      const settings = ["--cases", "8", "--epochs", "1", "--batch-size", "4", "--width", "8"];
      await succeed([task, "train", "--dataset", "synthetic", "--out", head, "--model", model, ...settings], own);
      const training = JSON.parse(await Deno.readTextFile(join(head, "training.json")));
      assertEquals(training.history.length, 1, task);
    }
    await fail([...ask.slice(0, -1), images[0]!], ["--model must be a folder"], own);
    await fail([...ask.slice(0, -1), join(folder, "pairs")], ["must hold weights"], own);
  });
});
