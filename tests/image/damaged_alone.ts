/** A corpus of damaged images, made here. */
import { assertEquals } from "@std/assert";
import { readImage } from "../../lib/image/mod.ts";
import { damagedFiles } from "./make_damaged.ts";
import { cpuMilliseconds } from "../cpu_time.ts";

Deno.test("readImage() refuses every damaged file by name, on one line, quickly, in bounded memory", async () => {
  const folder = await Deno.makeTempDir();
  // The codecs' first use is not the files' fault.
  for (const good of ["fixtures/jpeg_420.jpg", "dicom_fixtures/j2k_8.dcm", "dicom_fixtures/jpegls_8.dcm"]) {
    await readImage(new URL(good, import.meta.url).pathname);
  }
  const wrong: string[] = [];
  let count = 0, slowest = 0, peak = 0;
  const before = Deno.memoryUsage().rss;
  try {
    for (const { name, bytes } of damagedFiles()) {
      count++;
      const path = `${folder}/${name}`;
      await Deno.writeFile(path, bytes);
      const start = cpuMilliseconds();
      const error = await readImage(path).then(() => undefined, (error: Error) => error);
      const took = cpuMilliseconds() - start;
      slowest = Math.max(slowest, took);
      peak = Math.max(peak, Deno.memoryUsage().rss - before);
      await Deno.remove(path);
      if (!error) wrong.push(`${name}: gave an image`);
      else if (!(error instanceof SyntaxError)) wrong.push(`${name}: ${error.name} ${error.message}`);
      else if (!error.message.startsWith(`Cannot read "${path}" `)) wrong.push(`${name}: ${error.message}`);
      else if (error.message.includes("\n") || error.message.length > 400) wrong.push(`${name}: not one line`);
      if (took > 1000) wrong.push(`${name}: took ${took.toFixed(0)} ms`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  console.log(`  ${count} files, slowest ${slowest.toFixed(0)} ms, peak memory +${(peak / 2 ** 20).toFixed(0)} MiB`);
  assertEquals(wrong, []);
  assertEquals(count > 900, true, `${count} files`);
  assertEquals(peak < 600 * 2 ** 20, true, `memory grew by ${peak} bytes`);
});
