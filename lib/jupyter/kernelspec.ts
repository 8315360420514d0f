/** The kernelspec "ACE-LoRA (Deno)": what it holds, where it lies, whether it works. @module */
import { fromFileUrl, join } from "@std/path";
import { errorMessage } from "../platform/error_message.ts";
import { FLAG } from "../tensor/wasm/matmul_strips.ts";
import { iconPng, iconSvg } from "./icon.ts";
import { type Connection, freePorts, waitForKernel } from "./wire.ts";

/** Folder of the kernelspec, and its name for `--kernel`. */
const KERNEL_NAME = "ace-lora";
const LAUNCHER = fromFileUrl(new URL("./launch.ts", import.meta.url));
const CONFIG = fromFileUrl(new URL("../../deno.json", import.meta.url));

/** kernel.json. */
export interface Kernelspec {
  /** Command line; `{connection_file}` is replaced. */
  argv: string[];
  /** Name in menus. */
  display_name: string;
  /** Language. */
  language: string;
  /** Variables of its process. */
  env: Record<string, string>;
}

/** Where Jupyter looks for a user's kernels. Source: jupyter_core, `paths.py`. */
export function jupyterDataFolder(os: typeof Deno.build.os, variable: (name: string) => string | undefined): string {
  const own = variable("JUPYTER_DATA_DIR");
  if (own) return own;
  if (os === "windows") return join(variable("APPDATA") ?? "", "jupyter");
  const home = variable("HOME") ?? "";
  if (os === "darwin") return join(home, "Library", "Jupyter");
  return join(variable("XDG_DATA_HOME") || join(home, ".local", "share"), "jupyter");
}

/** The kernelspec that starts this package's kernel by `deno`; `cache` is where that keeps what it fetched, if not its own place. */
function kernelspec(deno: string, cache?: string): Kernelspec {
  const permissions = ["--allow-read", "--allow-write", "--allow-run", "--allow-net"];
  return {
    argv: [deno, "run", "--quiet", "--no-prompt", "--config", CONFIG, ...permissions, LAUNCHER, "{connection_file}"],
    display_name: "ACE-LoRA (Deno)",
    language: "typescript",
    env: {
      // Deno on ARM refuses to start with the flag.
      ...(Deno.build.arch === "x86_64" ? { DENO_V8_FLAGS: FLAG } : {}),
      // Jupyter may be started where the shell's variables are not; without a network the kernel would find nothing.
      ...(cache ? { DENO_DIR: cache } : {}),
      OPENBLAS_THREAD_TIMEOUT: "4",
      KMP_BLOCKTIME: "0",
      DENO_NO_UPDATE_CHECK: "1",
      DENO_NO_PROMPT: "1",
      NO_COLOR: "1",
    },
  };
}

/**
 * Writes the kernelspec, its icons and, where Deno itself lies in a cache of npx that may be emptied, a copy of it.
 *
 * @param data Jupyter's data folder.
 * @param cache Deno's cache, as the variable `DENO_DIR` names it.
 * @returns The kernelspec's folder.
 */
export async function installKernelspec(data: string, cache?: string): Promise<string> {
  const deno = Deno.execPath();
  const folder = join(data, "kernels", KERNEL_NAME);
  await Deno.mkdir(folder, { recursive: true });
  let own = deno;
  if (/[\\/]_npx[\\/]/.test(deno)) {
    own = join(folder, Deno.build.os === "windows" ? "deno.exe" : "deno");
    await Deno.remove(own).catch(() => {}); // a running kernel keeps the old file
    await Deno.copyFile(deno, own);
  }
  await Deno.writeTextFile(join(folder, "kernel.json"), `${JSON.stringify(kernelspec(own, cache), null, 2)}\n`);
  await Deno.writeTextFile(join(folder, "logo-svg.svg"), iconSvg());
  for (const size of [32, 64]) await Deno.writeFile(join(folder, `logo-${size}x${size}.png`), iconPng(size));
  return folder;
}

