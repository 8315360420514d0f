/** evaluate --scores and --compare, and report on their runs, end to end. */
import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { parseRunRecord } from "../../lib/display/records.ts";
import { delongTest } from "../../lib/eval/metrics/delong.ts";
import { gaussian, mulberry32 } from "../../lib/tensor/random.ts";
import { inFolder } from "../folder.ts";
import { fail, run, snapshot, succeed } from "./run.ts";

interface Row {
  id: string;
  truth: string;
  score: number;
  patient: string;
  sex: string;
  age: number;
}

function rows(seed: number, strength: number): Row[] {
  const rng = mulberry32(seed), noise = mulberry32(4);
  return Array.from({ length: 80 }, (_, i) => {
    const truth = i % 2 === 0 ? "ill" : "well";
    const own = gaussian(noise) + (truth === "ill" ? strength : 0) + 0.3 * gaussian(rng);
    return { id: `c${i}`, truth, score: own, patient: `p${i >> 1}`, sex: i % 4 < 2 ? "F" : "M", age: 30 + i % 50 };
  });
}

async function write(path: string, list: readonly Row[]): Promise<string> {
  const lines = list.map(({ id, truth, score, patient, sex, age }) => [id, truth, score, patient, sex, age].join(","));
  await Deno.writeTextFile(path, `id,truth,score:ill,patient,sex,age\n${lines.join("\n")}\n`);
  return path;
}

Deno.test("evaluate --scores judges a list, keeps patients together, gives groups figures and files to their owner alone", async () => {
  await inFolder(async (folder) => {
    const out = join(folder, "out");
    const csv = await write(join(folder, "list.csv"), rows(1, 1));
    const args = [
      "evaluate",
      "--scores",
      csv,
      "--out",
      out,
      "--tune",
      "0.3",
      "--by",
      "sex,age:25",
      "--resamples",
      "50",
    ];
    const permissions = { read: [folder], write: [out] };
    const stdout = await succeed([...args, "--threshold", "sensitivity:0.9"], permissions);
    assertMatch(stdout, /chosen on \d+ cases of 12 patients apart/);
    assertMatch(stdout, /accuracy of always (ill|well)/);
    for (const name of ["accuracy", "auroc"] as const) { // once in the line of the method, once in the table of figures
      const { value, patients } = parseRunRecord(await Deno.readTextFile(join(out, "metrics.json")), "metrics.json")
        .sets["list"]!["scores given"]!.evaluation![name];
      const printed = `${value!.toFixed(3)} (${patients!.map((end) => end.toFixed(3)).join("-")})`;
      assertEquals(stdout.split(printed).length - 1 >= 2, true, `${printed} in ${stdout}`);
    }
    const path = join(out, "metrics.json");
    const record = parseRunRecord(await Deno.readTextFile(path), path);
    const { evaluation } = record.sets["list"]!["scores given"]!;
    assertEquals([record.schema, record.command, evaluation!.tuning], [2, "evaluate", { cases: 24, patients: 12 }]);
    assertEquals(Object.keys(evaluation!.classes), ["ill"]);
    assertEquals(evaluation!.calibration, null, "scores beyond 0 and 1 are no probabilities");
    assertEquals(evaluation!.subgroups.map(({ by, group }) => `${by} ${group}`), [
      ...["sex F", "sex M", "age 25 to <50", "age 50 to <75", "age 75 to <100"],
    ]);
    if (Deno.build.os !== "windows") {
      for (const name of ["metrics.json", "predictions.csv", "evaluation.html"]) {
        assertEquals((await Deno.stat(join(out, name))).mode! & 0o777, 0o600, name);
      }
    }
    const html = await Deno.readTextFile(join(out, "evaluation.html"));
    assert(html.includes("Hardest cases"));
    // What was written is read back as it is: the parts carry over, and every figure stays.
    const again = join(folder, "again");
    const rest = ["--by", "sex,age:25", "--resamples", "50", "--threshold", "sensitivity:0.9", "--json"];
    const repeated = JSON.parse(
      await succeed(["evaluate", "--scores", join(out, "predictions.csv"), "--out", again, ...rest], {
        read: [folder],
        write: [again],
      }),
    );
    assertEquals(repeated.sets.predictions["scores given"].evaluation, JSON.parse(JSON.stringify(evaluation)));
  });
});

