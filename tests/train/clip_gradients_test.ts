import * as tf from "@tensorflow/tfjs";
import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { clipGradients } from "../../lib/train/clip_gradients.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { gaussian, mulberry32 } from "../../lib/tensor/random.ts";
import { testOnBackends } from "../backends.ts";

const python = Deno.env.get("ACE_PYTHON");

testOnBackends("clipGradients() scales to the norm, leaves smaller ones as they are, and divides no zero", async () => {
  const clip = async (values: number[][], most: number): Promise<[number[][], number]> => {
    const { gradients, norm } = clipGradients(values.map((row) => tf.tensor1d(row)), most);
    return [await Promise.all(gradients.map(async (x) => [...await x.data()])), (await norm.data())[0]!];
  };
  const [scaled, norm] = await clip([[3], [0, 4]], 1);
  assertAlmostEquals(norm, 5, 1e-6);
  scaled.flat().forEach((x, i) => assertAlmostEquals(x, [0.6, 0, 0.8][i]!, 1e-6));
  assertEquals((await clip([[3], [0, 4]], 6))[0], [[3], [0, 4]]);
  assertEquals(await clip([[0, 0]], 1), [[[0, 0]], 0]);
  assertThrows(() => clipGradients([tf.tensor1d([1])], 0), RangeError, "above 0");
});

Deno.test({
  name: `clipGradients() does as torch.nn.utils.clip_grad_norm_${python ? "" : " (skipped: no ACE_PYTHON)"}`,
  ignore: !python,
  fn: async () => {
    await selectBackend({ backend: "wasm" });
    const rng = mulberry32(4);
    const parts = [7, 1000, 3].map((size) => Array.from({ length: size }, () => Math.fround(gaussian(rng))));
    const code = "import json,sys,torch\nparts=json.load(sys.stdin)\nout=[]\n" +
      "for most in (0.5,10.0,100.0):\n" +
      "  ps=[torch.nn.Parameter(torch.zeros(len(p))) for p in parts]\n" +
      "  for p,g in zip(ps,parts): p.grad=torch.tensor(g)\n" +
      "  n=torch.nn.utils.clip_grad_norm_(ps,most)\n" +
      "  out.append([n.item(),[p.grad.tolist() for p in ps]])\nprint(json.dumps(out))";
    const child = new Deno.Command(python!, { args: ["-c", code], stdin: "piped", stdout: "piped" }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(JSON.stringify(parts)));
    await writer.close();
    const expected = JSON.parse(new TextDecoder().decode((await child.output()).stdout)) as [number, number[][]][];
    for (const [i, most] of [0.5, 10, 100].entries()) {
      const { gradients, norm } = clipGradients(parts.map((part) => tf.tensor1d(part)), most);
      const [wantedNorm, wanted] = expected[i]!;
      assertAlmostEquals((await norm.data())[0]!, wantedNorm, 1e-5 * wantedNorm);
      for (const [p, gradient] of gradients.entries()) {
        (await gradient.data()).forEach((x, k) => assertAlmostEquals(x, wanted[p]![k]!, 1e-6));
      }
    }
  },
});
