/** A run that is stopped anywhere and goes on, and one that is validated: the bits of the uninterrupted run. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { aceLoraModel, initAceLora, trainableTensors } from "../../lib/ace_lora.ts";
import { initClip } from "../../lib/clip/params.ts";
import { errorMessage } from "../../lib/platform/error_message.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import type { FitOptions, FitResult } from "../../lib/train/options.ts";
import { fit } from "../../lib/train/fit.ts";
import { SMALL, SMALL_ACE, smallSource } from "../small_model.ts";

const MODEL = aceLoraModel(SMALL_ACE);
const OPTIONS: FitOptions = { epochs: 3, batchSize: 4, microBatch: 2, learningRate: 1e-2, warmupEpochs: 0.5 };

type Params = Parameters<typeof trainableTensors>[0];

async function numbers(params: unknown): Promise<string> {
  const out: string[] = [];
  for (const [name, tensor] of trainableTensors(params as Params)) out.push(`${name}:${[...await tensor.data()]}`);
  return out.join();
}

async function run(options: FitOptions, size = 12): Promise<FitResult<Params>> {
  await selectBackend({ backend: "wasm" });
  const start = await initAceLora(initClip(SMALL, 1), SMALL_ACE);
  return await fit(MODEL, start, await smallSource(size), options);
}

/** A figure that is the same for the same weights, and rises and falls as the run goes. */
async function figure(params: unknown): Promise<{ name: string; value: number }> {
  const [first] = trainableTensors(params as Params).values();
  return { name: "figure", value: Math.sin(1e4 * [...await first!.data()].reduce((a, b) => a + b, 0)) };
}

