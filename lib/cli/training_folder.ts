/** The folder of a training run: what it holds, what is kept of it and what goes. @module */
import { join } from "@std/path";
import type { AceLoraConfig, AceLoraParams } from "../ace_lora.ts";
import type { UsedCases } from "../data/seen.ts";
import { saveAdapter } from "../adapters/model.ts";
import { exists } from "../io/files.ts";
import { RUN_LOG_NAMES } from "../train/log/run_log.ts";
import { hasRunState, removeRunState } from "../train/state.ts";
import { type Arguments, UsageError } from "./command.ts";

/** The adapter after the last step, and that of the best figure. */
export const ADAPTERS = { last: "adapter.safetensors", best: "best.safetensors" } as const;

/** Path of the state from which a run goes on. */
export function statePathOf(out: string): string {
  return join(out, "state.safetensors");
}

/** Refuses a folder that holds a run already, unless that one goes on or is given up. */
export async function checkFree(args: Arguments, out: string): Promise<void> {
  if (args.flag("resume") || args.flag("overwrite")) return;
  if (await exists(join(out, ADAPTERS.last))) {
    throw new UsageError(
      `"${out}" holds a finished run: --out names another folder, --overwrite gives that run up`,
    );
  }
  if (!await hasRunState(statePathOf(out))) return;
  throw new UsageError(`"${out}" holds an interrupted run: --resume goes on with it, --overwrite gives it up`);
}

/** Removes what writers that were killed left under temporary names; the folder is locked, so nobody writes there. */
export async function sweep(out: string): Promise<void> {
  for await (const { name, isFile } of Deno.readDir(out)) {
    if (isFile && /\.(tmp|next)$/.test(name)) await Deno.remove(join(out, name));
  }
}

/** Makes the folder ready for the first step, or says that there is none to go on from. */
export async function makeReady(args: Arguments, out: string, isWriter: boolean): Promise<void> {
  const statePath = statePathOf(out);
  if (!args.flag("resume")) return isWriter ? await clear(out) : undefined;
  if (await hasRunState(statePath)) return;
  console.error(`nothing to resume: no "${statePath}"; starting at the first step`);
}

/** Removes what an earlier run left, so that nothing of it is taken for this one's. */
async function clear(out: string): Promise<void> {
  await removeRunState(statePathOf(out));
  for (const name of [...Object.values(ADAPTERS), "training.json", ...RUN_LOG_NAMES]) {
    if (await exists(join(out, name))) await Deno.remove(join(out, name), { recursive: true });
  }
}

/** Writes the adapter with the lists of its cases, if the last update left its numbers finite. */
export async function keepAdapter(
  path: string,
  params: AceLoraParams,
  { config, cases }: { config: AceLoraConfig; cases: UsedCases },
): Promise<void> {
  await saveAdapter(path, params, config, cases).catch((error) => {
    if (!(error instanceof RangeError)) throw error;
    throw new RangeError(
      `Cannot keep "${path}" as the adapter as its numbers must be finite (a lower --learning-rate may help): ${error.message}`,
      { cause: error },
    );
  });
}
