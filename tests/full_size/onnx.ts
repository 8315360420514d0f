/**
 * A seeded random BiomedCLIP with the released adapter as ONNX, against this package on the same inputs: what it takes, how
 * large the files are, the largest difference.
 *
 *     ACE_PYTHON=python deno run --allow-read --allow-env --allow-run --allow-write=results tests/full_size/onnx.ts
 */
import * as tf from "@tensorflow/tfjs";
import { join } from "@std/path";
import { aceLoraModel } from "../../lib/ace_lora.ts";
import { loadAdapter } from "../../lib/adapters/model.ts";
import { loadClip } from "../../lib/clip/load.ts";
import { exportOnnx } from "../../lib/export/onnx/model.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { gaussian, mulberry32 } from "../../lib/tensor/random.ts";
import type { Tensor2D, Tensor4D } from "../../lib/tensor/types.ts";
import { makeFiles, tokenizerPath } from "./compare.ts";

const SCRIPT = `
import json, sys, time
import numpy as np, onnxruntime
folder = sys.argv[1]
inputs = json.load(open(folder + "/inputs.json"))
out = {"seconds": {}, "version": onnxruntime.__version__}
for name, key, dtype in [("image", "pixel_values", np.float32), ("text", "input_ids", np.int64)]:
    session = onnxruntime.InferenceSession(folder + f"/{name}.onnx", providers=["CPUExecutionProvider"])
    value = np.array(inputs[key]["values"], dtype).reshape(inputs[key]["shape"])
    began = time.perf_counter()
    out[name] = session.run([f"{name}_features"], {key: value})[0].ravel().tolist()
    out["seconds"][name] = time.perf_counter() - began
print(json.dumps(out))
`;

const python = Deno.env.get("ACE_PYTHON") ?? "python3";
const folder = "results/full_size_onnx";
await Deno.mkdir(folder, { recursive: true });
try {
  const parameters = await makeFiles({ folder, layers: 12, vocabulary: 30522, python });
  const backend = await selectBackend({ backend: "wasm" });
  const lap = (from: number): number => Math.round((performance.now() - from) / 100) / 10;
  const { params: base, config: encoders } = await loadClip({
    weights: join(folder, "open_clip_pytorch_model.bin"),
    tokenizer: await tokenizerPath(),
  });
  const { params, config } = await loadAdapter(join(folder, "adapter.pt"), base, encoders);
  const began = performance.now();
  const files = await exportOnnx(params, config, folder);
  const seconds = { export: lap(began) };
  const rng = mulberry32(7);
  const { imageSize } = encoders.vision;
  const { contextLength } = encoders.text;
  const pixels = tf.tensor(
    Float32Array.from({ length: 2 * imageSize * imageSize * 3 }, () => gaussian(rng)),
    [2, imageSize, imageSize, 3],
  ) as Tensor4D;
  const rows = [9, 40].map((count) =>
    Array.from({ length: contextLength }, (_, i) => i < count ? Math.floor(1000 + 20000 * rng()) : 0)
  );
  const ids = tf.tensor2d(rows, undefined, "int32") as Tensor2D;
  const planes = tf.transpose(pixels, [0, 3, 1, 2]);
  await Deno.writeTextFile(
    join(folder, "inputs.json"),
    JSON.stringify({
      pixel_values: { values: [...await planes.data()], shape: planes.shape },
      input_ids: { values: rows.flat(), shape: ids.shape },
    }),
  );
  const model = aceLoraModel(config);
  const merged = model.forEvaluation(params);
  const features = {
    image: await model.imageFeatures(merged, pixels).data(),
    text: await model.textFeatures(merged, ids).data(),
  };
  const output = await new Deno.Command(python, { args: ["-c", SCRIPT, folder] }).output();
  if (!output.success) throw new Error(new TextDecoder().decode(output.stderr));
  const actual = JSON.parse(new TextDecoder().decode(output.stdout));
  const difference = (name: "image" | "text"): number =>
    [...features[name]].reduce((most, value, i) => Math.max(most, Math.abs(value - actual[name][i])), 0);
  const size = async (path: string): Promise<number> => (await Deno.stat(path)).size;
  console.log(JSON.stringify(
    {
      parameters,
      adapter: { lora: config.lora?.encoders, hgnn: config.hgnn?.encoders },
      backend: backend.name,
      onnxruntime: actual.version,
      seconds: { ...seconds, ...actual.seconds },
      bytes: { image: await size(files.image), text: await size(files.text) },
      differences: { image: difference("image"), text: difference("text") },
    },
    null,
    2,
  ));
} finally {
  await Deno.remove(folder, { recursive: true });
}
Deno.exit(0);
