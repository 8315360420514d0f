/** Grey JPEGs in WebAssembly: Pillow's samples, and libjpeg-turbo's word on all that an encoder does not write. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { decodeFrame } from "../../lib/image/_codecs.ts";
import { decodeGreyJpeg } from "../../lib/image/_jpeg_grey.ts";
import { type JpegHeader, readJpegHeader } from "../../lib/image/_jpeg_markers.ts";
import { newSha256 } from "../../lib/platform/sha256.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";
import { inFolder } from "../folder.ts";

const python = Deno.env.get("ACE_PYTHON");
const FIXTURES = new URL("./grey_jpegs/", import.meta.url);
const expected: Record<string, string> = JSON.parse(await Deno.readTextFile(new URL("expected.json", FIXTURES)));
const fixtures = await Promise.all(
  Object.keys(expected).map(async (name) => [name, await Deno.readFile(new URL(name, FIXTURES))] as const),
);

const sha256 = (data: Uint8Array): string => newSha256().update(data).digest("hex");

/** The header where it can be read. */
function headerOf(bytes: Uint8Array): JpegHeader | undefined {
  try {
    return readJpegHeader(bytes);
  } catch {
    return undefined;
  }
}

Deno.test("decodeGreyJpeg() gives Pillow's samples of every fixture", () => {
  for (const [name, bytes] of fixtures) {
    const samples = decodeGreyJpeg(bytes, readJpegHeader(bytes));
    assertEquals(samples && sha256(samples), expected[name], name);
  }
});

Deno.test({
  name: `decodeGreyJpeg() gives Pillow's samples of 200 drawn files${
    python ? "" : " (skipped: ACE_PYTHON is not set)"
  }`,
  ignore: !python,
  fn: async () => {
    await inFolder(async (folder) => {
      const script = fromFileUrl(new URL("./make_grey_jpegs.py", import.meta.url));
      const { stdout, stderr } = await new Deno.Command(python!, { args: [script, folder, "200", "7", "640"] })
        .output();
      const hashes: Record<string, string> = JSON.parse(new TextDecoder().decode(stdout) || "{}");
      assertEquals(Object.keys(hashes).length, 200, new TextDecoder().decode(stderr));
      let left = 0;
      for (const [name, hash] of Object.entries(hashes)) {
        const bytes = await Deno.readFile(join(folder, name));
        const samples = decodeGreyJpeg(bytes, readJpegHeader(bytes));
        if (samples === undefined) left++; // noise of full contrast: blocks whose coefficients are too large
        else assertEquals(sha256(samples), hash, name);
      }
      assert(left < 20, `${left} of 200 were left to libjpeg-turbo`);
    });
  },
});

Deno.test("decodeGreyJpeg() of streams with changed bytes answers as libjpeg-turbo does, or leaves them to it", async () => {
  const rng = mulberry32(11);
  let answered = 0, left = 0;
  for (let turn = 0; turn < 1500; turn++) {
    const [name, bytes] = fixtures[Math.floor(rng() * fixtures.length)]!;
    const changed = bytes.slice();
    // In the headers half of the time, else anywhere.
    const end = rng() < 0.5 ? Math.min(bytes.length, 620) : bytes.length;
    for (let i = 0; i <= 2 * rng(); i++) changed[Math.floor(rng() * end)] = Math.floor(256 * rng());
    const cut = rng() < 0.1 ? changed.subarray(0, Math.floor(rng() * bytes.length)) : changed;
    const header = headerOf(cut);
    if (!header || header.width * header.height > 2 ** 20) continue;
    const samples = decodeGreyJpeg(cut, header);
    if (samples === undefined) {
      left++;
      continue;
    }
    answered++;
    assertEquals(sha256(samples), sha256((await decodeFrame("libjpeg-turbo", cut)).data), `${name}, turn ${turn}`);
  }
  assert(answered > 200 && left > 200, `${answered} answered, ${left} left`);
});

Deno.test("decodeGreyJpeg() leaves colour, progressive streams and scans with bytes to spare to libjpeg-turbo", async () => {
  for (const name of ["jpeg_420.jpg", "jpeg_444.jpg"]) {
    const bytes = await Deno.readFile(new URL(`./fixtures/${name}`, import.meta.url));
    assertEquals(decodeGreyJpeg(bytes, readJpegHeader(bytes)), undefined, name);
  }
  const [name, bytes] = fixtures[0]!;
  for (const extra of [[0], [0xff, 0xd0], [1, 2, 3]]) {
    const longer = Uint8Array.from([...bytes.subarray(0, -2), ...extra, 0xff, 0xd9]);
    assertEquals(decodeGreyJpeg(longer, readJpegHeader(longer)), undefined, `${name} and ${extra}`);
  }
});
