/** The gathered report: from real smoke runs, in a real browser. Screenshots are kept in the folder that ACE_SCREENSHOTS names. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { sampleRecord as demoRecord } from "../browser/sample_report.ts";
import { checkReport } from "../browser/check_report.ts";
import { findChromium } from "../browser/chromium.ts";
import { gatherResults, parseKept, recordPath, writeRecord, writeTable4Run } from "../../lib/reproduction/files.ts";
import {
  keptRecords,
  reproductionMarkdown,
  reproductionReport,
  resultsMarkdown,
  writeReport,
} from "../../lib/reproduction/report.ts";
import { reproduce } from "../../lib/reproduction/reproduce.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { sampleRecord, sampleTable4 } from "./sample.ts";
import { inFolder } from "../folder.ts";

const chromium = await findChromium();
const reason = chromium === null ? " [skipped: no chromium on PATH, set ACE_CHROMIUM]" : "";
const ROOT = new URL("../../", import.meta.url);

Deno.test({
  name: `the report of table 1 and A.3 at smoke scale draws every plot and reads well in Chromium${reason}`,
  ignore: chromium === null,
  fn: async () => {
    await inFolder(async (folder) => {
      const backend = await selectBackend({ backend: "wasm" });
      const outcome = await reproduce(["table1", "tableA3"], backend, {
        scale: "smoke",
        out: join(folder, "reproduce"),
      });
      assertEquals(outcome.failed, []);
      await Deno.writeTextFile(join(folder, "metrics.json"), JSON.stringify(demoRecord()));
      const page = join(folder, "report.html");
      const html = await reproductionReport(await gatherResults(folder));
      await Deno.writeTextFile(page, html);
      const screenshots = Deno.env.get("ACE_SCREENSHOTS");
      await checkReport(chromium!, page, {
        ...(screenshots === undefined ? {} : { screenshots }),
        also: async (tab) => {
          const count = (what: string): Promise<unknown> =>
            tab.evaluate(`document.querySelectorAll(${JSON.stringify(what)}).length`);
          // Table 1: parameters, loss, two ROCs, two confusions; A.3: bars and loss.
          assertEquals(await count(".plot"), 8);
          assertEquals(await count("svg.overlay image"), 7);
          // Three tables of table 1, three of A.3, the demo's.
          assertEquals(await count("figure.table"), 7);
          assertEquals(await count("figure.table .badge"), 7, "each table says that its figures are synthetic");
          assertEquals(await count(".plot-section .plot"), 0);
        },
      });
      const unlabelled = html.match(/<section class="figure-section[^"]*">(?:(?!<\/section>)[\s\S])*?<\/section>/g)!
        .filter((section) => !section.includes("synthetic data"));
      assertEquals(unlabelled, [], "each figure says that it is of synthetic data");
    });
  },
});

Deno.test("gatherResults() finds runs at any depth, other results, and says what it passed over", async () => {
  await inFolder(async (folder) => {
    await writeRecord(join(folder, "a", "b"), sampleRecord({ table: "tableA3", id: "both" }));
    await writeRecord(join(folder, "a", "b"), sampleRecord());
    await Deno.writeTextFile(join(folder, "metrics.json"), JSON.stringify(demoRecord()));
    await Deno.writeTextFile(join(folder, "training.json"), '{"command": "train"}');
    await Deno.writeTextFile(join(folder, "broken.json"), "{");
    await Deno.writeTextFile(join(folder, "adapter_config.json"), "{}"); // beside every adapter, and no news
    const { records, others, passedOver } = await gatherResults(folder);
    assertEquals(records.map(({ table }) => table), ["table1", "tableA3"]);
    assertEquals(others.map(({ path }) => path), [join(folder, "metrics.json")]);
    assertEquals(passedOver, [join(folder, "broken.json"), join(folder, "training.json")]);
  });
});

Deno.test("gatherResults() refuses a damaged record, naming its file", async () => {
  await inFolder(async (folder) => {
    const path = recordPath(folder, sampleRecord());
    const modeOf = async (path: string): Promise<number> => (await Deno.stat(path)).mode! & 0o777;
    const real = sampleRecord();
    for (const set of Object.values(real.sets)) set.synthetic = false;
    await writeRecord(join(folder, "real"), real);
    await writeReport(join(folder, "real"), join(folder, "real", "r.html"));
    await writeReport(folder, join(folder, "all.html")); // one run on patients among others
    if (Deno.build.os !== "windows") {
      assertEquals(await modeOf(recordPath(join(folder, "real"), real)), 0o600, "scores of patients");
      for (const page of [join(folder, "real", "r"), join(folder, "all")]) {
        assertEquals([await modeOf(`${page}.html`), await modeOf(`${page}.md`)], [0o600, 0o600], page);
      }
    }
    await writeRecord(folder, { ...sampleRecord(), seconds: null as unknown as number });
    await assertRejects(() => gatherResults(folder), SyntaxError, `Cannot read "${path}" as "seconds"`);
  });
});

Deno.test("reproductionMarkdown() shows the tables of which there are runs, labelled, and no others", async () => {
  const records = [sampleRecord()];
  const none = { dense: [], others: [], heads: [], trainings: [], passedOver: [] };
  const text = await reproductionMarkdown({ records, ...none });
  assertMatch(text, /## Table 1: fine-tuning methods\n\nOne seed\..*\*\*Synthetic data\.\*\*/);
  assert(!text.includes("## Table 6"));
  const kept = await reproductionMarkdown({ records: keptRecords(records), ...none });
  assertEquals(kept, text, "what is kept makes the same tables");
});

