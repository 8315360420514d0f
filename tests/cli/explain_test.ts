/** explain, end to end: the pointing game on boxes, curves, one line for bad input. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { inFolder } from "../folder.ts";
import { writeRadiographs } from "./fixtures.ts";
import { fail, MINI_FILES, succeed } from "./run.ts";

Deno.test("explain counts pairs by label, gives every pointer its share, and 1 to all where the box is the whole picture", async () => {
  await inFolder(async (folder) => {
    await writeRadiographs(folder, 3);
    const [images, boxes, out] = [join(folder, "images.csv"), join(folder, "boxes.csv"), join(folder, "out")];
    await Deno.writeTextFile(images, "path,patient\n0.png,a\n1.png,a\n2.png,b\n");
    await Deno.writeTextFile(
      boxes,
      "path,label,x,y,w,h\n0.png,Mass,0,0,64,64\n1.png,Mass,0,0,64,64\n1.png,Nodule,0,0,64,64\n",
    );
    const options = { read: [folder, ...MINI_FILES], write: [out] };
    const args = ["explain", "--images", images, "--boxes", boxes, "--patient-column", "patient", "--out", out];
    const record = JSON.parse(await succeed([...args, "--curves", "2", "--json"], options));
    assertEquals([record.pairs, record.images, record.perLabel], [3, 2, { Mass: 2, Nodule: 1 }]);
    assertEquals(Object.keys(record.pointers), ["similarity", "gradient", "centre", "chance"]);
    for (const { share, interval } of Object.values(record.pointers) as { share: number; interval: number[] }[]) {
      assertEquals([share, interval], [1, [1, 1]]);
    }
    assertEquals([Object.keys(record.faithfulness), record.curves], [["similarity", "gradient", "random order"], 2]);
    const page = await Deno.readTextFile(join(out, "explain.html"));
    assert(page.includes("only drawings") && page.includes("Pointing game"));
    assertEquals((await Deno.stat(join(out, "explain.html"))).mode! & 0o777, 0o600);
    await fail(args, [`"${out}" holds an earlier result`, "--overwrite"], options);
    args.push("--overwrite");
    await fail([...args, "--labels", "Mass"], ["at least two", "Mass"], options);
    await fail([...args, "--labels", "Cyst,Edema"], ["pointing game", '"Cyst", "Edema"'], options);
    await Deno.writeTextFile(boxes, "path,label,x,y,w,h\n0.png,Mass,9,9,9,9\n1.png,Nodule,400,400,99,99\n");
    await fail(args, ["1.png", "within 64 x 64 pixels", "x 400", "--boxes-columns names the four"], options); // another picture's pixels
    const nowhere = ["--weights", boxes, "--tokenizer", boxes]; // no weights: what is told before was known before they were read
    await fail([...args, ...nowhere], ["1.png", "within 64 x 64 pixels"], options);
  });
});
