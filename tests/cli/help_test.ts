/** Every command's help, its example, the least permissions, and the demo. */
import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { parseRunRecord } from "../../lib/display/records.ts";
import { METRICS_SCHEMA } from "../../lib/display/results.ts";
import { type Command, UsageError } from "../../lib/cli/command.ts";
import { parseCommandLine } from "../../lib/cli/command_line.ts";
import { helpText } from "../../lib/cli/help.ts";
import { proseLines } from "../../lib/display/terminal.ts";
import { inFolder } from "../folder.ts";
import { writeClasses, writeMiniAdapter, writePairs, writeRadiographs } from "./fixtures.ts";
import { MINI_FILES, run, snapshot, succeed, VARIABLES } from "./run.ts";

const COMMANDS = [
  "demo",
  "train",
  "evaluate",
  "classify",
  "encode",
  "explain",
  "probe",
  "cache",
  "retrieve",
  "doctor",
  "inspect",
  "convert",
  "export",
  "tokenize",
  "pretrain",
];

/** The words of an example's first line, as a shell would split them. */
function words(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([, a, b, c]) => a ?? b ?? c!);
}

async function exampleOf(name: string): Promise<string> {
  const help = await succeed([name, "--help"], { env: [] });
  return /^Example:\n {2}(.*)$/m.exec(help)![1]!;
}

Deno.test("every command has a line in the overview, and a help with its options and an example", async () => {
  const overview = await succeed(["--help"], { env: [] });
  for (const name of COMMANDS) {
    assertMatch(overview, new RegExp(`^  ${name} +\\S`, "m"));
    const help = await succeed([name, "--help"], { env: [] });
    assertMatch(help, new RegExp(`^Usage: deno task ${name} `, "m"));
    assertMatch(await exampleOf(name), new RegExp(`(^|\\| )deno task ${name}( |$)`));
  }
});

Deno.test("every command refuses what is no number, too small a one or an empty value before its work begins", async () => {
  const numbers = /^[A-Z]$|^SHARE$|^FRACTION$/;
  let checked = 0;
  for (const name of [...COMMANDS, "segment", "detect", "reproduce", "report"]) {
    const { COMMAND } = await import(`../../lib/cli/${name}.ts`) as { COMMAND: Command };
    for (const [option, { value, number }] of Object.entries(COMMAND.options)) {
      if (value === undefined) continue;
      const refused = (text: string, message: string) =>
        assertThrows(() => parseCommandLine(COMMAND, [`--${option}=${text}`]), UsageError, message);
      refused("", "needs its value");
      if (!numbers.test(value)) continue;
      checked++;
      refused("many", `--${option} must be a number`);
      if (number?.whole) refused("8.5", `--${option} must be a whole number`);
      if (number?.least !== undefined) refused(String(number.least - 1), `--${option} must be a number of at least`);
      if (number?.most !== undefined) refused(String(number.most + 1), `at most ${number.most}`);
      if (number?.below !== undefined) refused(String(number.below), `below ${number.below}`);
      if (number?.above !== undefined) refused(String(number.above), `--${option} must be a number above`);
    }
  }
  assert(checked > 60, `${checked}`);
});

