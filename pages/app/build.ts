/**
 * `deno task page [DIR] [--serve]`: puts the page together as static files, and serves them on this machine alone.
 *
 * @module
 */
import { fromFileUrl, join, resolve } from "@std/path";
import { type Arguments, COUNT, UsageError } from "../../lib/cli/command.ts";
import { runStandalone } from "../../lib/cli/standalone.ts";
import { writeAssets } from "./assets.ts";
import { serveFolder } from "./serve.ts";

const HERE = fromFileUrl(new URL(".", import.meta.url));
const STATIC = ["index.html", "style.css", "icon.svg", "app.webmanifest"];
const SCRIPTS = { "main.js": "ui/main.ts", "worker.js": "engine/worker.ts", "service_worker.js": "service_worker.ts" };

async function bundle(deno: string, entry: string, output: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(deno, {
    args: ["bundle", "--quiet", "--platform", "browser", "--minify", "-o", output, entry],
    cwd: HERE,
  }).output();
  if (!success) throw new Error(`Cannot bundle "${entry}": ${new TextDecoder().decode(stderr)}`);
}

/** Names of all files under a folder, in order. */
async function filesUnder(folder: string, prefix = ""): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(join(folder, prefix))) {
    if (isDirectory) names.push(...await filesUnder(folder, `${prefix}${name}/`));
    else names.push(prefix + name);
  }
  return names.sort();
}

/**
 * Writes the page into a folder, in place of what the build wrote there before.
 *
 * @param deno The program that bundles.
 */
export async function buildPage(folder: string, deno: string = Deno.execPath()): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const file of STATIC) await Deno.copyFile(join(HERE, file), join(folder, file));
  for (const [output, entry] of Object.entries(SCRIPTS)) await bundle(deno, entry, join(folder, output));
  await writeAssets(join(folder, "assets"));
  const files = (await filesUnder(folder)).filter((file) => file !== "service_worker.js");
  const digests = await Promise.all(
    files.map(async (file) =>
      new Uint8Array(await crypto.subtle.digest("SHA-256", await Deno.readFile(join(folder, file)))).toHex()
    ),
  );
  const all = new TextEncoder().encode(files.map((file, i) => `${digests[i]} ${file}\n`).join(""));
  const version = new Uint8Array(await crypto.subtle.digest("SHA-256", all)).toHex().slice(0, 16);
  const script = join(folder, "service_worker.js");
  const head = `const PAGE = ${JSON.stringify({ version, files })};\n`;
  await Deno.writeTextFile(script, head + await Deno.readTextFile(script));
}

async function main(args: Arguments): Promise<void> {
  const [named, ...more] = args.positionals;
  if (more.length > 0) throw new UsageError(`"${more[0]}" is one folder too many: the page is written to one`);
  const port = args.number("port", 8000);
  const folder = resolve(Deno.env.get("INIT_CWD") ?? Deno.cwd(), named ?? "page");
  await buildPage(folder, "deno"); // by that name the task may run it
  console.log(`Written: ${folder}`);
  if (!args.flag("serve")) return;
  const { addr, finished } = served(folder, port);
  console.log(`Open http://${addr.hostname}:${addr.port}/ (Ctrl-C ends it)`);
  await finished;
}

function served(folder: string, port: number): Deno.HttpServer<Deno.NetAddr> {
  try {
    return serveFolder(folder, { port });
  } catch (error) {
    if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    throw new UsageError(
      `Cannot serve at port ${port} as it must be free: another program has it; --port N takes another`,
    );
  }
}

if (import.meta.main) {
  await runStandalone({
    name: "page",
    summary: "Put the browser page together as static files; --serve shows it on this machine",
    positionals: "[DIR]",
    options: {
      serve: { help: "Serve the folder at 127.0.0.1, to this machine alone" },
      port: { value: "N", number: COUNT, help: "Where it is served (default: 8000)" },
    },
    example: "deno task page --serve",
    run: main,
  });
}
