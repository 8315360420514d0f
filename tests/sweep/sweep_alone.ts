/**
 * Damaged files of every format, made by seed: each is refused in one line that names it, or read as an independent reader reads the
 * same bytes. ACE_SWEEP is how many (1,000), ACE_SWEEP_SEED where they begin (1). Of the first 22,000 seeds one is known to be read
 * otherwise: in 21672 a bit of a DC difference is turned, and the one block with a coefficient of 321,013 overflows a `long` of 32
 * bits, as lib/image/jpeg.ts says.
 */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { zipSync } from "fflate";
import { mulberry32 } from "../../lib/tensor/random.ts";
import { cpuMilliseconds } from "../cpu_time.ts";
import { gzip } from "../data/helpers.ts";
import { hasPython } from "../io/_python.ts";
import { type Kind, NPZ_NAME, READERS } from "./digest.ts";
import { mutate } from "./mutate.ts";
import { inFolder } from "../folder.ts";

const COUNT = Number(Deno.env.get("ACE_SWEEP") ?? 1000);
const SEED = Number(Deno.env.get("ACE_SWEEP_SEED") ?? 1);
/** The aim is 2 s and 300 MiB; a slow machine that does much else gets more. */
const MAX_MILLISECONDS = 10_000, MAX_GROWTH = 600 * 2 ** 20;

const file = (path: string): Uint8Array => Deno.readFileSync(new URL(`../${path}`, import.meta.url));
const images = (names: string): Uint8Array[] => names.split(" ").map((name) => file(`image/fixtures/${name}`));
const stills = (names: string): Uint8Array[] => names.split(" ").map((name) => file(`image/still_fixtures/${name}`));
const dicoms = (names: string): Uint8Array[] =>
  names.split(" ").map((name) => file(`image/dicom_fixtures/${name}.dcm`));

