/** The kernel "ACE-LoRA (Deno)": installed, checked, and run by Jupyter's own client where there is one. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { installKernelspec, jupyterDataFolder, type Kernelspec } from "../../lib/jupyter/kernelspec.ts";
import { decodePng } from "../../lib/image/png.ts";

const PACKAGE = fromFileUrl(new URL("../../", import.meta.url));
const python = Deno.env.get("ACE_PYTHON") ?? "python3";

async function run(command: string, args: string[], cwd?: string): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    env: { NO_COLOR: "1" },
    ...(cwd === undefined ? {} : { cwd }),
  }).output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

/** `deno task kernel` with these options, from a folder elsewhere. */
async function task(options: string[]): Promise<{ code: number; text: string }> {
  return await run(Deno.execPath(), ["task", "--quiet", "--config", join(PACKAGE, "deno.json"), "kernel", ...options]);
}

/** The error that ends a cell in the kernel that is installed in `kernel`; empty for none. */
async function cell(kernel: string, folder: string, code: string): Promise<string> {
  const script = fromFileUrl(new URL("cell.ts", import.meta.url));
  const permissions = ["--allow-read", "--allow-write", "--allow-run", "--allow-net=127.0.0.1"];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...permissions, script, kernel, folder],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(code));
  await writer.close();
  return new TextDecoder().decode((await child.output()).stdout).trim();
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "ace-jupyter-" }));
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("deno task kernel names an option it does not know in one line", async () => {
  for (const option of ["--chek", "notebook"]) {
    const { code, text } = await task([option]);
    assertEquals(code, 1);
    assertMatch(text, new RegExp(`^error: [^\\n]*'${option}'[^\\n]*\\ndeno task kernel --help tells more\\n$`));
  }
});

Deno.test("jupyterDataFolder() is where Jupyter looks on each system", () => {
  const of = (os: typeof Deno.build.os, variables: Record<string, string>) =>
    jupyterDataFolder(os, (name) => variables[name]);
  assertEquals(of("linux", { HOME: "/home/a" }), "/home/a/.local/share/jupyter");
  assertEquals(of("linux", { HOME: "/home/a", XDG_DATA_HOME: "/x" }), "/x/jupyter");
  assertEquals(of("darwin", { HOME: "/Users/a" }), "/Users/a/Library/Jupyter");
  assertEquals(of("linux", { HOME: "/home/a", JUPYTER_DATA_DIR: "/j" }), "/j");
});

Deno.test("deno task kernel installs a kernel that --check runs a cell through; --check names what is wrong otherwise", async () => {
  await inFolder(async (prefix) => {
    const absent = await task(["--check", "--prefix", prefix]);
    assertEquals(absent.code, 1, absent.text);
    assertMatch(absent.text, /error: .*kernel\.json is not there: run deno task kernel/);
    const installed = await task(["--prefix", prefix]);
    assertEquals(installed.code, 0, installed.text);
    const folder = join(prefix, "share/jupyter/kernels/ace-lora");
    const path = join(folder, "kernel.json");
    const spec = JSON.parse(await Deno.readTextFile(path)) as Kernelspec;
    assertEquals([spec.display_name, spec.language], ["ACE-LoRA (Deno)", "typescript"]);
    assert(!/_npx/.test(spec.argv.join(" ")), "not in npx's cache");
    assertEquals(spec.env["DENO_V8_FLAGS"] !== undefined, Deno.build.arch === "x86_64");
    const works = await task(["--check", "--prefix", prefix]);
    assertEquals(works.code, 0, works.text);
    assertMatch(works.text, /the kernel works/);
    const broken: [Partial<Kernelspec>, RegExp][] = [
      [
        { argv: ["/nowhere/deno", ...spec.argv.slice(1)] },
        /error: \/nowhere\/deno is no longer there: run deno task kernel/,
      ],
      [{ argv: spec.argv.toSpliced(1, 1, "run", "--nonsense") }, /error: the kernel ended at its start: .*/],
      [
        { argv: [spec.argv[0]!, "jupyter", "--kernel", "--conn", "{connection_file}"] },
        /error: a cell failed: .*ace-lora/,
      ],
    ];
    for (const [change, message] of broken) {
      await Deno.writeTextFile(path, JSON.stringify({ ...spec, ...change }));
      const { code, text } = await task(["--check", "--prefix", prefix]);
      assertEquals(code, 1, text);
      assertMatch(text, message);
    }
  });
});