/** The check's cell: names of the package, a backend, a file in the notebook's folder. */
const CELL = `import { formatTable, selectBackend } from "@ace-lora/ace-lora";
import { offline } from "@ace-lora/ace-lora/jupyter";
const backend = await selectBackend({ backend: "wasm" });
const text = formatTable({ columns: [{ title: "kernel" }], rows: [["works"]] });
Deno.writeTextFileSync("check.json", JSON.stringify({ backend: backend.adapter, text, states: await offline() }));`;

/** What the check found. */
export interface KernelCheck {
  /** What is wrong, each with what to do; empty where nothing is. */
  problems: string[];
  /** What the cell said of the kernel. */
  facts: Record<string, string>;
}

/** Starts the installed kernel in a folder of its own, as Jupyter would, and runs a cell through it. */
export async function checkKernelspec(data: string): Promise<KernelCheck> {
  const path = join(data, "kernels", KERNEL_NAME, "kernel.json");
  const again = "run deno task kernel again";
  let spec: Kernelspec;
  try {
    spec = JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    const isThere = !(error instanceof Deno.errors.NotFound);
    const what = isThere ? "cannot be read: run deno task kernel" : "is not there: run deno task kernel";
    return { problems: [`${path} ${what}`], facts: {} };
  }
  const files = [spec.argv[0]!, ...spec.argv.filter((word) => word.endsWith(".ts") || word.endsWith(".json"))];
  const gone = [];
  for (const file of files) if (!await Deno.stat(file).then(() => true, () => false)) gone.push(file);
  if (gone.length > 0) return { problems: gone.map((file) => `${file} is no longer there: ${again}`), facts: {} };
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "ace-kernel-" }));
  try {
    const error = await runCell(spec, folder, CELL);
    if (error !== undefined) return { problems: [`a cell failed: ${error}`], facts: {} };
    const written = await Deno.readTextFile(join(folder, "check.json")).catch(() => undefined);
    if (written === undefined) return { problems: [`cells do not run in the notebook's folder: ${again}`], facts: {} };
    return { problems: [], facts: { kernelspec: path, deno: spec.argv[0]!, computes: JSON.parse(written).backend } };
  } catch (error) {
    return { problems: [errorMessage(error)], facts: {} };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs one cell in a kernel of its own, started in a folder as Jupyter would. Returns the error that ended the cell. */
export async function runCell({ argv, env }: Kernelspec, folder: string, code: string): Promise<string | undefined> {
  const file = await Deno.makeTempFile({ suffix: ".json" });
  const [shell_port, iopub_port, stdin_port, control_port, hb_port] = freePorts(5);
  const connection: Connection = { ip: "127.0.0.1", shell_port: shell_port!, key: "check" };
  const rest = { transport: "tcp", signature_scheme: "hmac-sha256", iopub_port, stdin_port, control_port, hb_port };
  await Deno.writeTextFile(file, JSON.stringify({ ...connection, ...rest }));
  const [command, ...args] = argv.map((word) => word.replace("{connection_file}", file));
  const child = new Deno.Command(command!, { args, env, cwd: folder, stdin: "null", stdout: "null", stderr: "piped" })
    .spawn();
  let [ended, said] = [false, ""];
  const reading = new Response(child.stderr).text().then((text) => said = text);
  const status = child.status.finally(() => ended = true);
  try {
    const client = await waitForKernel(connection, { hasEnded: () => ended });
    try {
      return await client.run(code);
    } finally {
      client.close();
    }
  } catch (error) {
    if (!ended) throw error;
    await reading;
    throw new Error(`the kernel ended at its start: ${said.trim().split("\n").at(-1)}`);
  } finally {
    if (!ended) child.kill("SIGTERM");
    await status;
    await reading;
    await Deno.remove(file);
  }
}