Deno.test("every help fits 80 columns, but for commands to copy", async () => {
  for (const name of [...COMMANDS, "segment", "detect", "reproduce", "report"]) {
    const { COMMAND } = await import(`../../lib/cli/${name}.ts`) as { COMMAND: Command };
    for (const line of proseLines(helpText(COMMAND, 80), 80).split("\n")) {
      const isCopied = / deno task |^ +command: \[/.test(line);
      assert(line.length <= 80 || isCopied, `${name} --help has ${line.length} columns: ${line}`);
    }
  }
});

Deno.test("the help of encode says how to run it in Slurm arrays and Kubernetes indexed jobs, that of evaluate where data sets lie", async () => {
  const encode = await succeed(["encode", "--help"], { env: [] });
  for (const word of ["SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "--merge", "sbatch --array=0-7"]) {
    assert(encode.includes(word), word);
  }
  const evaluate = await succeed(["evaluate", "--help"], { env: [] });
  for (const word of ["rsna", "stage_2_train_labels.csv", "siim", "nih", "mhist", "lc25000", "chexpert5x200"]) {
    assert(evaluate.includes(word), word);
  }
});

Deno.test("the examples work as they are written", async () => {
  await inFolder(async (folder) => {
    await writeRadiographs(join(folder, "radiographs"), 3);
    await Deno.copyFile(join(folder, "radiographs/0.png"), join(folder, "chest.png"));
    await writeMiniAdapter(join(folder, "adapter.safetensors"));
    await Deno.mkdir(join(folder, "data"));
    for (const file of MINI_FILES) await Deno.copyFile(file, join(folder, "data", file.split("/").at(-1)!));
    await writeClasses(join(folder, "set"), ["normal", "pneumonia"], 6);
    await Deno.writeTextFile(
      join(folder, "cases.csv"),
      "path,finding\nset/normal/0.png,normal\nset/pneumonia/0.png,pneumonia\n",
    );
    await Deno.writeTextFile(
      join(folder, "boxes.csv"),
      "path,label,x,y,w,h\nset/pneumonia/0.png,pneumonia,0,0,50,50\n",
    );
    const pairs = (await Deno.readTextFile(await writePairs(folder, 2))).replace("path,text", "path,note");
    await Deno.writeTextFile(join(folder, "pairs.csv"), pairs);
    for (const name of COMMANDS.filter((name) => !["demo", "pretrain"].includes(name))) {
      const line = await exampleOf(name);
      const [before, command] = line.includes(" | ") ? line.split(" | ") as [string, string] : ["", line];
      const [deno, task, ...args] = words(command);
      assertEquals([deno, task], ["deno", "task"]);
      const options = { cwd: folder, read: [folder, ...MINI_FILES], write: [join(folder, "results")] };
      const stdin = before ? { stdin: `${words(before)[1]}\n` } : {};
      const stdout = await succeed(args, { ...options, ...stdin });
      assert(stdout.trim() !== "", line);
    }
    const written = Object.keys(await snapshot(join(folder, "results")));
    for (
      const file of [
        "explain.html",
        "feats.shard-1-of-2.safetensors",
        "evaluate/metrics.json",
        "mine/adapter.safetensors",
        "adapter-peft/adapter_config.json",
      ]
    ) {
      assert(written.includes(file), `${file} among ${written.join(", ")}`);
    }
  });
});

Deno.test("commands compute without any environment variable, and ask for no more than three", async () => {
  await inFolder(async (folder) => {
    const [path] = await writeRadiographs(folder, 1);
    const args = ["classify", path!, "--labels", "a,b", "--json"];
    const permissions = { read: [...MINI_FILES, path!] };
    const none = JSON.parse(await succeed(args, { ...permissions, env: [] }));
    const some = JSON.parse(await succeed(args, { ...permissions, env: VARIABLES }));
    assertEquals(none.images, some.images);
  });
});

Deno.test("wasm and the codecs read nothing from the disk: without the image's permission that file is named, and no other", async () => {
  await inFolder(async (folder) => {
    const [path] = await writeRadiographs(folder, 1);
    const { code, stdout, stderr } = await run(["classify", path!, "--labels", "a,b"], { read: MINI_FILES });
    assertEquals([code, stdout], [1, ""]);
    assertMatch(stderr, new RegExp(`error: Cannot read "${path}": Requires read access to "${path}"`));
  });
});

Deno.test("an unknown command and an unknown option are told in one line each", async () => {
  const unknown = await run(["nonsense"], { env: [] });
  assertEquals([unknown.code, unknown.stdout], [1, ""]);
  assertMatch(unknown.stderr, /^error: Unknown command "nonsense": type deno task and one of .*classify/);
  for (const name of COMMANDS) {
    const { code, stdout, stderr } = await run([name, "--nonsense"], { env: [] });
    assertEquals([code, stdout], [1, ""], name);
    assertMatch(stderr, /^error: Unknown option '--nonsense'/, name);
  }
});

Deno.test("demo --smoke writes its record, adapter and report where it is told, and shows the table", async () => {
  await inFolder(async (folder) => {
    const out = join(folder, "demo");
    const stdout = await succeed(["demo", "--smoke", "--out", out], { read: [...MINI_FILES, folder], write: [folder] });
    for (const method of ["zero-shot", "LoRA", "ACE-LoRA"]) {
      assertMatch(stdout, new RegExp(`^.*\\b${method}\\b.*0\\.\\d{3}`, "m"));
    }
    const path = join(out, "metrics.json");
    const record = parseRunRecord(await Deno.readTextFile(path), path);
    assertEquals([record.schema, record.command], [METRICS_SCHEMA, "demo"]);
    assertEquals([record.synthetic, Object.keys(record.sets).length, record.seed], [true, 3, 1]);
    const files = Object.keys(await snapshot(out));
    for (const file of ["adapter.safetensors", "metrics.json", "report.html"]) assert(files.includes(file), file);
  });
});
