/** Runs portable.ts on Deno, Node, Bun and in Chromium. */
import { fromFileUrl, join } from "@std/path";
import { writeAssets } from "../../pages/app/assets.ts";
import type { Page } from "../browser/chromium.ts";
import { type PortableResult, type PortableTask, run } from "./portable.ts";

const ROOT = fromFileUrl(new URL("../../", import.meta.url));

const FILMS = [
  "fixtures/interlaced_rgb.png",
  "fixtures/jpeg_420.jpg",
  "still_fixtures/lossless_rgb.webp",
  "still_fixtures/grey_tiff_lzw.tif",
  "dicom_fixtures/deflated_12.dcm",
];
const CODED = ["j2k_16.dcm", "jpegls_16.dcm"];

/** Bytes of text, gzipped. */
async function gzipped(text: string): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The files that the task reads. */
export async function portableFilms(): Promise<Record<string, Uint8Array<ArrayBuffer>>> {
  const read = (path: string): Promise<Uint8Array<ArrayBuffer>> =>
    Deno.readFile(new URL(`../image/${path}`, import.meta.url));
  const films: Record<string, Uint8Array<ArrayBuffer>> = {};
  for (const path of [...FILMS, ...CODED.map((name) => `dicom_fixtures/${name}`)]) {
    films[`films/${path.split("/").at(-1)}`] = await read(path);
  }
  const png = films["films/interlaced_rgb.png"]!, jpeg = films["films/jpeg_420.jpg"]!;
  const table = "path,text,label\na.png,a small effusion,effusion\nb.jpg,no finding,none\n";
  return {
    ...films,
    "cohort/pairs.csv.gz": await gzipped(table),
    "cohort/a.png": png,
    "cohort/b.jpg": jpeg,
    "cohort/classes/effusion/a.png": png,
    "cohort/classes/none/b.jpg": jpeg,
  };
}

/** A folder with the bundle, the assets and the films, and beside the bundle what Node finds packages by. */
export async function portableFolder(films: PortableTask["films"]): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "ace-portable-" });
  await Deno.mkdir(join(folder, "lib/platform"), { recursive: true });
  // Packages may differ in what they give to browsers.
  await Promise.all([["portable", "browser"], ["portable_node", "deno"]].map(async ([name, platform]) => {
    const args = ["bundle", "--quiet", "--platform", platform!, "-o", join(folder, `lib/platform/${name}.js`)];
    const bundle = await new Deno.Command(Deno.execPath(), {
      args: [...args, "tests/platform/portable.ts"],
      cwd: ROOT,
    }).output();
    if (!bundle.success) throw new Error(new TextDecoder().decode(bundle.stderr));
  }));
  await writeAssets(join(folder, "assets"));
  await Deno.symlink(join(ROOT, "data"), join(folder, "data"));
  for (
    const [name, file] of [
      ["@tensorflow/tfjs-backend-wasm", "wasm-out/tfjs-backend-wasm-simd.wasm"],
      ["@jsquash/webp", "codec/dec/webp_dec.wasm"],
      ["@cornerstonejs/codec-charls", "decodewasm"],
      ["@cornerstonejs/codec-openjpeg", "decodewasm"],
      ["@cornerstonejs/codec-libjpeg-turbo-8bit", "decodewasm"],
    ] as const
  ) {
    const path = fromFileUrl(import.meta.resolve(`${name}/${file}`));
    await Deno.mkdir(join(folder, "node_modules", name.split("/")[0]!), { recursive: true });
    const home = path.slice(0, path.lastIndexOf(`/${name}/`) + name.length + 2);
    const version = [...Deno.readDirSync(home)].find((entry) => /^\d/.test(entry.name))?.name ?? "";
    await Deno.symlink(join(home, version), join(folder, "node_modules", name));
  }
  for (const [path, bytes] of Object.entries(films)) {
    await Deno.mkdir(join(folder, "work", path, ".."), { recursive: true });
    await Deno.writeFile(join(folder, "work", path), bytes);
  }
  return folder;
}

/** Runs the task on Deno. */
export async function onDeno(folder: string, task: Omit<PortableTask, "folder">): Promise<PortableResult> {
  return await run({ ...task, folder: join(folder, "work") });
}

const asJson = (task: object): string =>
  JSON.stringify(task, (_, value) => value instanceof Uint8Array ? { base64: value.toBase64() } : value);

/** In the source of another runtime: the task, its bytes again bytes. */
const REVIVE = `(text) => JSON.parse(text, (_, value) =>
  typeof value?.base64 === "string" ? Uint8Array.from(atob(value.base64), (c) => c.charCodeAt(0)) : value)`;

/** Runs the task on a runtime of Node's kind. */
export async function onNode(
  executable: string,
  folder: string,
  task: Omit<PortableTask, "folder">,
): Promise<PortableResult> {
  const main = join(folder, `main-${crypto.randomUUID().slice(0, 8)}.mjs`);
  await Deno.writeTextFile(`${main}.json`, asJson({ ...task, folder: join(folder, "work") }));
  await Deno.writeTextFile(
    main,
    `import { readFileSync, writeFileSync } from "node:fs";
globalThis.__dirname = import.meta.dirname; // of CommonJS, which tf.js's script asks for and a bundle has not
const { run } = await import("./lib/platform/portable_node.js");
const task = (${REVIVE})(readFileSync(${JSON.stringify(`${main}.json`)}, "utf8"));
writeFileSync(${JSON.stringify(`${main}.out`)}, JSON.stringify(await run(task)));
process.exit(0);
`,
  );
  const { success, stderr, stdout } = await new Deno.Command(executable, { args: [main], cwd: folder }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr) + new TextDecoder().decode(stdout));
  return JSON.parse(await Deno.readTextFile(`${main}.out`));
}

/** Runs the task in a worker of an open page of a server of the folder. */
export async function inPage(
  page: Page,
  address: string,
  task: Omit<PortableTask, "folder" | "assets">,
): Promise<PortableResult> {
  const text = asJson({ ...task, folder: "work", assets: new URL("/assets/", address).href });
  const answer = await page.evaluate(`new Promise((resolve, reject) => {
    const source = ${
    JSON.stringify(`
      import { run } from "${address}lib/platform/portable.js";
      onmessage = async ({ data }) => {
        try { postMessage({ result: await run((${REVIVE})(data)) }); } catch (error) { postMessage({ error: error.stack }); }
      };
    `)
  };
    const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })), { type: "module" });
    worker.onmessage = ({ data }) => data.error ? reject(new Error(data.error)) : resolve(JSON.stringify(data.result));
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(${JSON.stringify(text)});
  })`);
  return JSON.parse(answer);
}

/** A running server of a folder. */
export interface Server {
  /** Its address, with a slash at the end. */
  address: string;
  /** Ends it. */
  close(): Promise<void>;
}

/** Serves a folder from a process of its own, which alone may use the network, this machine's. */
export async function startServer(folder: string, plain = false): Promise<Server> {
  const script = join(ROOT, "pages/app/serve.ts");
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-check",
      `--allow-read=${folder}`,
      "--allow-net=127.0.0.1",
      script,
      folder,
      "0",
      ...plain ? ["--plain"] : [],
    ],
    cwd: ROOT,
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the server has ended");
    text += value;
  }
  return {
    address: text.trim(),
    async close() {
      child.kill();
      await child.status;
      await reader.cancel().catch(() => {});
    },
  };
}
