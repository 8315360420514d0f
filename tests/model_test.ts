/** The model object: thin methods over the functions. */
import { assert, assertEquals } from "@std/assert";
import { fingerprints } from "../lib/data/seen.ts";
import { fromFileUrl, join } from "@std/path";
import { loadModel } from "../lib/model.ts";
import { selectBackend } from "../lib/tensor/backend.ts";
import { inFolder } from "./folder.ts";

const MINI = fromFileUrl(new URL("../data/mini_generalist.safetensors", import.meta.url));
const VOCABULARY = fromFileUrl(new URL("../data/mini_vocab.txt", import.meta.url));

Deno.test("loadModel() classifies, encodes, adapts and saves as the functions do", async () => {
  await selectBackend({ backend: "cpu" });
  await inFolder(async (folder) => {
    const model = await loadModel({ weights: MINI, tokenizer: VOCABULARY });
    const cases = fromFileUrl(new URL("image/fixtures/", import.meta.url));
    const images: string[] = [];
    for await (const { name } of Deno.readDir(cases)) {
      if (name.endsWith(".png") && images.length < 3) images.push(join(cases, name));
    }
    const answers = await model.classify(images, ["pneumonia", "no finding"]);
    const [vision, text] = [await model.encodeImages(images), await model.encodeTexts(["pneumonia", "no finding"])];
    assertEquals([vision.length, text.length], [images.length * 64, 2 * 64]);
    for (const { scores } of answers) {
      assert(Math.abs(Object.values(scores).reduce((a, b) => a + b, 0) - 1) < 1e-5);
    }
    const csv = join(folder, "pairs.csv");
    const rows = images.map((path, i) => `${path},finding ${i}`);
    await Deno.writeTextFile(csv, ["path,text", ...rows].join("\n"));
    const adapted = await model.adapt(csv, { epochs: 1, batchSize: 3, loss: "info-nce" });
    assertEquals(adapted.fit.history.length, 1);
    const path = join(folder, "adapter.safetensors");
    await adapted.save(path);
    const lists = { seen: adapted.seen, chose: adapted.chose };
    assertEquals(lists, { seen: fingerprints(images.map((id) => ({ id }))), chose: new Set<string>() });
    const again = await loadModel({ weights: MINI, tokenizer: VOCABULARY }, { adapter: path });
    const [a, b] = [await adapted.encodeImages(images), await again.encodeImages(images)];
    assertEquals(a, b);
    assertEquals({ seen: again.seen, chose: again.chose }, lists);
    assert(a.some((x, i) => Math.abs(x - vision[i]!) > 1e-4), "adapting changed nothing");
    for (const one of [again, adapted, model]) one.dispose();
  });
});
