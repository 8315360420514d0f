/** What each of a new user's mistakes is answered with: what is wrong, where, and what to type. */
import { join } from "@std/path";
import { inFolder, writeClasses, writeMiniAdapter, writePairs, writeRadiographs } from "./fixtures.ts";
import { fail, MINI_FILES, run } from "./run.ts";
import { assertEquals } from "@std/assert";

const BARE = { env: [] };

Deno.test("cli names the command or the option that was meant", async () => {
  const { code, stderr } = await run(["trian"], BARE);
  assertEquals([code, stderr], [1, 'Unknown command "trian": did you mean "train"? Type deno task train\n']);
  for (
    const [args, expected] of [
      [["train", "--lr", "1e-3"], "Unknown option '--lr': did you mean --learning-rate?"],
      [["classify", "a.png", "--label", "a,b"], "Unknown option '--label': did you mean --labels?"],
      [["train", "--text_column", "note"], "Unknown option '--text_column': did you mean --text-column?"],
      [["encode", "--adapter", "a", "--adapter", "b"], '--adapter must be given once: it is "a" and "b"'],
      [["train", "pairs.csv"], '"pairs.csv" belongs to no option'],
      [
        ["classify", "film.png", "--labels", "pneumonia,", "no", "finding"],
        'a list with blanks must stand in quotes: type --labels "pneumonia, no"',
      ],
      [
        ["evaluate", "--images", "set", "--classes", "pneumonia,", "normal"],
        'a list with blanks must stand in quotes: type --classes "pneumonia, normal"',
      ],
    ] as const
  ) await fail(args, [expected], BARE);
});

Deno.test("commands name the file, the folder, the column, the value or the class that was meant", async () => {
  await inFolder(async (folder) => {
    const pairs = await writePairs(join(folder, "pairs"), 4);
    await writeClasses(join(folder, "set"), ["normal", "pneumonia"], 2);
    const [film] = await writeRadiographs(join(folder, "films"), 1);
    const adapter = await writeMiniAdapter(join(folder, "adapter.safetensors"));
    const notes = join(folder, "pairs", "notes.csv");
    await Deno.writeTextFile(
      notes,
      (await Deno.readTextFile(pairs)).replace("path,text", "path,note"),
    );
    const split = join(folder, "split.csv");
    await Deno.writeTextFile(split, "path,class,split\nfilms/0.png,normal,train\nfilms/0.png,pneumonia,test\n");
    const hole = join(folder, "hole.csv");
    await Deno.writeTextFile(hole, "path,class\nfilm/0.png,normal\n");
    const out = join(folder, "out");
    const options = { read: [...MINI_FILES, folder], write: [out] };
    const ask = ["--labels", "a,b"];
    for (
      const [args, ...expected] of [
        [["train", "--pairs", notes], 'must have a column "text"', "--text-column note"],
        [["train", "--pairs", notes, "--text-column", "nota"], '(did you mean "note"?)', "--text-column note"],
        [["train", "--pairs", pairs, "--loss", "label-guide"], '(did you mean "label-guided"?)'],
        [["train", "--pairs", join(folder, "pair", "pairs.csv")], `did you mean "${pairs}"?`],
        [["train", "--pairs", join(folder, "pair", "other.csv")], `did you mean "${join(folder, "pairs")}"?`],
        [
          ["classify", film!, ...ask, "--adapter", join(folder, "nope.safetensors")],
          `"${folder}" holds adapter.safetensors`,
        ],
        [["classify", film!, ...ask, "--adapter", join(folder, "adaptor.safetensors")], `did you mean "${adapter}"?`],
        [["classify", join(folder, "films", "7.png"), ...ask], `"${join(folder, "films")}" holds 0.png`],
        [
          ["detect", "train", "--dataset", pairs, "--boxes", join(folder, "none.csv"), "--out", out],
          `"${join(folder, "none.csv")}"`,
          "there is none",
        ],
        [["classify", join(folder, "films", "0.pgn"), ...ask], "did you mean", join(folder, "films", "0.png")],
        [["classify", join(folder, "films", "*.png"), ...ask], "type it without the quotes"],
        [["classify", join(folder, "set", "x", "y"), ...ask], `"${join(folder, "set")}" holds normal, pneumonia`],
        [
          ["evaluate", "--images", join(folder, "set"), "--classes", "normal,pnuemonia"],
          '(did you mean "pneumonia"?)',
          "--classes",
        ],
        [
          ["evaluate", "--images", split, "--classes", "normal,pneumonia", "--where", "spilt=test"],
          "type --where split=test",
        ],
        [["evaluate", "--images", split, "--where", "split=tset"], "did you mean --where split=test?"],
        [["evaluate", "--images", split, "--where", "split=zzz"], 'the column holds "train", "test"'],
        [["evaluate", "--images", join(folder, "films")], "a folder for each class, such as"],
        [["evaluate", "--images", hole], join(folder, "films"), "--image-root DIR", "--missing drop"],
        [["classify", film!, ...ask, "--weights", adapter], "is an adapter, not a model", "--adapter"],
        [["classify", film!, ...ask, "--adapter", MINI_FILES[0]!], "under an adapter's names", "--weights"],
      ] as [string[], ...string[]][]
    ) await fail([...args, ...(["train", "evaluate"].includes(args[0]!) ? ["--out", out] : [])], expected, options);
  });
});