Deno.test("deno task report writes page, tables and kept records, and refuses a folder without results", async () => {
  await inFolder(async (folder) => {
    const run = async (...args: string[]): Promise<{ code: number; text: string }> => {
      const permissions = ["--allow-read", "--allow-env", "--deny-net", `--allow-write=${folder}`];
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", ...permissions, "cli.ts", "report", "--in", folder, ...args],
        cwd: ROOT,
        env: { NO_COLOR: "1" },
      }).output();
      return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
    };
    const out = join(folder, "page.html");
    const empty = await run("--out", out);
    assertEquals(empty.code, 1);
    assertMatch(empty.text, /must hold results: found none/);
    await writeRecord(folder, sampleRecord());
    await writeTable4Run(folder, sampleTable4());
    const done = await run("--out", out, "--keep", join(folder, "kept", "all.json"));
    assertEquals(done.code, 0, done.text);
    const html = await Deno.readTextFile(out);
    assert(html.startsWith("<!doctype html>"));
    assert(
      !/<(script|img|link|iframe)[^>]*(src|href)="(?!data:)/.test(html.replaceAll(/<script>[\s\S]*?<\/script>/g, "")),
      "self-contained",
    );
    assertMatch(await Deno.readTextFile(join(folder, "page.md")), /## Table 1/);
    const kept = parseKept(await Deno.readTextFile(join(folder, "kept", "all.json")), "all.json");
    assertEquals(kept, { records: keptRecords([sampleRecord()]), dense: [sampleTable4()] });
    const { records, dense } = await gatherResults(join(folder, "kept"));
    assertEquals({ records, dense }, kept, "a file of kept runs is read as the runs themselves are");
    const shown = resultsMarkdown(kept);
    assertMatch(shown, /^Made at revision unknown on MINI \(SHA-256 abababababababab\)\.\n/);
    assertMatch(shown, /### Table 4[\s\S]*50\.0/);
    assert(!shown.includes("not published here"));
    const [run4] = kept.dense;
    const later = { ...run4!, result: { ...run4!.result, revision: "0123456789" } };
    const origins = resultsMarkdown({ records: kept.records, dense: [later] });
    assertMatch(origins, /^table1: made at revision unknown on MINI.*\n\ntable4: made at revision 0123456 on MINI/);
    assertEquals((await run("--out", join(folder, "page.txt"))).code, 1);
  });
});
