/** Inputs recreated from problem reports, outside the repository. @module */
import { fromFileUrl, join } from "@std/path";

/** Their folder. */
export const CASES: string = Deno.env.get("ACE_CASES") ?? fromFileUrl(new URL("../../shared/cases", import.meta.url));

/** Options of a test that needs one of them: skipped, with the reason in its name, where it is absent. */
export function needsCase(folder: string, name: string): { name: string; ignore: boolean } {
  let present = true;
  try {
    Deno.statSync(join(CASES, folder));
  } catch {
    present = false;
  }
  return { name: present ? name : `${name} (skipped: no ${folder} under ACE_CASES)`, ignore: !present };
}
