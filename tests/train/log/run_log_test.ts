/** A run's log: its lines after a kill, its page, its event files as TensorBoard joins them, and its curves in a notebook. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import type { StepReport } from "../../../lib/train/options.ts";
import { trainingFigure, validationFigure } from "../../../lib/train/log/figures.ts";
import { openRunLog } from "../../../lib/train/log/run_log.ts";
import { watchFit } from "../../../lib/train/log/watch.ts";
import { eventually } from "../../eventually.ts";
import { inFolder } from "../../folder.ts";

const python = Deno.env.get("ACE_PYTHON");
const hasTensorBoard = python !== undefined &&
  (await new Deno.Command(python, { args: ["-c", "import tensorboard"], stderr: "null" }).output()).success;

const report = (step: number, loss = 1 / step): StepReport => ({
  step,
  steps: 8,
  epoch: 0,
  loss,
  learningRate: 0.1,
  samples: 4,
  seconds: 0.5,
  waiting: 0.125,
});

/** A run that logs five steps and a validation and is killed, its state that of step 3, and goes on to its end. */
async function killedRun(folder: string): Promise<void> {
  const first = openRunLog(folder);
  await first.onStart({ step: 0, steps: 8, history: [], validations: [] });
  for (const step of [1, 2, 3, 4, 5]) first.onStep(report(step, 9));
  await first.onValidation({ step: 5, name: "auroc", value: 0.9 });
  await Deno.writeTextFile(join(folder, "log.jsonl"), '{"step":6,"lo', { append: true });
  const page = await Deno.readTextFile(join(folder, "training.html"));
  assertStringIncludes(page, '<noscript><meta http-equiv="refresh" content="30"></noscript>');
  assertStringIncludes(page, "Step 5 of 8, under way");
  const second = openRunLog(folder, { title: "A <run>" });
  const history = [1, 2, 3].map(() => ({ loss: 9, learningRate: 0.1 }));
  await second.onStart({ step: 3, steps: 8, history, validations: [] });
  for (const step of [4, 5, 6, 7, 8]) second.onStep(report(step));
  await second.onValidation({ step: 8, name: "auroc", value: 0.75 });
  await second.close(true);
}

const DISPLAY: unique symbol = Symbol.for("Jupyter.display");

