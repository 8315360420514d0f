/** Deno as the site's builder starts it. @module */

/**
 * Runs Deno in a folder.
 *
 * @param deno The program; by this name the task may run it.
 * @throws {Error} With its last words, if it fails.
 */
export async function runDeno(args: readonly string[], cwd: string, deno = "deno"): Promise<void> {
  const { success, stderr } = await new Deno.Command(deno, { args: [...args], cwd, stdout: "null" }).output();
  if (!success) {
    throw new Error(`Cannot build the site as deno ${args[0]} must succeed: ${new TextDecoder().decode(stderr)}`);
  }
}
