/** What --validate names: the paper's protocol, any split, a CSV, a folder, a share of the patients. */
import { assertEquals, assertRejects } from "@std/assert";
import { join, relative } from "@std/path";
import { Arguments, UsageError } from "../../lib/cli/command.ts";
import { splitValidation } from "../../lib/cli/validation.ts";
import { loadPairs } from "../../lib/data/pairs.ts";
import { png, withFiles } from "../data/helpers.ts";

const FILES = {
  "Data_Entry_2017.csv": "Image Index,Finding Labels,Patient ID\n" +
    Array.from({ length: 10 }, (_, i) => `${i}_0.png,${i % 2 ? "Edema|Mass" : "No Finding"},${i}\n`).join(""),
  "test_list.txt": Array.from({ length: 10 }, (_, i) => `${i}_0.png\n`).join(""),
  ...Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`images/${i}_0.png`, png(i)])),
  "pairs.csv": "path,text,patient\nimages/0_0.png,one,a\nimages/1_0.png,two,a\nimages/2_0.png,three,b\n",
  "held.csv": "path,class\nimages/3_0.png,x\nimages/4_0.png,y\n",
  "texts.csv": "path,text\nimages/5_0.png,five\n",
};

Deno.test("splitValidation() reads what --validate names, and takes no image that is trained on", async () => {
  await withFiles(FILES, async (root) => {
    const training = await loadPairs(join(root, "pairs.csv"), { text: "text", patient: "patient" });
    const split = (spec: string | undefined, more: Record<string, string> = {}, set = training) =>
      splitValidation(new Arguments([], { ...(spec === undefined ? {} : { validate: spec }), ...more }), set);
    const actual = async (spec: string): Promise<[number, number, string]> => {
      const { validation } = await split(spec, {}, { ...training, cases: training.cases.slice(2) });
      return [validation!.cases.length, validation!.classes.length, validation!.task];
    };
    assertEquals((await split(undefined)).validation, undefined);
    assertEquals(await actual(`nih:${root}`), [2, 14, "multilabel"]); // the first fifth of the test list
    assertEquals(await actual(join(root, "held.csv")), [2, 2, "multiclass"]);
    assertEquals(await actual(join(root, "texts.csv")), [1, 0, "pairs"]);
    await assertRejects(() => actual(`nih/test:${root}`), RangeError, "it trains on 1 of 10");
    await assertRejects(() => actual(`nih/none:${root}`), RangeError, "split must be one of validation, test");
    // The same files by another path: through a link to their folder, and from the folder one stands in.
    await Deno.symlink(root, join(root, "link"), { type: "junction" });
    await assertRejects(() => split(join(root, "link/pairs.csv")), RangeError, "it trains on 3 of 3");
    await assertRejects(() => split(relative(Deno.cwd(), join(root, "pairs.csv"))), RangeError, "it trains on 3 of 3");
    const { training: left, validation } = await split("0.5");
    const patients = (cases: readonly { patientId?: string }[]) => new Set(cases.map(({ patientId }) => patientId));
    assertEquals(patients(left.cases).intersection(patients(validation!.cases)).size, 0);
    assertEquals([left.cases.length + validation!.cases.length, left.summary.kept], [3, left.cases.length]);
    const strangers = training.cases.map(({ patientId: _, ...one }) => one);
    await assertRejects(() => split("0.5", {}, { ...training, cases: strangers }), UsageError, "--patient-column");
    await assertRejects(() => split(undefined, { patience: "2" }), UsageError, "--patience needs --validate");
  });
});