async function inFolder(body: (statePath: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  await body(join(folder, "state.safetensors")).finally(() => Deno.remove(folder, { recursive: true }));
}

Deno.test("fit() stopped at every step, between micro-batches and in validation goes on to the same bits", async () => {
  const bestOf = async (options: FitOptions, best: Map<string, string>): Promise<FitResult<Params>> =>
    await run({ ...options, onBest: async (params) => void best.set("best", await numbers(params)) });
  const validated: FitOptions = { ...OPTIONS, validate: figure, validateEvery: 2 };
  const expectedBest = new Map<string, string>();
  const whole = await bestOf(validated, expectedBest);
  assertEquals(whole.validations.map(({ step }) => step), [2, 4, 6, 8, 9]);
  const expected = await numbers(whole.params);
  await inFolder(async (statePath) => {
    // Stopped again and again by a watch that counts what the run does, until it is done.
    const best = new Map<string, string>();
    let last: FitResult<Params>;
    let parts = 0;
    const places = new Set<string>();
    do {
      const controller = new AbortController();
      let left = 1 + parts % 5;
      const tick = (place: string): void => {
        if (--left > 0) return;
        places.add(place);
        controller.abort();
      };
      const source = await smallSource(12);
      const start = await initAceLora(initClip(SMALL, 1), SMALL_ACE);
      last = await fit(MODEL, start, {
        ...source,
        pixels: (indices) => {
          tick("micro-batch");
          return source.pixels(indices);
        },
      }, {
        ...validated,
        statePath,
        resume: true,
        signal: controller.signal,
        validate: (params, signal) => {
          tick("validation");
          signal!.throwIfAborted();
          return figure(params);
        },
        onBest: async (params) => void best.set("best", await numbers(params)),
      });
      parts++;
      assert(parts < 100, `no end: ${last.history.length} steps`);
    } while (last.interrupted);
    assertEquals([...places].sort(), ["micro-batch", "validation"]);
    assert(parts > 5, `${parts} parts`);
    assertEquals([last.history, last.validations], [whole.history, whole.validations]);
    assertEquals(await numbers(last.params), expected);
    assertEquals(best, expectedBest);
  });
});

Deno.test("fit() killed between states goes on from the last one inside its epoch, to the same bits", async () => {
  const whole = await run(OPTIONS, 20);
  await inFolder(async (statePath) => {
    const killed = new Error("killed");
    const options: FitOptions = { ...OPTIONS, statePath, saveSteps: 2, resume: true };
    const dying = {
      ...options,
      onStep: ({ step }: { step: number }) => {
        if (step === 5 || step === 9) throw killed;
      },
    };
    const starts: number[] = [];
    for (let part = 0; part < 2; part++) {
      await assertRejects(() => run({ ...dying, onStart: ({ step }) => void starts.push(step) }, 20), Error, "killed");
    }
    const end = await run({ ...options, onStart: ({ step }) => void starts.push(step) }, 20);
    assertEquals(starts, [0, 4, 4]);
    assertEquals([await numbers(end.params), end.history], [await numbers(whole.params), whole.history]);
  });
});

Deno.test("fit() ends with the error of a state that cannot be written, or tells it and trains to the same bits", async () => {
  const expected = await numbers((await run(OPTIONS)).params);
  await inFolder(async (folder) => {
    await Deno.writeTextFile(folder, "a file, where the state's folder is to be");
    const statePath = join(folder, "state.safetensors");
    await assertRejects(() => run({ ...OPTIONS, statePath, saveSteps: 2 }), Error, "Cannot write");
    const told: string[] = [];
    const onSaveError = (error: unknown): void => void told.push(errorMessage(error));
    const { params } = await run({ ...OPTIONS, statePath, saveSteps: 2, onSaveError });
    assertEquals(await numbers(params), expected);
    assert(told.length > 1 && told.every((text) => text.startsWith("Cannot write")), told.join("\n"));
  });
});

Deno.test("fit() goes on for more epochs by the longer run's cosine, and for fewer not at all", async () => {
  await inFolder(async (statePath) => {
    const notes: string[] = [];
    await run({ ...OPTIONS, statePath });
    const more = { ...OPTIONS, epochs: 5, statePath, resume: true, onWarning: (text: string) => void notes.push(text) };
    const { history } = await run(more);
    assertEquals(history.length, 15);
    const longer = (await run({ ...OPTIONS, epochs: 5 })).history;
    assertEquals(history.slice(9).map((one) => one.learningRate), longer.slice(9).map((one) => one.learningRate));
    assert(
      notes.some((note) => note.includes("began with 3 epochs and goes on with 5: from step 10 on")),
      notes.join(),
    );
    await assertRejects(() => run({ ...OPTIONS, epochs: 2, statePath, resume: true }), RangeError, "it was 5");
  });
});

Deno.test("fit() follows the figure, ends when it has waited for patience, and stays ended", async () => {
  await inFolder(async (statePath) => {
    const values = [0.5, 0.7, 0.7, 0.6, 0.9];
    const best: number[] = [];
    let asked = 0;
    const options: FitOptions = {
      ...OPTIONS,
      epochs: 5,
      statePath,
      patience: 2,
      validate: () => Promise.resolve({ name: "auroc", value: values[asked++]! }),
      onBest: (_, epoch, value) => Promise.resolve(best.push(epoch, value)).then(() => {}),
    };
    const { validations, history, interrupted } = await run(options);
    assertEquals([validations.map(({ value }) => value), interrupted], [values.slice(0, 4), false]);
    assertEquals([best, history.length], [[0, 0.5, 1, 0.7], 12]);
    const again = await run({ ...options, resume: true });
    assertEquals([again.history.length, asked], [12, 4]);
    assertEquals((await run({ ...options, resume: true, patience: 3 })).history.length, 15);
    await assertRejects(
      () => run({ ...OPTIONS, validate: () => Promise.resolve({ name: "auroc", value: NaN }) }),
      RangeError,
      "auroc must be a finite number",
    );
  });
});

Deno.test("fit() with a norm to clip to reports the norm and takes another way, with one that is never reached the same", async () => {
  const norms: number[] = [];
  const plain = await run(OPTIONS);
  const wide = await run({ ...OPTIONS, clipNorm: 1e9, onStep: ({ gradientNorm }) => void norms.push(gradientNorm!) });
  assertEquals(await numbers(wide.params), await numbers(plain.params));
  assert(norms.length === 9 && norms.every((norm) => norm > 0), norms.join());
  const tight = await run({ ...OPTIONS, clipNorm: Math.min(...norms) / 2 });
  assert(await numbers(tight.params) !== await numbers(plain.params));
});
