/** Adapters that the runs of table 1 leave behind at the paper's scale, and that the heads of table 4 stand on. @module */
import { join } from "@std/path";
import type { AceLoraConfig } from "../ace_lora.ts";
import { saveAdapter } from "../adapters/model.ts";
import type { PeftMethod, PeftParams } from "../peft/method.ts";
import { configurationKey } from "./record.ts";
import type { RunSpec } from "./plan.ts";

/**
 * Where a run keeps its adapter; undefined where no table asks for it. The name changes with all that the training depends on.
 *
 * @param configuration Of the run, as its record has it.
 */
export async function keptAdapterPath(
  out: string,
  run: RunSpec & { seed: number },
  configuration: Record<string, unknown>,
): Promise<string | undefined> {
  const isAsked = ["rslora", "ace-lora"].includes(run.method) && run.settings === undefined &&
    run.loss === undefined && run.rateFactor === undefined;
  if (!isAsked) return undefined;
  const { model, method, settings, training } = configuration;
  const tag = await shortTag(configurationKey({ model, method, settings, training }));
  return join(out, "adapters", `${run.method}-seed${run.seed}.${tag}.safetensors`);
}

/** 12 hex digits of a text's SHA-256. */
export async function shortTag(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex().slice(0, 12);
}

/** The configuration under which an adapter of rsLoRA or ACE-LoRA is kept. */
function adapterConfig({ name, encoders, settings }: PeftMethod): AceLoraConfig {
  return (name === "rslora" ? { encoders, lora: settings } : { encoders, ...settings }) as AceLoraConfig;
}

/** Keeps an adapter, whole or not at all. */
export async function keepAdapter(path: string, method: PeftMethod, params: PeftParams): Promise<void> {
  await Deno.mkdir(join(path, ".."), { recursive: true });
  await saveAdapter(path, params, adapterConfig(method));
}