Deno.test("evaluate --compare tests two runs on the same cases in any order, and report compares them by name", async () => {
  await inFolder(async (folder) => {
    const out = join(folder, "out");
    const [a, b] = [rows(1, 1.4), rows(2, 0.4)];
    for (const [name, list] of [["a", a], ["b", b.toReversed()]] as const) {
      const csv = await write(join(folder, `${name}.csv`), list);
      const args = ["evaluate", "--scores", csv, "--out", join(out, name), "--resamples", "20", "--title", name];
      await succeed(args, { read: [folder], write: [out] });
    }
    const runs = [join(out, "a"), join(out, "b", "predictions.csv")];
    const stdout = await succeed(["evaluate", "--compare", ...runs, "--out", join(out, "cmp"), "--json"], {
      read: [folder],
      write: [out],
    });
    const { comparison } = JSON.parse(stdout);
    const told = await succeed(["evaluate", "--compare", ...runs, "--out", join(out, "told")], {
      read: [folder],
      write: [out],
    });
    assertMatch(told, /Difference: a less b, below 0 where b is\s+higher\./);
    const { accuracy } = comparison;
    assertAlmostEquals(accuracy.difference, accuracy.a - accuracy.b, 1e-12);
    const targets = a.map(({ truth }) => truth === "ill" ? 1 : 0);
    const expected = delongTest(a.map(({ score }) => score), b.map(({ score }) => score), targets);
    assertAlmostEquals(comparison.classes.ill.delong.p, expected.p, 1e-12);
    assertAlmostEquals(comparison.classes.ill.auroc.difference, expected.difference, 1e-12);
    assertEquals([comparison.cases, comparison.patients], [80, 40]);
    const page = join(out, "all.html");
    const report = (
      compare: string,
    ) => ["report", "--in", out, "--out", page, "--title", "Two lists", "--compare", compare];
    await succeed(report("a,b"), { read: [folder], write: [out] });
    const html = await Deno.readTextFile(page);
    assert(html.includes("<h1>Two lists</h1>") && html.includes("a against b") && html.includes("ROC, ill"));
    assert(!html.includes("Table 1") && !html.includes("<h2>Training</h2>"), "no empty section");
    await fail(report("a,nope"), ['Cannot compare "nope"', "a, b"], { read: [folder], write: [out] });
    await fail(report("a"), ["--compare needs two runs"], { read: [folder], write: [out] });
  });
});

Deno.test("evaluate --scores and --compare refuse bad input in one line, and write nothing", async () => {
  await inFolder(async (folder) => {
    const out = join(folder, "out");
    await Deno.mkdir(out);
    const good = await write(join(folder, "good.csv"), rows(1, 1));
    const file = async (name: string, text: string): Promise<string> => {
      await Deno.writeTextFile(join(folder, name), text);
      return join(folder, name);
    };
    const refuse = (args: string[], ...patterns: (string | RegExp)[]) =>
      fail(["evaluate", ...args, "--out", out], patterns, { read: [folder], write: [out] });
    const nan = await file("nan.csv", "id,truth,score\na,0,NaN\nb,1,1\n");
    await refuse(["--scores", nan], nan, '"score" in row 2 must be a finite number');
    await refuse(["--scores", await file("case.csv", "case,truth,score\na,0,1\n")], '"id"', "--id-column names");
    await refuse(
      ["--scores", await file("plain.csv", "id,truth,a,b\nx,a,1,0\ny,b,0,1\n")],
      '"score:a"',
      "--score-columns names",
    );
    await refuse(
      ["--scores", await file("one.csv", "id,truth,score:a,score:b\nx,a,1,0\n"), "--classes", "a"],
      "must be of two classes or more: it has one",
    );
    await refuse(["--scores", good, "--by", "site"], 'must have a column "site"');
    await refuse(["--scores", good, "--by", "sex:20"], 'Cannot group by bands of "sex"', '"F"');
    await refuse(["--scores", good, "--by", "age:none"], "--by must name columns");
    await refuse(["--scores", good, "--tune", "1"], "--tune must be a number above 0 and below 1");
    await refuse(["--scores", good, "--threshold", "best"], "--threshold must be youden");
    await refuse(["--scores", good, "--threshold", "sensitivity:2"], "--threshold must be youden");
    await refuse(["--scores", good, "--images", folder], "--scores and --images exclude each other");
    await refuse(["--compare", good], "--compare needs two files");
    await refuse([good], "belongs to no option");
    const fewer = await write(join(folder, "fewer.csv"), rows(1, 1).slice(1));
    await refuse(["--compare", good, fewer], "their cases must be the same: 1 are in the first alone", '"c0"');
    const swapped = rows(1, 1).map((row, i) => i === 3 ? { ...row, truth: "ill" } : row);
    await refuse(["--compare", good, await write(join(folder, "swapped.csv"), swapped)], 'that of "c3" differs');
    await refuse(
      ["--compare", good, await file("other.csv", "id,truth,score\na,0,1\nb,1,1\n")],
      "their classes must be the same",
    );
    assertEquals(await snapshot(out), {});
    const lone = rows(1, 1).map((row, i) => ({ ...row, sex: i === 0 ? "X" : row.sex }));
    const csv = await write(join(folder, "lone.csv"), lone);
    const { code, stderr } = await run(["evaluate", "--scores", csv, "--by", "sex", "--resamples", "5", "--out", out], {
      read: [folder],
      write: [out],
    });
    assertEquals(code, 0, stderr);
    assertMatch(stderr, /note: sex X: 1 case: figures need 10/);
  });
});
