/** Damage inside an image that looks whole: found in the middle of the work, or before it when such images are to be left out. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { decodePng, encodePng } from "../../lib/image/png.ts";
import { inFolder } from "../folder.ts";
import { writeRadiographs } from "./fixtures.ts";
import { fail, MINI_FILES, run } from "./run.ts";

const COUNT = 8;
const DAMAGED = 5;

/** Films with notes, classes, patients, boxes and masks, of which one is a PNG with wrong bytes between a right start and end. */
async function writeDamaged(folder: string): Promise<string> {
  const paths = await writeRadiographs(folder, COUNT);
  for (const [i, path] of paths.entries()) {
    const image = decodePng(await Deno.readFile(path), path);
    const data = Uint8Array.from(image.data, (value) => value > 128 ? 255 : 0);
    await Deno.writeFile(join(folder, `mask${i}.png`), encodePng({ ...image, data, bitDepth: 8 }));
  }
  const name = (path: string): string => path.slice(folder.length + 1);
  const rows = paths.map((path, i) =>
    `${name(path)},"Note ${i}.",${["normal", "pneumonia"][i % 2]},p${i},mask${i}.png,${i < 6 ? "train" : "test"}`
  );
  await Deno.writeTextFile(join(folder, "films.csv"), `path,text,class,patient,mask,split\n${rows.join("\n")}\n`);
  const boxes = paths.map((path) => `${name(path)},Mass,10,10,40,40`);
  await Deno.writeTextFile(join(folder, "boxes.csv"), `path,label,x,y,w,h\n${boxes.join("\n")}\n`);
  const bytes = await Deno.readFile(paths[DAMAGED]!);
  bytes.fill(0, bytes.length >> 1, (bytes.length >> 1) + 40);
  await Deno.writeFile(paths[DAMAGED]!, bytes);
  return paths[DAMAGED]!;
}

/** Every command that reads many images, on such films. */
const COMMANDS: Readonly<Record<string, (folder: string, out: string) => string[]>> = {
  train: (folder, out) => [
    ...["--pairs", join(folder, "films.csv"), "--epochs", "1", "--batch-size", "4", "--rank", "1", "--out", out],
  ],
  encode: (folder, out) => ["--images", join(folder, "films.csv"), "--out", `${out}.safetensors`],
  evaluate: (folder, out) => ["--images", join(folder, "films.csv"), "--classes", "normal,pneumonia", "--out", out],
  classify: (folder) => [
    ...["--labels", "normal,pneumonia"],
    ...Array.from({ length: COUNT }, (_, i) => join(folder, `${i}.png`)),
  ],
  probe: (folder, out) => [
    ...["--images", join(folder, "films.csv"), "--split-column", "split", "--patient-column", "patient"],
    ...["--methods", "knn", "--shots", "1", "--seeds", "1", "--out", out],
  ],
  retrieve: (folder, out) => ["--pairs", join(folder, "films.csv"), "--out", out],
  segment: (folder, out) => [
    ...["train", "--dataset", join(folder, "films.csv"), "--patient-column", "patient", "--epochs", "1"],
    ...["--mask-column", "mask", "--batch-size", "2", "--width", "8", "--out", out],
  ],
  detect: (folder, out) => [
    ...["train", "--dataset", join(folder, "films.csv"), "--patient-column", "patient", "--epochs", "1"],
    ...["--boxes", join(folder, "boxes.csv"), "--batch-size", "2", "--width", "8", "--out", out],
  ],
  explain: (folder, out) => [
    ...["--images", join(folder, "films.csv"), "--boxes", join(folder, "boxes.csv"), "--boxes-image", "path"],
    ...["--patient-column", "patient", "--labels", "Mass,Nodule", "--curves", "1", "--out", out],
  ],
  cache: (folder, out) => ["--images", join(folder, "films.csv"), "--cache", out],
};

for (const [name, argumentsOf] of Object.entries(COMMANDS)) {
  Deno.test(`${name} names an image that is damaged within and the option that leaves it out, which counts and lists it`, async () => {
    await inFolder(async (folder) => {
      const damaged = await writeDamaged(join(folder, "data"));
      const options = { read: [folder, ...MINI_FILES], write: [folder] };
      const args = [name, ...argumentsOf(join(folder, "data"), join(folder, "out"))];
      await fail(args, [damaged, "--unreadable drop"], options);
      const { code, stdout, stderr } = await run([...args, "--unreadable", "drop"], options);
      assertEquals(code, 0, stderr);
      const listed = stderr.split("\n").filter((line) => line.includes("unreadable: "));
      assertEquals(listed.length, 1, stderr);
      assertStringIncludes(listed[0]!, damaged);
      assert(/\b1 (of \d images are left out|cannot be read)/.test(`${stderr}\n${stdout}`), stderr);
    });
  });
}
