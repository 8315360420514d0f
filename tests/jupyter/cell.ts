/**
 * Runs a cell through an installed kernel, in a process that may talk to it: `cell.ts KERNEL_FOLDER FOLDER < CODE`. Prints the
 * error that ended it.
 *
 * @module
 */
import { join } from "@std/path";
import { runCell } from "../../lib/jupyter/kernelspec.ts";

const [kernel, folder] = Deno.args as [string, string];
const spec = JSON.parse(await Deno.readTextFile(join(kernel, "kernel.json")));
console.log(await runCell(spec, folder, await new Response(Deno.stdin.readable).text()) ?? "");