Deno.test("a cell of a notebook anywhere finds the package, its own folder's files and modules; after offline() it can neither fetch nor run", async () => {
  await inFolder(async (data) => {
    const kernel = await installKernelspec(data);
    const folder = join(data, "a notebook's");
    await Deno.mkdir(folder);
    await Deno.writeTextFile(join(folder, "films.csv"), "path\n1.png\n");
    await Deno.writeTextFile(join(folder, "own.ts"), "export const own: number = 7;\n");
    const error = await cell(
      kernel,
      folder,
      `import { loadModel } from "@ace-lora/ace-lora";
import { offline } from "@ace-lora/ace-lora/jupyter";
import { own } from "./own.ts";
const states = await offline();
const refused = (body) => Promise.resolve().then(body).then(() => "allowed", ({ name }) => name);
const { params } = await loadModel();
Deno.writeTextFileSync("found.json", JSON.stringify([
  own, Deno.readTextFileSync("films.csv"), params !== undefined, states,
  states[Symbol.for("Jupyter.display")]()["text/plain"].slice(0, 8),
  await refused(() => fetch("http://127.0.0.1:8999/")), await refused(() => new Deno.Command(Deno.execPath()).output()),
]));`,
    );
    assertEquals(error, "");
    assertEquals(JSON.parse(await Deno.readTextFile(join(folder, "found.json"))), [
      7,
      "path\n1.png\n",
      true,
      { net: "prompt", run: "prompt", ffi: "prompt" },
      "Offline:",
      "NotCapable",
      "NotCapable",
    ]);
    assertEquals(await cell(kernel, folder, 'throw new RangeError("too far");'), "RangeError: too far");
  });
});

Deno.test({
  name: "Jupyter's interrupt leaves the kernel and its variables, and asks a watched training to stop",
  ignore: Deno.build.os === "windows", // where Jupyter has another way
  fn: async () => {
    await inFolder(async (data) => {
      const error = await cell(
        await installKernelspec(data),
        data,
        `Deno.kill(Deno.pid, "SIGINT"); // the kernel that nobody prepared ends here
import { watchFit } from "@ace-lora/ace-lora/train";
const watch = watchFit();
const asked = new Promise((resolve) => watch.hooks.signal.addEventListener("abort", resolve));
Deno.kill(Deno.pid, "SIGINT");
await asked;
await watch.end();
Deno.writeTextFileSync("lives", String(watch.hooks.signal.aborted));`,
      );
      assertEquals(error, "");
      assertEquals(await Deno.readTextFile(join(data, "lives")), "true");
    });
  },
});

Deno.test("installKernelspec() writes down where Deno's cache lies, as Jupyter may not know the shell's variables", async () => {
  await inFolder(async (data) => {
    for (const cache of [undefined, "/carried/over"]) {
      const folder = await installKernelspec(data, cache);
      const { env } = JSON.parse(await Deno.readTextFile(join(folder, "kernel.json"))) as Kernelspec;
      assertEquals(env["DENO_DIR"], cache);
    }
  });
});

Deno.test("the icons are PNGs of 32 and 64 pixels", async () => {
  await inFolder(async (data) => {
    const folder = await installKernelspec(data);
    for (const size of [32, 64]) {
      const { width, height } = decodePng(await Deno.readFile(join(folder, `logo-${size}x${size}.png`)), "icon");
      assertEquals([width, height], [size, size]);
    }
  });
});

const hasClient = await run(python, ["-c", "import jupyter_client"]).then(({ code }) => code === 0, () => false);
const CLIENT = `
import sys
from jupyter_client.manager import start_new_kernel
from jupyter_client.kernelspec import KernelSpecManager
manager, client = start_new_kernel(startup_timeout=300, kernel_name="ace-lora", cwd=sys.argv[1])
client.execute_interactive('Deno.writeTextFileSync("first", Deno.cwd())', timeout=300)
client.execute("await new Promise(() => setInterval(() => {}, 100))")
manager.interrupt_kernel()
manager.restart_kernel(now=True)
client.wait_for_ready(timeout=300)
client.execute_interactive('Deno.writeTextFileSync("second", Deno.cwd())', timeout=300)
client.stop_channels()
manager.shutdown_kernel()
print(manager.has_kernel)
`;

Deno.test({
  name: `Jupyter's own client starts, restarts and ends the kernel${
    hasClient ? "" : ` [skipped: ${python} has no jupyter_client]`
  }`,
  ignore: !hasClient,
  fn: async () => {
    await inFolder(async (folder) => {
      await installKernelspec(folder);
      const { stdout, stderr, code } = await new Deno.Command(python, {
        args: ["-c", CLIENT, folder],
        env: { JUPYTER_DATA_DIR: folder, NO_COLOR: "1" },
      }).output();
      assertEquals(code, 0, new TextDecoder().decode(stderr));
      assertEquals(new TextDecoder().decode(stdout), "False\n");
      for (const name of ["first", "second"]) assertEquals(await Deno.readTextFile(join(folder, name)), folder);
    });
  },
});
