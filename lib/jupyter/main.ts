/**
 * `deno task kernel [--check] [--prefix DIR]`: installs the kernel "ACE-LoRA (Deno)" for Jupyter, or says what is wrong with it.
 *
 * @module
 */
import { join, resolve } from "@std/path";
import { parseArgs } from "node:util";
import { errorMessage } from "../platform/error_message.ts";
import { checkKernelspec, installKernelspec, jupyterDataFolder } from "./kernelspec.ts";

const HELP = `Installs the kernel "ACE-LoRA (Deno)" for Jupyter, JupyterLab and VS Code

Usage: deno task kernel [options]

      --check       Run a cell through the installed kernel; say what is wrong
      --prefix DIR  Install below DIR/share/jupyter, such as a virtual
                    environment (default: the user's folder)
  -h, --help        Show this help`;

function readArguments(): { check: boolean; prefix?: string; help: boolean } {
  try {
    return parseArgs({
      options: {
        check: { type: "boolean", default: false },
        prefix: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    }).values;
  } catch (error) {
    const message = errorMessage(error).split(". To specify")[0];
    console.error(
      `error: ${message}: type deno task kernel, --check or --prefix DIR\ndeno task kernel --help tells more`,
    );
    Deno.exit(1);
  }
}

if (import.meta.main) {
  const values = readArguments();
  if (values.help) {
    console.log(HELP);
    Deno.exit(0);
  }
  const data = values.prefix === undefined
    ? jupyterDataFolder(Deno.build.os, (name) => Deno.env.get(name))
    : join(resolve(Deno.env.get("INIT_CWD") ?? "", values.prefix), "share", "jupyter");
  if (!values.check) {
    const folder = await installKernelspec(data, Deno.env.get("DENO_DIR")).catch((error: Error) => {
      console.error(`error: Cannot install the kernel below "${data}": ${error.message}`);
      Deno.exit(1);
    });
    console.log(
      `installed in ${folder}\nchoose "ACE-LoRA (Deno)" in Jupyter's or VS Code's list`,
    );
    Deno.exit(0);
  }
  const { problems, facts } = await checkKernelspec(data);
  for (const [name, value] of Object.entries(facts)) console.log(`${name}: ${value}`);
  for (const problem of problems) console.error(`error: ${problem}`);
  if (problems.length === 0) console.log("the kernel works");
  Deno.exit(problems.length === 0 ? 0 : 1);
}
