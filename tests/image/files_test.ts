import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { fromFileUrl } from "@std/path";
import {
  decodeImage,
  describeImage,
  encodePng,
  isImage,
  type RasterImage,
  readImage,
  thumbnailDataUrl,
} from "../../lib/image/mod.ts";
import { mulberry32 } from "../../lib/tensor/random.ts";

const at = (path: string): string => fromFileUrl(new URL(path, import.meta.url));

function noise(width: number, height: number, channels: 1 | 2 | 3 | 4, bitDepth: 8 | 16): RasterImage {
  const rng = mulberry32(width * 8 + channels);
  const values = Array.from({ length: width * height * channels }, () => Math.floor(rng() * 2 ** bitDepth));
  const data = bitDepth === 8 ? Uint8Array.from(values) : Uint16Array.from(values);
  return { width, height, channels, bitDepth, data };
}

const grey16 = ({ channels, bitDepth }: RasterImage): boolean => channels === 1 && bitDepth === 16;

Deno.test("encodePng() and decodeImage() give back every kind of raster", async () => {
  for (const channels of [1, 2, 3, 4] as const) {
    for (const bitDepth of [8, 16] as const) {
      const image = noise(7, 5, channels, bitDepth);
      const { notes, ...decoded } = await decodeImage(encodePng(image), "x.png");
      assertEquals(decoded, image);
      // Noise of 16 bits is nearly all above 255.
      assertEquals(notes?.map((note) => note.includes("clipped at 255")), grey16(image) ? [true] : undefined);
    }
  }
});

Deno.test("readImage() tells formats apart by content, not by extension", async () => {
  const folder = await Deno.makeTempDir();
  await Deno.copyFile(at("fixtures/grey_jpeg.jpg"), `${folder}/really_a_jpeg.dcm`);
  await Deno.copyFile(at("dicom_fixtures/explicit_8.dcm"), `${folder}/really_a_dicom.png`);
  assertEquals((await describeImage(`${folder}/really_a_jpeg.dcm`)).format, "JPEG");
  assertEquals((await describeImage(`${folder}/really_a_dicom.png`)).format, "DICOM");
  assertEquals((await readImage(`${folder}/really_a_dicom.png`)).width, 27);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("describeImage() says what inspect prints", async () => {
  assertEquals(await describeImage(at("fixtures/rgba_16bit.png")), {
    format: "PNG",
    width: 11,
    height: 13,
    channels: 4,
    bitDepth: 16,
  });
  const { pixelSha256, ...rest } = await describeImage(at("dicom_fixtures/implicit_12_window.dcm"));
  assertEquals(pixelSha256?.length, 64);
  assertEquals(rest, {
    format: "DICOM",
    width: 19,
    height: 22,
    channels: 1,
    bitDepth: 12,
    transferSyntax: "1.2.840.10008.1.2",
    photometric: "MONOCHROME2",
    rows: 22,
    columns: 19,
    bitsAllocated: 16,
    bitsStored: 12,
    signed: false,
  });
});

Deno.test("decodeImage() leaves an EXIF orientation alone, as Pillow's open does", async () => {
  const { width, height } = await readImage(at("fixtures/jpeg_exif_rotated.jpg"));
  assertEquals([width, height], [60, 40]);
});

Deno.test("decodeImage() refuses CMYK by name", async () => {
  await assertRejects(() => readImage(at("fixtures/refused_cmyk.jpg")), SyntaxError, "CMYK is not read");
});

Deno.test("isImage() knows the three formats and nothing else", async () => {
  for (const file of ["fixtures/rgb_up.png", "fixtures/jpeg_444.jpg", "dicom_fixtures/no_meta_implicit.dcm"]) {
    assertEquals(isImage(await Deno.readFile(at(file))), true, file);
  }
  for (const text of ["", "Path,Label\n", "PK\u0003\u0004", "{}", "\u0080\u0002}q\0"]) {
    assertEquals(isImage(new TextEncoder().encode(text)), false, JSON.stringify(text));
  }
});

Deno.test("thumbnailDataUrl() is a PNG whose longer side is as asked, and never enlarges", async () => {
  for (const [size, expected] of [[10, [10, 7]], [200, [40, 28]]] as const) {
    const url = thumbnailDataUrl(noise(40, 28, 1, 8), size);
    const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
    const { width, height } = await decodeImage(bytes, "thumbnail");
    assertEquals([width, height], [...expected]);
  }
  assertThrows(() => thumbnailDataUrl(noise(4, 4, 1, 8), 0), RangeError);
});

Deno.test("readImage() needs read permission for the image and nothing else", async () => {
  const files = [
    "fixtures/jpeg_420.jpg",
    "fixtures/rgb_up.png",
    "dicom_fixtures/j2k_8.dcm",
    "dicom_fixtures/jpegls_8.dcm",
  ];
  const paths = files.map(at);
  const code = `import { readImage } from ${JSON.stringify(new URL("../../lib/image/mod.ts", import.meta.url).href)};
    for (const path of ${JSON.stringify(paths)}) console.log((await readImage(path)).width);`;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--no-prompt",
      "--deny-net",
      `--allow-read=${paths.join(",")}`,
      "--ext=ts",
      `--config=${at("../../deno.json")}`,
      "-",
    ],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(code));
  await input.close();
  const { stdout, stderr, success } = await child.output();
  assertEquals(success, true, new TextDecoder().decode(stderr));
  assertEquals(new TextDecoder().decode(stdout).trim().split("\n"), ["97", "17", "27", "27"]);
});
