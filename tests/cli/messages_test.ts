/** What each of a new user's mistakes is answered with: what is wrong, where, and what to type. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { type Command, UsageError } from "../../lib/cli/command.ts";
import { parseCommandLine } from "../../lib/cli/command_line.ts";
import { inFolder } from "../folder.ts";
import { writeClasses, writeMiniAdapter, writePairs, writeRadiographs } from "./fixtures.ts";
import { fail, MINI_FILES, run } from "./run.ts";

const BARE = { env: [] };

/** A line that its command refuses before any work, in this process: what it says is in one line. */
async function refusesInProcess([name, ...args]: string[], expected: readonly string[]): Promise<void> {
  const { COMMAND } = await import(`../../lib/cli/${name}.ts`) as { COMMAND: Command };
  const error = await assertRejects(async () => await COMMAND.run(parseCommandLine(COMMAND, args)), UsageError);
  for (const words of expected) assertStringIncludes(error.message, words);
  assertEquals(error.message.includes("\n"), false);
}

Deno.test("cli names the command or the option that was meant", async () => {
  const { code, stderr } = await run(["trian"], BARE);
  assertEquals([code, stderr], [1, 'error: Unknown command "trian": did you mean "train"? Type deno task train\n']);
  for (
    const [args, ...expected] of [
      [["train", "--lr", "1e-3"], "Unknown option '--lr': did you mean --learning-rate?"],
      [["classify", "a.png", "--label", "a,b"], "Unknown option '--label': did you mean --labels?"],
      [["train", "--text_column", "note"], "Unknown option '--text_column': did you mean --text-column?"],
      [["encode", "--adapter", "a", "--adapter", "b"], '--adapter must be given once: it is "a" and "b"'],
      [["train", "pairs.csv"], '"pairs.csv" belongs to no option', "did you mean --pairs pairs.csv?"],
      [["report", "my results"], 'did you mean --in "my results"?'],
      [["evaluate", "--split-column", "fold"], "did you mean --where fold=test?"],
      [["train", "--split-column", "fold"], "did you mean --where fold=train?"],
      [["evaluate", "--pairs", "cases.csv"], "did you mean --images?"],
      [["train", "--images", "films.csv"], "did you mean --pairs?"],
      [["segment", "train", "--held-out", "0.2"], "did you mean --split-column?"],
      [["evaluate", "--mask-column", "mask"], "Unknown option '--mask-column': the options are --images, "],
      [["evaluate", "--clas-column", "finding"], "did you mean --class-column?"],
      [["export", "--out", "onnx"], "Unknown option '--out': the options are --onnx, "],
      [["evaluate", "--dataset", "rsna", "--list"], "--root DIR is required: Folder of the data set"],
      [["retrieve", "--images", "a", "--query"], "--query TEXT needs its value: Sentence"],
      [["retrieve", "--query", "--top", "3"], '"--top" is another option, unless it is typed --query=--top'],
      [["classify", "a.png", "--json=yes"], "--json takes no value"],
      [
        ["segment", "tarin"],
        'type segment train, evaluate or predict: current value is "tarin" (did you mean "train"?)',
      ],
      [["reproduce", "tabel1"], '(did you mean "table1"?)'],
      [["reproduce", "table1", "--methods", "lroa"], '(did you mean "lora"?)'],
      [
        ["classify", "film.png", "--labels", "pneumonia,", "no", "finding", "film.png"],
        'type --labels "pneumonia, no finding"',
      ],
      [
        ["classify", "film.png", "--labels", "pneumonia,", "no", "finding"],
        'a list with blanks must stand in quotes: type --labels "pneumonia, no finding"',
      ],
      [
        ["evaluate", "--images", "set", "--classes", "pneumonia,", "normal"],
        'a list with blanks must stand in quotes: type --classes "pneumonia, normal"',
      ],
    ] as [string[], ...string[]][]
  ) await refusesInProcess(args, expected);
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
    await Deno.mkdir(out);
    await Deno.writeTextFile(join(out, "file"), "");
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
        [["evaluate", "--images", join(folder, "films")], "a folder for each class, such as", "a table of images"],
        [["evaluate", "--images", split, "--by", "splt", "--classes", "normal,pneumonia"], "--by names", "split"],
        [["classify", film!, ...ask, "--model", join(folder, "films")], "it has none among 1 files", "--model names"],
        [["retrieve", "--pairs", pairs, "--study-column", "texts", "--out", out], "--study-column text"],
        [["segment", "train", "--dataset", hole, "--out", out], "--mask-column or --masks names it"],
        [["detect", "train", "--dataset", hole, "--out", out], "--boxes names it"],
        [
          ["detect", "train", "--dataset", hole, "--boxes", hole, "--boxes-columns", "a,b,xmax,ymax", "--out", out],
          "--boxes-columns must name four columns, left,top,width,height, not a second corner",
        ],
        [["cache", "--images", join(folder, "films"), "--cache", join(out, "file")], "it is a file"],
        [["evaluate", "--images", hole], join(folder, "films"), "--image-root DIR", "--missing drop"],
        [["classify", film!, ...ask, "--backend", "gpu"], '(did you mean "webgpu"?)'],
        [["classify", film!, ...ask, "--weights", adapter], "is an adapter, not a model", "--adapter"],
        [["classify", film!, ...ask, "--adapter", MINI_FILES[0]!], "under an adapter's names", "--weights"],
      ] as [string[], ...string[]][]
    ) await fail([...args, ...(["train", "evaluate"].includes(args[0]!) ? ["--out", out] : [])], expected, options);
  });
});

Deno.test("pictures a folder is passed over for, and a class that seems to name several, are told", async () => {
  await inFolder(async (folder) => {
    const films = join(folder, "films");
    await writeRadiographs(films, 1);
    for (const name of ["b.bmp", "a.gif"]) await Deno.writeTextFile(join(films, name), "");
    const classified = await run(["classify", films, "--labels", "pneumonia,no finding"], {
      read: [...MINI_FILES, folder],
    });
    assertEquals(classified.code, 0);
    assertStringIncludes(classified.stderr, "passed over");
    assertStringIncludes(classified.stderr, ": 2, such as a.gif; saved as PNG they can be");

    const table = join(folder, "table.csv");
    await Deno.writeTextFile(table, 'path,class\nfilms/0.png,"COVID-19, ARDS"\nfilms/0.png,normal\n');
    const listed = ["evaluate", "--images", table, "--missing", "ignore", "--list"];
    const note = 'note: "COVID-19, ARDS" is taken for one class; if a cell lists several, --separator ,';
    assertStringIncludes((await run(listed, { read: [...MINI_FILES, folder] })).stderr, note);
    const { stderr } = await run([...listed, "--separator", ","], { read: [...MINI_FILES, folder] });
    assertEquals([stderr.includes("note:"), stderr.includes("2 kept")], [false, true]);
  });
});