function npy(type: string, shape: number[], size: number): Uint8Array {
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`.padEnd(117) + "\n";
  const head = [0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, text.length, 0, ...new TextEncoder().encode(text)];
  return Uint8Array.from([...head, ...Array.from({ length: size }, (_, i) => (i * 37) & 255)]);
}

const CSV = "image,text,label\n" +
  Array.from({ length: 40 }, (_, i) => `films/${i}.png,"no ""focal"" consolidation, ${i} é",${i % 3}`).join("\r\n") +
  "\n";

const ORIGINALS: Readonly<Record<Kind, Uint8Array[]>> = {
  png: images("grey_odd.png grey_224.png interlaced_rgb.png rgb_up.png rgba_up.png"),
  jpeg: images("grey_jpeg.jpg grey_jpeg_progressive.jpg jpeg_420.jpg jpeg_420_progressive.jpg jpeg_restart.jpg"),
  tiff: stills("grey_raw.tif rgb_tiff_lzw.tif grey_tiff_adobe_deflate.tif predictor.tif strips.tif"),
  webp: stills("lossless_rgb.webp lossless_rgba.webp lossy.webp"),
  dicom: dicoms(
    "explicit_8 implicit_12_window big_16 deflated_12 nested_sequences mono1_12_window rle_8 rle_rgb rle_16 rgb",
  ),
  safetensors: [file("io/fixtures/dtypes.safetensors"), file("io/fixtures/part-00001-of-00002.safetensors")],
  torch: ["single", "nested_p2", "nested_p4", "strided", "dtypes", "zip64"].map((name) =>
    file(`io/fixtures/${name}.pt`)
  ),
  npy: [npy("|u1", [4, 6], 24), npy("<i2", [3, 2, 2], 24), npy("<u8", [3], 24)],
  npz: [zipSync({ [`${NPZ_NAME}.npy`]: npy("|u1", [8, 9], 72) })],
  csv: [new TextEncoder().encode(CSV), new TextEncoder().encode(CSV.replaceAll(",", "\t")), await gzip(CSV)],
};

interface Read {
  path: string;
  kind: Kind;
  digest: string;
  /** What the file held before it was damaged. */
  original: string;
  separator?: string;
}

/** What an error message must be; undefined when it is. */
function objection(error: unknown, path: string): string | undefined {
  if (!(error instanceof SyntaxError || error instanceof RangeError)) return `threw ${error}`;
  const { message } = error;
  if (!message.includes(path)) return `does not name the file: ${message}`;
  // deno-lint-ignore no-control-regex
  if (/[\n\r\0\x1b]/.test(message)) return `is not one line of text: ${JSON.stringify(message)}`;
  return message.length > 1000 ? `says ${message.length} characters` : undefined;
}

Deno.test({
  name:
    `${COUNT} damaged files are refused by name, or read as Pillow, pydicom, NumPy, safetensors and torch read them`,
  fn: async () => {
    await inFolder(async (folder) => {
      const wrong: string[] = [];
      const read: Read[] = [];
      const kinds = Object.keys(ORIGINALS) as Kind[];
      const originals = new Map<Uint8Array, string>();
      for (const kind of kinds) {
        for (const bytes of ORIGINALS[kind]) { // the codecs' first use is no file's fault
          const path = join(folder, "original");
          await Deno.writeFile(path, bytes);
          originals.set(bytes, (await READERS[kind](path)).digest);
        }
      }
      const before = Deno.memoryUsage().rss;
      let slowest = { took: 0, what: "nothing" }, growth = 0;
      for (let n = 0; n < COUNT; n++) {
        const seed = SEED + n;
        const random = mulberry32(seed);
        const kind = kinds[(seed - 1) % kinds.length]!;
        const original = ORIGINALS[kind][Math.floor(random() * ORIGINALS[kind].length)]!;
        const path = join(folder, `${seed}.${kind}`);
        await Deno.writeFile(path, mutate(original, random));
        const start = cpuMilliseconds();
        try {
          read.push({ path, kind, original: originals.get(original)!, ...await READERS[kind](path) });
        } catch (error) {
          const reason = objection(error, path);
          if (reason) wrong.push(`seed ${seed}: a ${kind} ${reason}`);
          await Deno.remove(path);
        }
        const took = cpuMilliseconds() - start;
        if (took > slowest.took) slowest = { took, what: `seed ${seed}, a ${kind}` };
        growth = Math.max(growth, Deno.memoryUsage().rss - before);
        if (took > MAX_MILLISECONDS) wrong.push(`seed ${seed}: a ${kind} took ${took.toFixed(0)} ms`);
      }
      if (growth > MAX_GROWTH) wrong.push(`memory grew by ${growth} bytes`);
      const compared = await compare(read, wrong);
      console.log(
        `  ${COUNT - read.length} refused, ${read.length} read, ${compared}; slowest ${
          slowest.took.toFixed(0)
        } ms of the processor ` +
          `(${slowest.what}), memory +${(growth / 2 ** 20).toFixed(0)} MiB`,
      );
      assertEquals(wrong, []);
    });
  },
});

/** Compares what was read with the reference's answer; what the reference refuses must be as it was before the damage. */
async function compare(read: readonly Read[], wrong: string[]): Promise<string> {
  if (!await hasPython("PIL", "pydicom", "numpy", "safetensors", "torch")) return "not compared (set ACE_PYTHON)";
  const script = new URL("reference.py", import.meta.url).pathname;
  const python = new Deno.Command(Deno.env.get("ACE_PYTHON") ?? "python3", {
    args: [script],
    env: { JSIMD_FORCENONE: "1" }, // libjpeg-turbo's vector code clips coefficients out of range otherwise than its plain code
    stdin: "piped",
    stdout: "piped",
  })
    .spawn();
  const writer = python.stdin.getWriter();
  await writer.write(new TextEncoder().encode(JSON.stringify(
    read.map(({ path, kind, separator }) => ({
      path,
      kind,
      ...(kind === "npz" ? { name: NPZ_NAME } : {}),
      ...(separator === undefined ? {} : { separator }),
    })),
  )));
  await writer.close();
  const lines = new TextDecoder().decode((await python.output()).stdout).trimEnd().split("\n");
  assertEquals(lines.length, Math.max(1, read.length), "the reference ended early");
  let alike = 0, unharmed = 0;
  read.forEach(({ path, kind, digest, original }, i) => {
    const answer = JSON.parse(lines[i]!) as { digest?: string; refused?: string };
    if (answer.digest === digest) alike++;
    else if (answer.refused !== undefined && digest === original) unharmed++;
    else wrong.push(`${path}: a ${kind} is read, the reference ${answer.refused ?? "reads something else"}`);
  });
  return `${alike} as the reference, ${unharmed} unharmed where the reference refuses`;
}
