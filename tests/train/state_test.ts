/** A training run's state: what stands in it is checked before it is used. */
import * as tf from "@tensorflow/tfjs";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { initAceLora, trainableTensors } from "../../lib/ace_lora.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { readSafetensors, writeSafetensors } from "../../lib/io/safetensors.ts";
import { toFloat32 } from "../../lib/io/tensors.ts";
import { TreeError } from "../../lib/io/tree.ts";
import { ACE_LORA_LORA } from "../../lib/peft/lora/config.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import type { Tensor } from "../../lib/tensor/types.ts";
import { adamwMoments, initAdamw } from "../../lib/train/adamw.ts";
import { readRunState, type RunState, StateDifferenceError, writeRunState } from "../../lib/train/state.ts";
import { CASES, needsCase } from "../cases.ts";
import { noLeak } from "../close.ts";

const SETTINGS = { model: "m", learningRate: 0.1 };
const NAMES = ["text.trunk.layers.0.attention.query.lora.loraA", "scale"];

function leaves(): Map<string, Tensor> {
  return new Map<string, Tensor>([[NAMES[0]!, tf.tensor2d([[1, 2, 3]])], [NAMES[1]!, tf.scalar(4)]]);
}

async function written(path: string): Promise<void> {
  const tensors = leaves();
  const state: RunState = {
    tensors,
    adamw: initAdamw(tensors),
    progress: { epoch: 1, batch: 2, bestLoss: null, history: [{ loss: 3, learningRate: 0.1 }] },
  };
  await writeRunState(path, state, SETTINGS);
}

async function inTempDir(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "ace-state-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("readRunState() gives back what writeRunState() wrote, under the names that 0.1.0 used", () =>
  inTempDir(async (folder) => {
    await selectBackend({ backend: "cpu" });
    const path = join(folder, "state.safetensors");
    await written(path);
    const { tensors } = await readSafetensors(path);
    assertEquals(
      [...tensors.keys()].sort(),
      ["first", "param", "second"].flatMap((set) => NAMES.map((name) => `${set}/${name}`)).sort(),
    );
    const state = await readRunState(path, SETTINGS, leaves());
    assertEquals([...state.tensors.keys()], NAMES);
    assertEquals([...await state.tensors.get(NAMES[0]!)!.data()], [1, 2, 3]);
    assertEquals(state.progress.history, [{ loss: 3, learningRate: 0.1 }]);
    assertEquals([...await adamwMoments(state.adamw).first.get(NAMES[0]!)!.data()], [0, 0, 0]);
  }));

Deno.test("readRunState() names the file and the field that is missing or not what it must be, and leaves nothing behind", () =>
  inTempDir(async (folder) => {
    await selectBackend({ backend: "cpu" });
    const path = join(folder, "state.safetensors");
    await written(path);
    const { tensors, metadata } = await readSafetensors(path);
    const progress = JSON.parse(metadata["progress"]!);
    const expected = leaves();
    const refused = async (change: Record<string, string | undefined>, reason: string): Promise<void> => {
      const fields = Object.entries({ ...metadata, ...change }).filter(([, value]) => value !== undefined);
      await writeSafetensors(path, tensors, Object.fromEntries(fields) as Record<string, string>);
      await noLeak(async () => {
        const error = await assertRejects(() => readRunState(path, SETTINGS, expected), TreeError, reason);
        assert(error.message.includes(path) && !error.message.includes("\n"), error.message);
      });
    };
    for (const name of ["settings", "progress", "step"]) await refused({ [name]: undefined }, `its ${name} must be`);
    for (const step of ["x", "-1", "1.5", "", "1e400"]) await refused({ step }, "its step must be a whole number");
    for (const text of ["{", "[]", "null", "7"]) {
      await refused({ settings: text }, "its settings must be a JSON record");
    }
    for (
      const [change, field] of [
        [{ epoch: "1" }, "progress.epoch"],
        [{ batch: -2 }, "progress.batch"],
        [{ bestLoss: "low" }, "progress.bestLoss"],
        [{ history: {} }, "progress.history"],
        [{ history: [null] }, "progress.history[0].loss"],
        [{ history: [{ loss: 1 }] }, "progress.history[0].learningRate"],
      ] as [Record<string, unknown>, string][]
    ) await refused({ progress: JSON.stringify({ ...progress, ...change }) }, `its ${field} must be`);
    await refused({ format: "ace-lora dense head 1" }, "that of a training state");
  }));

Deno.test("readRunState() refuses another run's settings, and tensors that are not the run's", () =>
  inTempDir(async (folder) => {
    await selectBackend({ backend: "cpu" });
    const path = join(folder, "state.safetensors");
    await written(path);
    const error = await assertRejects(
      () => readRunState(path, { ...SETTINGS, learningRate: 0.2 }, leaves()),
      StateDifferenceError,
    );
    assertEquals([error.field, error.was, error.now], ["learningRate", 0.1, 0.2]);
    const wide = new Map(leaves()).set("scale", tf.tensor1d([1, 2]));
    await assertRejects(
      () => readRunState(path, SETTINGS, wide),
      TreeError,
      '"param/scale" must be of shape [2]: found []',
    );
    const fewer = new Map([...leaves()].slice(1));
    await assertRejects(() => readRunState(path, SETTINGS, fewer), TreeError, NAMES[0]!);
  }));

for (const [file, field] of [["state_no_settings", "settings"], ["state_step_x", "step"]] as const) {
  Deno.test({
    ...needsCase("resume_state", `readRunState() refuses the cases' ${file} by its field`),
    async fn() {
      const path = join(CASES, "resume_state", `${file}.safetensors`);
      const error = await assertRejects(() => readRunState(path, {}, new Map()), TreeError);
      assertEquals([error.part, error.path], [field, path]);
    },
  });
}

Deno.test({
  ...needsCase(
    "resume_state",
    "readRunState() fills the model of today from the cases' state of 0.1.0, its step mended",
  ),
  fn: () =>
    inTempDir(async (folder) => {
      await selectBackend({ backend: "cpu" });
      const { tensors, metadata } = await readSafetensors(join(CASES, "resume_state", "state_step_x.safetensors"));
      const path = join(folder, "state.safetensors");
      await writeSafetensors(path, tensors, { ...metadata, step: "5" });
      const { params, config: encoders } = await loadClip();
      const hgnn = { topK: 5, hidden: 16, encoders: ["image", "text"] } as const;
      const model = await initAceLora(params, { encoders, lora: ACE_LORA_LORA, hgnn });
      const { tensors: read, adamw, progress } = await readRunState(path, {}, trainableTensors(model));
      assertEquals([read.size * 3, adamw.step, progress.epoch, progress.batch], [tensors.size, 5, 0, 5]);
      const name = "vision.trunk.blocks.3.attention.value.lora.loraB";
      assertEquals(await read.get(name)!.data(), toFloat32(tensors.get(`param/${name}`)!));
    }),
});