Deno.test("openRunLog() has each step once after a kill, and a page that reloads itself until the run has ended", async () => {
  await inFolder(async (folder) => {
    await killedRun(folder);
    const lines = (await Deno.readTextFile(join(folder, "log.jsonl"))).trimEnd().split("\n").map((l) => JSON.parse(l));
    assertEquals(lines.map(({ step, loss, value }) => [step, loss ?? value]), [
      ...[1, 2, 3].map((step) => [step, 9]),
      ...[4, 5, 6, 7, 8].map((step) => [step, 1 / step]),
      [8, 0.75],
    ]);
    assertEquals([lines[0].images_per_second, lines[0].waiting_share, lines[0].learning_rate], [8, 0.25, 0.1]);
    const page = await Deno.readTextFile(join(folder, "training.html"));
    assertEquals(page.includes('http-equiv="refresh"'), false);
    assertStringIncludes(page, "A &lt;run&gt;");
    assertStringIncludes(page, "Step 8 of 8, ended");
    assertEquals((await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort(), [
      "log.jsonl",
      "tensorboard",
      "training.html",
    ]);
  });
});

Deno.test({
  name: `TensorBoard joins the event files of a run that was killed${
    hasTensorBoard ? "" : " (skipped: ACE_PYTHON has no tensorboard)"
  }`,
  ignore: !hasTensorBoard,
  fn: async () => {
    await inFolder(async (folder) => {
      await killedRun(folder);
      const code =
        "import json,sys\nfrom tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n" +
        "e=EventAccumulator(sys.argv[1],size_guidance={'scalars':0}); e.Reload()\n" +
        "print(json.dumps({t:[[s.step,s.value] for s in e.Scalars(t)] for t in e.Tags()['scalars']}))";
      const { stdout, stderr } = await new Deno.Command(python!, { args: ["-c", code, join(folder, "tensorboard")] })
        .output();
      const curves = JSON.parse(
        new TextDecoder().decode(stdout).trim().split("\n").at(-1) || new TextDecoder().decode(stderr),
      );
      assertEquals(curves.loss, [
        ...[1, 2, 3].map((step) => [step, 9]),
        ...[4, 5, 6, 7, 8].map((step) => [step, Math.fround(1 / step)]),
      ]);
      assertEquals(curves["validation/auroc"], [[8, 0.75]]);
    });
  },
});

Deno.test("openRunLog() keeps warnings before and within the run, in the lines and on the page", async () => {
  await inFolder(async (folder) => {
    const log = openRunLog(folder);
    log.onWarning("every text is <cut>");
    await log.onStart({ step: 0, steps: 2, history: [], validations: [] });
    log.onStep(report(1));
    log.onWarning("nothing is learned yet");
    log.onStep(report(2));
    await log.close(true);
    const lines = (await Deno.readTextFile(join(folder, "log.jsonl"))).trimEnd().split("\n").map((l) => JSON.parse(l));
    assertEquals(lines.map(({ step, warning }) => [step, warning]), [
      [0, "every text is <cut>"],
      [1, undefined],
      [1, "nothing is learned yet"],
      [2, undefined],
    ]);
    const more = openRunLog(folder, { notice: "drawings only" });
    more.onWarning("every text is <cut>");
    more.onWarning("it goes on");
    const history = Array.from({ length: 2 }, () => ({ loss: 1, learningRate: 0 }));
    await more.onStart({ step: 2, steps: 2, history, validations: [] });
    assertEquals(more.warnings(), ["every text is <cut>", "nothing is learned yet", "it goes on"]);
    await more.close(true);
    const page = await Deno.readTextFile(join(folder, "training.html"));
    for (const text of ["drawings only", "every text is &lt;cut&gt;", "nothing is learned yet", "it goes on"]) {
      assertStringIncludes(page, text);
    }
  });
});

Deno.test("trainingFigure() and validationFigure() draw long runs by means and mark the best validation", () => {
  const history = Array.from({ length: 100_000 }, (_, i) => ({ loss: i < 50_000 ? 2 : 1, learningRate: 0 }));
  const [raw] = trainingFigure({ history, validations: [] }).marks;
  assert(raw?.kind === "line" && raw.x.length <= 1000, "a thousand points at most");
  assertEquals([raw.x.at(-1), raw.y[0], raw.y.at(-1)], [100_000, 2, 1]);
  assertEquals(trainingFigure({ history: [], validations: [] }).marks.length > 0, true);
  assertEquals(validationFigure({ history, validations: [] }), undefined);
  const validations = [0.5, 0.8, 0.6].map((value, i) => ({ step: 10 * i, name: "auroc", value }));
  const points = validationFigure({ history, validations })!.marks[1]!;
  assert(points.kind === "points");
  assertEquals([points.points[0]!.x, points.points[0]!.y], [10, 0.8]);
});

Deno.test("watchFit() shows a notebook's cell a bar, and the curves of loss and validation as they grow", async () => {
  const shown = new Map<string, string[]>();
  const display = async (value: { [DISPLAY](): unknown }, { display_id = "own" } = {}): Promise<void> => {
    const bundle = await value[DISPLAY]() as Record<string, string>;
    shown.set(display_id, [...shown.get(display_id) ?? [], bundle["text/plain"]!]);
  };
  const host = Deno as unknown as { jupyter: unknown };
  host.jupyter = { display };
  try {
    const { hooks, end } = watchFit();
    await hooks.onStart({ step: 0, steps: 2, history: [], validations: [] });
    hooks.onStep(report(1));
    hooks.onStep(report(2));
    await hooks.onValidation({ step: 2, name: "recall@5", value: 0.25 });
    await end();
    await eventually(
      () => [...shown.values()].some((texts) => /train \[#/.test(texts.at(-1)!)),
      "the bar's last state",
    );
  } finally {
    host.jupyter = undefined;
  }
  const last = [...shown.values()].map((texts) => texts.at(-1)!).sort();
  assertEquals(last.filter((text) => text.includes("over step")), [
    "loss (nats) over step: training loss ends at 0.500",
    "validation recall@5 over step: best 0.2500 at step 2",
  ]);
  assertMatch(last.find((text) => text.includes("[#"))!, /^validation after step 2.*\ntrain \[#+-*\] 2\/8/);
  assertMatch(
    [...shown.values()].find((texts) => texts.length > 1 && texts[0]!.includes("over"))![0]!,
    /training loss ends/,
  );
});
