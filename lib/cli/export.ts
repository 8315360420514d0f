/** `deno task export`: an adapted model for other programs. @module */
import { join } from "@std/path";
import { exportOnnx } from "../export/onnx/model.ts";
import { checkWritable } from "../io/files.ts";
import { classifierFrom } from "./classify.ts";
import type { Command } from "./command.ts";
import { ADAPTER_OPTION, MODEL_OPTIONS } from "./data_options.ts";
import { BACKEND_OPTION, startBackend } from "./shared.ts";

export const COMMAND: Command = {
  name: "export",
  summary: "An adapted model as ONNX, LoRA merged and ACE-HGNN inside, for onnxruntime anywhere",
  options: {
    onnx: {
      type: "string",
      value: "DIR",
      help: "Folder of image.onnx, text.onnx and preprocessing.json (how inputs are prepared, what features become)",
    },
    ...MODEL_OPTIONS,
    ...ADAPTER_OPTION,
    ...BACKEND_OPTION,
  },
  example: "deno task export --adapter adapter.safetensors --onnx results/onnx",
  async run(args) {
    const folder = args.required("onnx");
    await checkWritable(join(folder, "preprocessing.json"));
    await startBackend(args);
    const { params, config } = await classifierFrom(args);
    const files = await exportOnnx(params, config, folder);
    console.log(Object.values(files).join("\n"));
  },
};
