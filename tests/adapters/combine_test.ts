/** Adapters combined against PEFT's add_weighted_adapter, and what it leaves open. */
import { assert, assertAlmostEquals, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { combineAdapters, type CombineOptions, HypergraphCombineError } from "../../lib/adapters/combine.ts";
import { writeAdapter } from "../../lib/adapters/files.ts";
import { ACE_LORA_CONFIG, type AdapterTarget } from "../../lib/adapters/config.ts";
import type { AdapterFile, LoraEntry } from "../../lib/adapters/record.ts";
import { readSafetensors, writeSafetensors } from "../../lib/io/safetensors.ts";
import { float32Tensor, type TensorData, toFloat32 } from "../../lib/io/tensors.ts";
import { gaussian, mulberry32 } from "../../lib/tensor/random.ts";
import { fail, succeed } from "../cli/run.ts";
import { hasPython, runPython, skipName } from "../io/_python.ts";

const WIDTH = 8;
const TARGETS: AdapterTarget[] = ["q", "v"];
const ready = await hasPython("peft", "torch", "safetensors");

function randomMatrix(rng: () => number, ...shape: number[]): TensorData {
  return float32Tensor(shape, Float32Array.from({ length: shape[0]! * (shape[1] ?? 1) }, () => gaussian(rng)));
}

function adapter(
  seed: number,
  options: { rank?: number; targets?: AdapterTarget[]; hgnn?: boolean } = {},
): AdapterFile {
  const { rank = 3, targets = TARGETS, hgnn = false } = options;
  const rng = mulberry32(seed);
  const part = () => ({
    down: { weight: randomMatrix(rng, 2, 4), bias: randomMatrix(rng, 2) },
    up: { weight: randomMatrix(rng, 4, 2), bias: randomMatrix(rng, 4) },
  });
  return {
    lora: targets.map((target): LoraEntry => ({
      encoder: "image",
      layer: 0,
      target,
      a: randomMatrix(rng, rank, WIDTH),
      b: randomMatrix(rng, WIDTH, rank),
    })),
    hgnn: hgnn ? { image: { edge: part(), node: part() } } : {},
    logitScale: 10 * seed,
    seen: [`00000000000${seed}`],
    chose: ["00000000000a"],
    config: { ...ACE_LORA_CONFIG, rank, alpha: 2, targets, topK: hgnn ? 3 : null, hidden: hgnn ? 2 : null },
  };
}

/** `alpha / √R · B A` of one place. */
function delta({ lora, config }: AdapterFile, target: AdapterTarget): Float64Array {
  const entry = lora.find((one) => one.target === target)!;
  const [a, b] = [toFloat32(entry.a), toFloat32(entry.b)];
  const out = new Float64Array(WIDTH * WIDTH);
  for (let i = 0; i < WIDTH; i++) {
    for (let j = 0; j < WIDTH; j++) {
      for (let r = 0; r < config.rank; r++) {
        out[i * WIDTH + j]! += config.alpha / Math.sqrt(config.rank) * b[i * config.rank + r]! * a[r * WIDTH + j]!;
      }
    }
  }
  return out;
}

function assertNear(actual: ArrayLike<number>, expected: ArrayLike<number>, label: string): void {
  assertEquals(actual.length, expected.length, label);
  const largest = Math.max(1, ...Array.from(expected, Math.abs));
  for (let i = 0; i < actual.length; i++) assertAlmostEquals(actual[i]!, expected[i]!, 1e-6 * largest, `${label} ${i}`);
}

interface PeftCase extends CombineOptions {
  adapters: string[];
  combination: NonNullable<CombineOptions["combination"]>;
  weights: number[];
}

const POOL: Record<string, AdapterFile> = {
  one: adapter(1),
  two: adapter(2),
  three: adapter(3, { targets: ["q"] }),
  wide: adapter(4, { rank: 5 }),
};
const CASES: PeftCase[] = [
  { adapters: ["one", "two"], combination: "linear", weights: [0.5, 0.5] },
  { adapters: ["one", "two"], combination: "linear", weights: [1, -0.4] },
  { adapters: ["one", "two", "three"], combination: "linear", weights: [0.2, 0.3, 0.5] },
  { adapters: ["one", "two"], combination: "cat", weights: [0.7, -1.3] },
  { adapters: ["one", "three", "wide"], combination: "cat", weights: [1, 2, 0.5] },
  { adapters: ["one", "two"], combination: "svd", weights: [0.5, 0.5] },
  { adapters: ["one", "wide"], combination: "svd", weights: [1, -0.5] },
  { adapters: ["one", "two"], combination: "ties", weights: [0.5, 0.5], density: 0.2 },
  { adapters: ["one", "two", "three"], combination: "ties", weights: [1, -0.5, 2], density: 0.7 },
  { adapters: ["one", "two"], combination: "ties", weights: [0.6, 0.4], density: 1 },
  { adapters: ["one", "two"], combination: "dare_linear", weights: [0.6, 0.4], density: 1 },
  { adapters: ["one", "two", "three"], combination: "dare_ties", weights: [0.6, 0.4, 1], density: 1 },
];

Deno.test({
  name: skipName("combineAdapters() gives the numbers of PEFT's add_weighted_adapter", ready, "peft"),
  ignore: !ready,
  fn: async () => {
    for (const rslora of [true, false]) {
      const folder = await Deno.makeTempDir();
      const alpha = 2;
      // PEFT without rank stabilisation divides alpha by R; ours by √R.
      const ours = (one: AdapterFile): AdapterFile => ({
        ...one,
        config: { ...one.config, alpha: rslora ? alpha : alpha / Math.sqrt(one.config.rank) },
      });
      await writeSafetensors(
        join(folder, "inputs.safetensors"),
        new Map(
          Object.entries(POOL).flatMap(([name, { lora }]) =>
            lora.flatMap(({ target, a, b }): [string, TensorData][] => [[`${name}.${target}.A`, a], [
              `${name}.${target}.B`,
              b,
            ]])
          ),
        ),
      );
      await Deno.writeTextFile(
        join(folder, "cases.json"),
        JSON.stringify({ width: WIDTH, alpha, rslora, cases: CASES }),
      );
      await runPython("import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])", [
        fromFileUrl(new URL("combine_peft.py", import.meta.url)),
        folder,
      ]);
      const { tensors } = await readSafetensors(join(folder, "outputs.safetensors"));
      for (const [i, { adapters, ...options }] of CASES.entries()) {
        const actual = combineAdapters(adapters.map((name) => ours(POOL[name]!)), options);
        for (const { target, a, b } of actual.lora) {
          const label = `${options.combination} ${adapters} ${target}`;
          const expected = (key: string): Float32Array => toFloat32(tensors.get(`case${i}.${target}.${key}`)!);
          if (options.combination !== "svd") { // whose signs are free
            assertNear(toFloat32(a), expected("A"), `${label} A`);
            assertNear(toFloat32(b), expected("B"), `${label} B`);
          }
          const { rank } = actual.config;
          const factor = rslora ? Math.sqrt(rank) : 1; // what PEFT multiplies a rank-stabilised result by
          assertNear(delta(actual, target).map((value) => factor * value), expected("delta"), `${label} update`);
        }
      }
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("combineAdapters() by dare keeps the density of the numbers, keeps the mean, and repeats by its seed", () => {
  const rng = mulberry32(6);
  const size = 200;
  const wide = (): AdapterFile => ({
    ...adapter(1),
    lora: [{ encoder: "image", layer: 0, target: "q", a: randomMatrix(rng, 3, size), b: randomMatrix(rng, size, 3) }],
  });
  const [one, two] = [wide(), wide()];
  const density = 0.3;
  const mean = new Float64Array(3 * size);
  const seeds = 400;
  let kept = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const { lora } = combineAdapters([one], { combination: "dare_linear", density, seed, weights: [1] });
    for (const [i, value] of toFloat32(lora[0]!.a).entries()) {
      mean[i]! += value / seeds;
      if (value !== 0) kept++;
    }
  }
  const numbers = seeds * 3 * size;
  const spread = Math.sqrt(density * (1 - density) / numbers);
  assert(Math.abs(kept / numbers - density) < 5 * spread, `${kept / numbers}`);
  const root = Math.sqrt(2 / Math.sqrt(3));
  const a = toFloat32(one.lora[0]!.a);
  const error = mean.reduce((sum, value, i) => sum + (value - root * a[i]!) ** 2, 0) / mean.length;
  const variance = root ** 2 * (1 / density - 1) / seeds; // of a mean of numbers of variance 1
  assert(Math.abs(error / variance - 1) < 0.5, `${error / variance}`);
  for (const combination of ["dare_linear", "dare_ties"] as const) {
    const of = (seed: number) => combineAdapters([one, two], { combination, density, seed });
    assertEquals(of(3), of(3));
    assert(JSON.stringify([...of(3).lora[0]!.a.data]) !== JSON.stringify([...of(4).lora[0]!.a.data]));
  }
});

Deno.test("combineAdapters() by cat adds the updates exactly, and one adapter by itself is what it was", () => {
  const [one, two] = [POOL["one"]!, POOL["two"]!];
  const both = combineAdapters([one, two], { combination: "cat", weights: [1, 1] });
  assertEquals([both.config.rank, both.config.alpha], [6, Math.sqrt(6)]); // the scaling is 1
  const expected = delta(one, "q").map((value, i) => value + delta(two, "q")[i]!);
  assertNear(delta(both, "q"), expected, "sum");
  for (const combination of ["linear", "cat", "svd"] as const) {
    assertNear(delta(combineAdapters([one], { combination }), "v"), delta(one, "v"), combination);
  }
  assertEquals([both.seen, both.chose], [["000000000001", "000000000002"], ["00000000000a"]]);
  assertAlmostEquals(both.logitScale!, Math.sqrt(10 * 20), 1e-9);
});

Deno.test("combineAdapters() averages ACE-HGNN by linear alone, and says why not otherwise", () => {
  const [one, two] = [adapter(1, { hgnn: true }), adapter(2, { hgnn: true })];
  const both = combineAdapters([one, two], { weights: [0.25, 0.75] });
  const bias = (of: AdapterFile): Float32Array => toFloat32(of.hgnn.image!.edge.up.bias);
  assertNear(bias(both), bias(one).map((value, i) => 0.25 * value + 0.75 * bias(two)[i]!), "bias");
  assertEquals([both.config.topK, both.config.hidden], [3, 2]);
  const refuse = (options: CombineOptions, reason: string, adapters = [one, two]): void => {
    assertThrows(() => combineAdapters(adapters, options), HypergraphCombineError, reason);
    assertEquals(combineAdapters(adapters, { ...options, dropHgnn: true }).hgnn, {});
  };
  refuse({ combination: "ties" }, "only linear averages them, not ties");
  refuse({ weights: [1, 1] }, "with the sum 1: current value is 1, 1");
  refuse({ weights: [1.5, -0.5] }, "at least 0");
  refuse({}, "its encoders are image / none", [one, adapter(2)]);
  refuse({}, "its members of a hyperedge are 3 / 4", [one, { ...two, config: { ...two.config, topK: 4 } }]);
});

Deno.test("combineAdapters() refuses what cannot be combined, in one line", () => {
  const [one, wide] = [POOL["one"]!, POOL["wide"]!];
  const refuse = (adapters: AdapterFile[], options: CombineOptions, reason: string): void => {
    const error = assertThrows(() => combineAdapters(adapters, options), RangeError, reason);
    assertEquals(error.message.split("\n").length, 1);
  };
  refuse([], {}, "at least one");
  refuse([one, wide], {}, "linear needs one rank: they have 3 and 5");
  refuse([one, one], { weights: [1] }, "a weight for each of 2: current number is 1");
  refuse([one, one], { weights: [1, NaN] }, "weights must be finite: current value is NaN");
  refuse(
    [one, one],
    { combination: "ties", density: 0 },
    "density must be a number above 0 and at most 1: current value is 0",
  );
  refuse([one, one], { combination: "ties", density: NaN }, "at most 1: current value is NaN");
  const small = { ...one, lora: one.lora.map((entry) => ({ ...entry, a: float32Tensor([3, 1], [1, 2, 3]) })) };
  refuse([one, small], { names: ["a", "b"] }, '"a" and "b" as they must be of one model: image layer 0 q is [8, 8]');
});

Deno.test("convert --combine writes one adapter of several, and refuses what is odd in one line", async () => {
  const folder = await Deno.makeTempDir();
  const paths = [join(folder, "a.safetensors"), join(folder, "b.safetensors")];
  for (const [i, path] of paths.entries()) await writeAdapter(path, adapter(i + 1), { format: "ace" });
  const out = join(folder, "both.safetensors");
  const permissions = { read: [folder], write: [folder] };
  const ties = ["convert", ...paths, "--combine", "ties", "--weights", "0.5,0.5", "--density", "0.2", "--to", "ace"];
  await succeed([...ties, "--out", out], permissions);
  const { tensors } = await readSafetensors(out);
  const expected = combineAdapters([adapter(1), adapter(2)], {
    combination: "ties",
    weights: [0.5, 0.5],
    density: 0.2,
  });
  const name = [...tensors.keys()].find((key) => /image.*q.*[aA]/.test(key))!;
  assertEquals(toFloat32(tensors.get(name)!), toFloat32(expected.lora[0]!.a));
  const graph = join(folder, "graph.safetensors");
  await writeAdapter(graph, adapter(3, { hgnn: true }), { format: "ace" });
  const odd: [string[], string][] = [
    [["convert", paths[0]!, graph, "--combine", "ties", "--to", "ace"], "--drop-hgnn combines LoRA alone"],
    [["convert", ...paths, "--to", "ace"], "current number is 2"],
    [[...ties.slice(0, 5), "--weights", "a,1", "--to", "ace"], "--weights must be numbers"],
    [[...ties.slice(0, 3), "--combine", "tie", "--to", "ace"], "did you mean"],
    [[...ties.slice(0, 5), "--to", "bin"], "--combine needs --to ace, peft or authors"],
    [["convert", paths[0]!, "--weights", "1", "--to", "ace"], "--weights needs --combine"],
    [[...ties.slice(0, 5), "--density", "2", "--to", "ace"], "--density must be a number above 0 and at most 1"],
  ];
  for (const [args, reason] of odd) await fail([...args, "--out", join(folder, "x")], [reason], permissions);
  await assertRejects(() => Deno.stat(join(folder, "x")));
  await Deno.remove(folder, { recursive: true });
});
