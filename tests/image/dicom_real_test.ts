import { assertEquals } from "@std/assert";
import { parse } from "@std/csv";
import { decodeDicom, describeImage, dicomToRaster, storedPixelSha256 } from "../../lib/image/mod.ts";

const root = `${Deno.env.get("ACE_REAL_DATA") ?? "../shared/data"}/dicom`;

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

const present = await exists(`${root}/dicom.csv`);
const rows = present
  ? parse(await Deno.readTextFile(`${root}/dicom.csv`), { skipFirstRow: true }) as Record<string, string>[]
  : [];

Deno.test({
  name: present
    ? "the DICOM files of ACE_REAL_DATA are there"
    : `decodeDicom() on real files is skipped: no ${root}/dicom.csv (set ACE_REAL_DATA)`,
  ignore: !present,
  fn: () => assertEquals(rows.length > 20, true),
});

for (const row of rows) {
  const { file = "", pixel_sha256: hash = "", transfer_syntax_name: syntax = "" } = row;
  Deno.test(`decodeDicom() gives the pixels of dicom.csv: ${file} (${syntax})`, async () => {
    const bytes = await Deno.readFile(`${root}/${file}`);
    if (hash === "") {
      const error = await decodeDicom(bytes, file).then(() => undefined, (error: Error) => error);
      assertEquals(error?.message.startsWith(`Cannot read "${file}" as DICOM: `), true, "not decodable, so refused");
      return;
    }
    const dicom = await decodeDicom(bytes, file);
    assertEquals([dicom.rows, dicom.columns, dicom.samples, dicom.bitsStored, dicom.signed], [
      Number(row["rows"]),
      Number(row["columns"]),
      Number(row["samples"]),
      Number(row["bits_stored"]),
      row["signed"] === "1",
    ]);
    const exact = await storedPixelSha256(dicom) === hash;
    let sum = 0, low = Infinity, high = -Infinity;
    for (const value of dicom.pixels) {
      sum += value;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    const mean = sum / dicom.pixels.length;
    if (dicom.lossy && !exact) {
      console.log(
        `  lossy, not GDCM's bytes: ${file} min ${low} (${row["pmin"]}) max ${high} (${row["pmax"]}) ` +
          `mean ${mean.toFixed(4)} (${row["pmean"]})`,
      );
      assertEquals(Math.abs(mean - Number(row["pmean"])) < 0.5, true, `mean ${mean}, GDCM ${row["pmean"]}`);
      assertEquals(Math.abs(low - Number(row["pmin"])) <= 3 && Math.abs(high - Number(row["pmax"])) <= 3, true);
    } else {
      assertEquals(exact, true, `SHA-256 differs; min ${low} (${row["pmin"]}) max ${high} (${row["pmax"]})`);
    }
    const shown = dicomToRaster(dicom);
    assertEquals([shown.width, shown.height, shown.bitDepth], [dicom.columns, dicom.rows, 8]);
    const { format, pixelSha256 } = await describeImage(`${root}/${file}`);
    assertEquals([format, exact ? pixelSha256 : hash], ["DICOM", hash]);
  });
}
