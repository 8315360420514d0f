/**
 * Starts Deno's kernel for a notebook anywhere on the disk: in this package's folder, so that `deno.json` names what can be
 * imported, and then, before the first cell, in the notebook's own, so that paths start there.
 *
 * The kernel reads its configuration where it starts and has no option that names another. So it listens for cells at a port
 * of its own, is sent to the notebook's folder there, and only then is the port opened that Jupyter knows.
 *
 *     deno run ... launch.ts CONNECTION_FILE
 *
 * @module
 */
import { fromFileUrl } from "@std/path";
import { type Connection, freePorts, waitForKernel } from "./wire.ts";

/**
 * What runs before the first cell. Without a listener of SIGINT, which Jupyter's "interrupt" sends, the kernel would end and
 * all variables with it.
 */
const firstCell = (folder: string): string =>
  `Deno.chdir(${JSON.stringify(folder)});
Deno.addSignalListener("SIGINT", () => console.error("interrupted: a training with watchFit() stops after its step; " +
  "any other cell runs to its end, or until the kernel is restarted"));`;

const PACKAGE = fromFileUrl(new URL("../../", import.meta.url));

/** Hands what comes to one port to another, both ways. */
async function forward(
  from: { hostname: string; port: number },
  to: { hostname: string; port: number },
): Promise<void> {
  for await (const client of Deno.listen(from)) {
    const server = await Deno.connect(to);
    client.setNoDelay(true);
    server.setNoDelay(true);
    for (const [source, target] of [[client, server], [server, client]] as const) {
      source.readable.pipeTo(target.writable).catch(() => {}); // either side has left
    }
  }
}

/** Runs the kernel to its end; returns its exit code. */
async function launch(connectionFile: string): Promise<number> {
  const folder = Deno.cwd();
  const given: Connection = JSON.parse(await Deno.readTextFile(connectionFile));
  const own: Connection = { ...given, shell_port: freePorts(1)[0]! };
  const file = await Deno.makeTempFile({ suffix: ".json" });
  await Deno.writeTextFile(file, JSON.stringify(own)); // readable by its owner alone: it holds the key
  const child = new Deno.Command(Deno.execPath(), { args: ["jupyter", "--kernel", "--conn", file], cwd: PACKAGE })
    .spawn();
  // Jupyter interrupts the whole group: the kernel is told, and this process goes on.
  Deno.addSignalListener("SIGINT", () => {});
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", () => child.kill("SIGTERM"));
  let ended = false;
  const status = child.status.finally(() => ended = true);
  try {
    const kernel = await waitForKernel(own, { hasEnded: () => ended });
    const error = await kernel.run(firstCell(folder));
    if (error) console.error(`The kernel stays in "${PACKAGE}": ${error}`);
    kernel.close();
  } finally {
    await Deno.remove(file);
  }
  forward({ hostname: given.ip, port: given.shell_port }, { hostname: own.ip, port: own.shell_port });
  return (await status).code;
}

if (import.meta.main) Deno.exit(await launch(Deno.args[0]!));
