import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { decodeDicom, decodeImage, type DicomImage, dicomToRaster, storedPixelSha256 } from "../../lib/image/mod.ts";

interface Expected {
  rows: number;
  columns: number;
  pixels: string | null;
  display: string | null;
}

const folder = new URL("./dicom_fixtures/", import.meta.url);
const { images, refused } = JSON.parse(await Deno.readTextFile(new URL("expected.json", folder))) as {
  images: Record<string, Expected>;
  refused: Record<string, string>;
};

async function sha256(data: Uint8Array | Uint16Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", Uint8Array.from(data));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

for (const [file, expected] of Object.entries(images)) {
  Deno.test(`decodeDicom() and dicomToRaster() equal the known pixels and pydicom's transforms: ${file}`, async () => {
    const bytes = await Deno.readFile(new URL(file, folder));
    const dicom = await decodeDicom(bytes, file);
    assertEquals([dicom.rows, dicom.columns], [expected.rows, expected.columns]);
    if (expected.pixels) assertEquals(await storedPixelSha256(dicom), expected.pixels);
    const shown = await decodeImage(bytes, file);
    assertEquals(shown.data.constructor, Uint8Array, "a plain typed array");
    if (expected.display) assertEquals(await sha256(shown.data), expected.display);
    assertEquals(shown, dicomToRaster(dicom));
  });
}

for (const name of ["extended_12", "extended_12_restart"]) {
  Deno.test(`decodeDicom() is within 1 of a float inverse transform of 12-bit JPEG: ${name}`, async () => {
    const dicom = await decodeDicom(await Deno.readFile(new URL(`${name}.dcm`, folder)), name);
    const expected = new Uint16Array((await Deno.readFile(new URL(`${name}.u16`, folder))).buffer);
    assertEquals(dicom.pixels.length, expected.length);
    const furthest = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - dicom.pixels[i]!)), 0);
    assertEquals(furthest <= 1, true, `furthest ${furthest}`);
  });
}

for (const [file, why] of Object.entries(refused)) {
  Deno.test(`decodeDicom() refuses by name what it does not read: ${file}`, async () => {
    const bytes = await Deno.readFile(new URL(file, folder));
    const error = await assertRejects(() => decodeDicom(bytes, file), SyntaxError);
    assertEquals(error.message.startsWith(`Cannot read "${file}"`), true, error.message);
    assertEquals(error.message.includes(why), true, error.message);
    assertEquals(error.message.includes("\n"), false);
  });
}

const tiny: DicomImage = {
  rows: 1,
  columns: 4,
  samples: 1,
  bitsAllocated: 16,
  bitsStored: 12,
  signed: false,
  photometric: "MONOCHROME2",
  transferSyntax: "1.2.840.10008.1.2.1",
  lossy: false,
  rescaleSlope: 1,
  rescaleIntercept: 0,
  window: { center: 128, width: 256, shape: "LINEAR" },
  pixels: Uint16Array.of(0, 100, 255, 4095),
};

Deno.test("dicomToRaster() shows a window of 128/256 as the values themselves, clipped", () => {
  assertEquals(dicomToRaster(tiny).data, Uint8Array.of(0, 100, 255, 255));
  assertEquals(dicomToRaster({ ...tiny, photometric: "MONOCHROME1" }).data, Uint8Array.of(255, 155, 0, 0));
});

Deno.test("dicomToRaster() leaves the padding value out of the range when there is no window", () => {
  const { window: _, ...bare } = tiny;
  assertEquals(dicomToRaster({ ...bare, padding: 4095 }).data, Uint8Array.of(0, 100, 255, 255));
});

Deno.test("dicomToRaster() with values stored keeps the words, as pixel_array does", () => {
  assertEquals(dicomToRaster({ ...tiny, photometric: "MONOCHROME1" }, { values: "stored" }), {
    width: 4,
    height: 1,
    channels: 1,
    bitDepth: 16,
    data: Uint16Array.of(0, 100, 255, 4095),
  });
  assertThrows(
    () => dicomToRaster({ ...tiny, signed: true, pixels: Int16Array.of(0, 1, 2, 3) }, { values: "stored" }),
    TypeError,
  );
});

Deno.test("dicomToRaster() turns full-range YBR into RGB", () => {
  const colour: DicomImage = {
    ...tiny,
    columns: 3,
    samples: 3,
    bitsAllocated: 8,
    bitsStored: 8,
    photometric: "YBR_FULL",
    pixels: Uint8Array.of(100, 128, 128, 76, 85, 255, 29, 255, 107),
  };
  // Grey, and the JFIF codes of pure red and pure blue (rounded, so one or two steps off).
  assertEquals(Array.from(dicomToRaster(colour).data), [100, 100, 100, 254, 0, 0, 0, 0, 254]);
});

Deno.test("decodeDicom() does not change the caller's bytes", async () => {
  const bytes = await Deno.readFile(new URL("big_16.dcm", folder));
  const before = bytes.slice();
  await decodeDicom(bytes, "big_16.dcm");
  assertEquals(bytes, before);
});
