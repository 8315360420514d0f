/** The method that docs/add_a_method.md builds: taken out of the page and held to the laws. */
import * as tf from "@tensorflow/tfjs";
import { assert, assertEquals } from "@std/assert";
import { join, toFileUrl } from "@std/path";
import { initClip } from "../../lib/clip/params.ts";
import { BIOMED_CLIP } from "../../lib/clip/architectures.ts";
import type { ClipConfig } from "../../lib/clip/config.ts";
import { mergeUpdates } from "../../lib/nn/linear.ts";
import type { PeftMethod } from "../../lib/peft/method.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { normal } from "../../lib/tensor/init.ts";
import { namedTensors, withTensors } from "../../lib/tensor/params.ts";
import { batchOf } from "../../lib/train/batch.ts";
import { contrastiveGradients } from "../../lib/train/gradients.ts";
import { assertClose, largestDifference } from "../close.ts";
import { SMALL, smallIds, smallPixels } from "../small_model.ts";
import { inFolder } from "../folder.ts";

const PAGE = new URL("../../docs/add_a_method.md", import.meta.url);
const PEFT = new URL("../../lib/peft/", import.meta.url);

/** The page's files as modules, in a folder of their own with imports that reach lib. */
async function methodOfThePage(folder: string): Promise<(encoders: ClipConfig) => PeftMethod> {
  const text = await Deno.readTextFile(PAGE);
  const blocks = [...text.matchAll(/^## \d.*`lib\/peft\/ssf\/(\w+\.ts)`[\s\S]*?^```ts\n([\s\S]*?)^```/gm)];
  assertEquals(blocks.map(([, name]) => name), ["layer.ts", "method.ts"]);
  for (const [, name, code] of blocks) {
    const reaching = code!.replaceAll(
      /"(\.\.\/[^"]+)"/g,
      (_, path) => JSON.stringify(new URL(path, new URL("ssf/", PEFT)).href),
    )
      .replaceAll('"@tensorflow/tfjs"', JSON.stringify(import.meta.resolve("@tensorflow/tfjs")));
    await Deno.writeTextFile(join(folder, name!), reaching);
  }
  return (await import(toFileUrl(join(folder, "method.ts")).href)).ssfMethod;
}

Deno.test("docs/add_a_method.md builds a method that obeys the laws and counts what the page says", async () => {
  await selectBackend({ backend: "cpu" });
  await inFolder(async (folder) => {
    const make = await methodOfThePage(folder);
    const method = make(SMALL);
    const base = initClip(SMALL, 1);
    const fresh = await method.prepare(base);
    const leaves = namedTensors(fresh, method.model.isTrainable);
    assertEquals(leaves.size, 4 * 12 + 1);
    const per = (width: number, hidden: number): number => 2 * (4 * width + hidden + width);
    const { width, depth, mlpWidth } = BIOMED_CLIP.vision;
    assertEquals(2 * depth * per(width, mlpWidth) + 1, 331_777);
    assertEquals([...leaves.values()].reduce((sum, { size }) => sum + size, 0), 4 * per(16, 32) + 1);
    const [pixels, ids] = [smallPixels(3), smallIds(3)];
    const before = method.model.imageFeatures(base, pixels);
    await assertClose(method.model.imageFeatures(fresh, pixels), before, 0, "fresh");
    const moves = new Map([...leaves].map(([name, x]) => [name, tf.add(x, normal(x.shape, 0.1, 8, name))]));
    const moved = withTensors(fresh, moves);
    const merged = mergeUpdates(moved);
    assert(![...namedTensors(merged).keys()].some((name) => name.includes(".ssf.")));
    for (const features of ["imageFeatures", "textFeatures"] as const) {
      const input = features === "imageFeatures" ? pixels : ids;
      const own = method.model[features](moved, input as never);
      assert(await largestDifference(own, method.model[features](base, input as never)) > 1e-4, features);
      await assertClose(method.model[features](merged, input as never), own, 1e-5, `merged ${features}`);
    }
    const { gradients } = await contrastiveGradients(method.model, moved, batchOf({ pixels, ids }));
    assertEquals([...gradients.keys()], [...leaves.keys()]);
    for (const [name, gradient] of gradients) {
      assert((await tf.max(tf.abs(gradient)).data())[0]! > 0 || /key\.ssf\.shift$/.test(name), name); // keys' shifts cancel in the softmax
    }
  });
});
