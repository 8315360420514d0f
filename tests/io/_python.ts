/** Python, where the machine has the packages a test compares with. */

const python = Deno.env.get("ACE_PYTHON") ?? "python3";

/** Runs Python code and returns what it printed; throws what it complained of. */
export async function runPython(code: string, args: string[] = []): Promise<string> {
  const output = await new Deno.Command(python, { args: ["-c", code, ...args] }).output();
  if (!output.success) throw new Error(new TextDecoder().decode(output.stderr));
  return new TextDecoder().decode(output.stdout);
}

/** Whether Python can import all of `modules`. */
export async function hasPython(...modules: string[]): Promise<boolean> {
  try {
    await runPython(
      `import importlib.util, sys; sys.exit(0 if all(map(importlib.util.find_spec, sys.argv[1:])) else 1)`,
      modules,
    );
    return true;
  } catch {
    return false;
  }
}

/** A test's name with the reason it is skipped, if it is. */
export function skipName(name: string, isReady: boolean, need: string): string {
  return isReady ? name : `${name} (skipped: needs ${need}; set ACE_PYTHON)`;
}
