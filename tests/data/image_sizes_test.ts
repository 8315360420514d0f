/** Sizes by headers against those of the decoded images. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { listImages } from "../../lib/data/dataset.ts";
import { imageSizes } from "../../lib/data/image_sizes.ts";
import { sizeInHeader } from "../../lib/image/header_size.ts";
import { readImage } from "../../lib/image/mod.ts";
import { inFolder } from "../folder.ts";

const FOLDER = fromFileUrl(new URL("../image", import.meta.url));

Deno.test("imageSizes() of every fixture that can be read is what decoding it gives, turned by EXIF or not", async () => {
  const told = new Map<string, number>();
  const untold: string[] = [];
  let turned = 0;
  for (const path of await listImages(FOLDER)) {
    const [plain, upright] = await Promise.all(
      [false, true].map((exif) => readImage(path, { exif }).catch(() => undefined)),
    );
    if (!plain || !upright) continue;
    const [size] = await imageSizes([path]);
    const name = path.slice(FOLDER.length + 1);
    if (!size) {
      untold.push(name);
      continue;
    }
    assertEquals([name, size.width, size.height], [name, plain.width, plain.height]);
    const [seen] = await imageSizes([path], { exif: true });
    assertEquals([name, seen?.width, seen?.height], [name, upright.width, upright.height]);
    if (seen!.width !== size.width) turned++;
    const format = path.slice(path.lastIndexOf(".") + 1);
    told.set(format, (told.get(format) ?? 0) + 1);
  }
  assertEquals(untold, []);
  for (const format of ["dcm", "jpg", "png", "tif", "webp"]) assert((told.get(format) ?? 0) > 2, format);
  assert(turned > 0);
});

Deno.test("imageSizes() looks into archives and past long elements, and tells nothing of what is no image or is not there", async () => {
  await inFolder(async (folder) => {
    const picture = await Deno.readFile(join(FOLDER, "dicom_fixtures/explicit_8.dcm"));
    const { width, height } = await readImage(join(FOLDER, "dicom_fixtures/explicit_8.dcm"));
    const archive = join(folder, "films.tar");
    await Deno.writeFile(archive, Uint8Array.of(...new Uint8Array(100), ...picture));
    const part = { archive, name: "a.dcm", offset: 100, size: picture.length };
    const long = join(folder, "long.dcm");
    await Deno.writeFile(long, withLongText(picture, 5000));
    await Deno.writeTextFile(join(folder, "words.png"), "no picture");
    const [inArchive, further, ...none] = await imageSizes(
      [part, long, join(folder, "words.png"), join(folder, "none.png"), undefined],
    );
    assertEquals([inArchive, further], [{ width, height }, { width, height }]);
    assertEquals(none, [undefined, undefined, undefined]);
  });
});

Deno.test("sizeInHeader() gives a JPEG up whose frame header does not come, and tells no side of 0", async () => {
  const frame = (height: number): number[] => [0xff, 0xc0, 0, 11, 8, 0, height, 0, 30, 1, 1, 0x11, 0];
  const look = async (body: readonly number[]): Promise<[string, number]> => {
    const file = Uint8Array.from([0xff, 0xd8, ...body]);
    let reads = 0;
    const at = (start: number, count: number): Promise<Uint8Array> => {
      reads++;
      return Promise.resolve(file.subarray(start, start + count));
    };
    const size = await sizeInHeader({ size: file.length, at }, false);
    return [size ? `${size.width} x ${size.height}` : "not told", reads];
  };
  assertEquals(await look([0xff, ...frame(20)]), ["30 x 20", 3]);
  assertEquals((await look(frame(0)))[0], "not told"); // a line count that follows the scan: the decoder takes none
  for (const repeated of [[0xff], [0xff, 0xd0], [0xff, 0xfe, 0, 2]]) {
    const [told, reads] = await look(Array.from({ length: 20_000 }, () => repeated).flat());
    assertEquals(told, "not told");
    assert(reads < 5000, `${reads} reads`);
  }
});

/** An explicit little-endian DICOM with a text of so many bytes before its image's elements. */
function withLongText(dicom: Uint8Array, length: number): Uint8Array {
  const element = new Uint8Array(12 + length).fill(0x20);
  element.set([0x27, 0, 0, 0, 0x55, 0x54, 0, 0]); // (0027,0000) UT
  new DataView(element.buffer).setUint32(8, length, true);
  const place = dicom.findIndex((byte, i) => i > 132 && byte === 0x28 && dicom[i + 1] === 0 && dicom[i + 3] === 0);
  return Uint8Array.of(...dicom.subarray(0, place), ...element, ...dicom.subarray(place));
}
